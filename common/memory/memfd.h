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

/*
 * The same without pages: what lies in it must be allocated before anybody touches it. memfd_allocate() does that for a part; it stays
 * where it is, however often. Return 0 (the fd is the caller's); -ENOMEM or -ENOSPC; -errno. Supervisor.
 */
int memfd_new_hollow(const char *name, uint64_t size_bytes, int *ret_fd);
int memfd_allocate(int fd, uint64_t offset, uint64_t size_bytes);
/* Whether the machine can give so much now and keep a margin: 0 or -ENOMEM. It may still fail to. */
int memory_check(uint64_t size_bytes);

/* Whether fd is a memfd of exactly size_bytes that nobody can resize. Any process. */
bool memfd_is_fixed(int fd, uint64_t size_bytes);

/* Bytes of memory that the kernel could hand out now without taking any from a process. 0: not known. */
uint64_t memory_available_bytes(void);
