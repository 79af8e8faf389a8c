/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory files. Pages are allocated before use, so that memory runs out at start, as an error, and never as SIGBUS in
 * the middle of a turn. fallocate() of shared memory asks no overcommit limit: a file larger than the machine wakes
 * the OOM killer instead of failing. Hence the look at what is available first, with a margin for everybody else.
 */
#include "common/memory/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/memory/segment.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define SEALS_FIXED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define MARGIN_BYTES (UINT64_C(32) << 20)

static int create(const char *name, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_origin(-errno);
	*ret_fd = fd;
	return 0;
}

uint64_t memory_available_bytes(void)
{
	char line[128];
	unsigned long long kib;
	struct sysinfo info;
	_cleanup_(fclose) FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			return (uint64_t)kib << 10;
	return sysinfo(&info) ? 0 : ((uint64_t)info.freeram + info.bufferram) * info.mem_unit;
}

int memory_check(uint64_t size_bytes)
{
	uint64_t available = memory_available_bytes();

	if (size_bytes > INT64_MAX || (available && (size_bytes > available || available - size_bytes < MARGIN_BYTES)))
		return error_origin(-ENOMEM);
	return 0;
}

int memfd_allocate(int fd, uint64_t offset, uint64_t size_bytes)
{
	while (fallocate(fd, 0, (off_t)offset, (off_t)size_bytes))
		if (errno != EINTR)
			return error_origin(-errno);
	return 0;
}

int memfd_new_hollow(const char *name, uint64_t size_bytes, int *ret_fd)
{
	_cleanup_(close) int fd = -1;
	int r = create(name, &fd);

	if (r)
		return error_trace(r);
	if (size_bytes > INT64_MAX)
		return error_origin(-ENOMEM);
	if (fchmod(fd, 0400) || ftruncate(fd, (off_t)size_bytes) || fcntl(fd, F_ADD_SEALS, SEALS_FIXED))
		return error_origin(-errno);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int memfd_new_fixed(const char *name, uint64_t size_bytes, int *ret_fd)
{
	_cleanup_(close) int fd = -1;
	int r = memory_check(size_bytes);

	if (r == 0)
		r = memfd_new_hollow(name, size_bytes, &fd);
	if (r == 0)
		r = memfd_allocate(fd, 0, size_bytes);
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return error_trace(r);
}

bool memfd_is_fixed(int fd, uint64_t size_bytes)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS_FIXED) == SEALS_FIXED && !fstat(fd, &st) &&
	       (uint64_t)st.st_size == size_bytes;
}

int memfd_reopen_read_only(int fd, int *ret_fd)
{
	char path[32];
	int reopened;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reopened = open(path, O_RDONLY | O_CLOEXEC);
	if (reopened < 0)
		return error_origin(-errno);
	*ret_fd = reopened;
	return 0;
}

int memfd_new(const char *name, int *ret_fd)
{
	return create(name, ret_fd);
}
