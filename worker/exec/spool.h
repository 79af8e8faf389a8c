/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slot-owned spools: memfds that outlive the worker. Here is only how bytes get in and out; what they mean is the
 * cursor's matter.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A spool's bytes in memory: what is put there is in the spool, without a system call and a copy for each piece, and outlives the worker
 * just so. It belongs to one who alone makes the spool longer or shorter.
 */
struct spool_map {
	int fd;              /* borrowed */
	unsigned char *data; /* NULL: nothing is mapped */
	uint64_t mapped_bytes;
	uint64_t ready_bytes; /* so much of it may be touched: the spool is that long, and has the memory */
};

#define SPOOL_MAP_NULL    \
	{                 \
		.fd = -1, \
	}

/*
 * Makes the first `end` bytes fit to be written, and some more of them as far as `bound`. What the spool holds stays. Returns 0 or -errno
 * (-ENOSPC, -ENOMEM: no memory), never a signal later on. `data` may move.
 */
int spool_map_grow(struct spool_map *map, uint64_t end, uint64_t bound);
static inline int spool_map_reserve(struct spool_map *map, uint64_t end, uint64_t bound)
{
	return end <= map->ready_bytes ? 0 : spool_map_grow(map, end, bound);
}
/* Somebody else may have made it shorter: nothing behind its end is touched before it has been made fit again. */
void spool_map_check(struct spool_map *map);
/* As spool_truncate(). */
int spool_map_cut(struct spool_map *map, uint64_t length_bytes);
/* Unmaps; fine on SPOOL_MAP_NULL and twice. */
void spool_map_deinit(struct spool_map *map);

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
