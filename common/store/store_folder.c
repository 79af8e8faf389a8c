/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/text.h"

/* umask is the whole process's: while a thread makes the control socket it takes our own rights, too, and some users' always does. */
static int make_one(const char *path)
{
	return mkdir(path, 0700) || chmod(path, 0700) ? -errno : 0;
}

int store_folder_make(const char *path)
{
	_cleanup_(free) char *copy = strdup(path);

	if (!copy)
		return error_origin(-ENOMEM);
	for (char *at = copy + 1;; at++) {
		char was = *at;
		int r;

		if (was && was != '/')
			continue;
		*at = '\0';
		r = make_one(copy); /* of a folder that is there on a disk that can't be written: EROFS or EEXIST */
		if (r < 0 && r != -EEXIST && access(copy, F_OK))
			return error_origin(r);
		*at = was;
		if (!was)
			return 0;
	}
}

int store_folder_check(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT ? STORE_E_NONE : error_origin(-errno);
	if (!S_ISDIR(st.st_mode))
		return error_origin(-ENOTDIR);
	return (st.st_uid == geteuid() || geteuid() == 0) && !(st.st_mode & 0022) ? 0 : STORE_E_FOREIGN;
}

uint64_t store_file_bytes(const char *path)
{
	struct text name = TEXT_NULL;
	struct stat st = { 0 };

	text_printf(&name, "%s/data.mdb", path);
	if (stat(text_get(&name), &st))
		st.st_size = 0;
	text_deinit(&name);
	return (uint64_t)st.st_size;
}

/* To be written, though this process has opened it to read. */
static int open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* Some pages at the end may never have been written; nobody asks for them. */
int store_file_mend(MDB_env *env)
{
	struct stat st;
	MDB_envinfo info;
	MDB_stat pages;
	off_t end;
	int fd, r;

	if (mdb_env_get_fd(env, &fd) || mdb_env_info(env, &info) || mdb_env_stat(env, &pages) || fstat(fd, &st))
		return STORE_E_DAMAGED;
	end = (off_t)((info.me_last_pgno + 1) * pages.ms_psize);
	if (st.st_size >= end)
		return 0;
	if (info.me_last_pgno >= info.me_mapsize / pages.ms_psize)
		return STORE_E_DAMAGED;
	fd = open_again(fd);
	if (fd < 0)
		return STORE_E_DAMAGED;
	r = fallocate(fd, 0, st.st_size, end - st.st_size) ? -errno :
							     0; /* never makes it shorter, whoever writes there */
	close(fd);
	return r == -EOPNOTSUPP ? STORE_E_DAMAGED : r;
}

void store_explain(const char *path, const char *what, const char *advice, int r, struct text *text)
{
	switch (r) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
	case -EIO: /* a write that fell short: most likely of room */
		text_printf(text, "cannot write into %s: %s; make room on that disk", path, strerror(-r));
		break;
	case -ENOMEM:
		text_printf(text,
			    "there is no memory left to use %s in %s; give this process more (resources: memory of the "
			    "stage, ulimit -d, ulimit -v)",
			    what, path);
		break;
	default:
		text_printf(text, "cannot use %s in %s: %s; %s", what, path, strerror(r < 0 ? -r : EPROTO), advice);
	}
}
