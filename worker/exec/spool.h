/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slot-owned spools: memfds that outlive the worker. Here is only how bytes get in and out; what they mean is the
 * cursor's matter.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Writes all n bytes at offset. Returns 0, or -errno (-ENOSPC, -ENOMEM: no memory). */
int spool_write(int fd, uint64_t offset, const void *bytes, size_t n);
/* Reads exactly n bytes. Returns 0, or -errno; -EIO: the spool is shorter than its cursor says. */
int spool_read(int fd, uint64_t offset, void *bytes, size_t n);
/* Reads up to n bytes. Returns how many (0: the end), or -errno. */
ssize_t spool_read_some(int fd, uint64_t offset, void *bytes, size_t n);
/* Cuts it to this length; the pages behind it go back to the system. Returns 0 or -errno. */
int spool_truncate(int fd, uint64_t length_bytes);
/* Its length in bytes, or -errno. */
int64_t spool_length(int fd);
/*
 * Opens the spool once more, with a position of its own: O_RDONLY for a program's stdin, O_WRONLY | O_APPEND for its
 * stdout. Returns 0 and the fd (close-on-exec, the caller's), or -errno.
 */
int spool_reopen(int fd, int flags, int *ret_fd);
