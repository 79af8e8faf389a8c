/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sources/follow_look.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/base/clock.h"

static uint64_t time_ns(const struct statx_timestamp *time)
{
	return (uint64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

static int look(int folder, const char *name, int flags, struct follow_look *ret_look)
{
	struct statx at;

	if (statx(folder, name, flags, STATX_BASIC_STATS | STATX_BTIME, &at))
		return -errno;
	*ret_look = (struct follow_look){
		.device = makedev(at.stx_dev_major, at.stx_dev_minor),
		.inode = at.stx_ino,
		.born_ns = at.stx_mask & STATX_BTIME ? time_ns(&at.stx_btime) : 0,
		.size_bytes = at.stx_size,
		.changed_ns = time_ns(&at.stx_mtime),
		.mode = at.stx_mode,
	};
	return 0;
}

int follow_look_at(int folder, const char *name, struct follow_look *ret_look)
{
	return look(folder, name, 0, ret_look);
}

int follow_look(int fd, struct follow_look *ret_look)
{
	return look(fd, "", AT_EMPTY_PATH, ret_look);
}
