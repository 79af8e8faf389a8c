/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/exec/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/error.h"

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
