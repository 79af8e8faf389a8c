/* SPDX-License-Identifier: Apache-2.0 */
/* Anonymous memory files: making one of a fixed size, checking that its size is fixed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A memfd of size_bytes: mode 0400, close-on-exec, every page allocated, sealed against shrinking, growing and
 * unsealing. Returns 0 and the read-write fd, owned by the caller; -ENOMEM or -ENOSPC: no memory for it; -errno.
 * Supervisor; may take as long as clearing the pages does.
 */
int memfd_new_fixed(const char *name, uint64_t size_bytes, int *ret_fd);

/* Whether fd is a memfd of exactly size_bytes that nobody can resize. Any process. */
bool memfd_is_fixed(int fd, uint64_t size_bytes);

/* Bytes of memory that the kernel could hand out now without taking any from a process. 0: not known. */
uint64_t memory_available_bytes(void);
