/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/exec/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"

#define MAP_BYTES_MIN (UINT64_C(1024) * 1024)
#define GROW_BYTES (UINT64_C(256) * 1024)

/* Address space only, and more than is needed now: it may reach beyond the end of the spool. */
static int map_extend(struct spool_map *map, uint64_t end)
{
	uint64_t wanted = map->mapped_bytes ? map->mapped_bytes : MAP_BYTES_MIN;
	void *data;

	while (wanted < end)
		wanted *= 2;
	data = map->data ? mremap(map->data, map->mapped_bytes, wanted, MREMAP_MAYMOVE) :
			   mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
	if (data == MAP_FAILED)
		return error_origin(-errno);
	map->data = data;
	map->mapped_bytes = wanted;
	/* No program may write into it, not even between fork and exec. */
	return madvise(data, wanted, MADV_DONTFORK) ? error_origin(-errno) : 0;
}

int spool_map_grow(struct spool_map *map, uint64_t end, uint64_t bound)
{
	uint64_t from = map->ready_bytes, to = end + GROW_BYTES;
	int r = 0;

	if (to > bound)
		to = end > bound ? end : bound;
	if (map->mapped_bytes < to)
		r = map_extend(map, to);
	while (r == 0 && fallocate(map->fd, 0, (off_t)from, (off_t)(to - from)))
		r = errno == EINTR ? 0 : error_origin(-errno);
	if (r)
		return r;
	/* All pages at once; else each costs a fault. */
	from -= from % (uint64_t)sysconf(_SC_PAGESIZE);
	(void)madvise(map->data + from, to - from, MADV_POPULATE_WRITE);
	map->ready_bytes = to;
	return 0;
}

void spool_map_check(struct spool_map *map)
{
	int64_t length_bytes = spool_length(map->fd);

	if (length_bytes < 0)
		length_bytes = 0;
	if (map->ready_bytes > (uint64_t)length_bytes)
		map->ready_bytes = (uint64_t)length_bytes;
}

int spool_map_cut(struct spool_map *map, uint64_t length_bytes)
{
	int r = spool_truncate(map->fd, length_bytes);

	if (!r && map->ready_bytes > length_bytes)
		map->ready_bytes = length_bytes;
	return r;
}

void spool_map_deinit(struct spool_map *map)
{
	if (map->data)
		munmap(map->data, map->mapped_bytes);
	*map = (struct spool_map)SPOOL_MAP_NULL;
}

int spool_write(int fd, uint64_t offset, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n) {
		ssize_t written = pwrite(fd, at, n, (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return error_origin(-errno);
		at += written;
		offset += (uint64_t)written;
		n -= (size_t)written;
	}
	return 0;
}

ssize_t spool_read_some(int fd, uint64_t offset, void *bytes, size_t n)
{
	ssize_t got;

	do
		got = pread(fd, bytes, n, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got < 0 ? error_origin(-errno) : got;
}

int spool_read(int fd, uint64_t offset, void *bytes, size_t n)
{
	char *at = bytes;

	while (n) {
		ssize_t got = spool_read_some(fd, offset, at, n);

		if (got <= 0)
			return got < 0 ? (int)got : error_origin(-EIO);
		at += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int spool_truncate(int fd, uint64_t length_bytes)
{
	return ftruncate(fd, (off_t)length_bytes) ? error_origin(-errno) : 0;
}

int64_t spool_length(int fd)
{
	struct stat status;

	return fstat(fd, &status) ? error_origin(-errno) : (int64_t)status.st_size;
}

int spool_reopen(int fd, int flags, int *ret_fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	if (again < 0)
		return error_origin(-errno);
	*ret_fd = again;
	return 0;
}
