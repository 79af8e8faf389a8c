/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pid may be somebody else's by the time a signal is sent. So: open the pidfd, then ask whose child the process of that number is, then
 * whether the pidfd's process still lives. If it does, it is the one that was asked about, and the supervisor has no children but workers
 * and what they left behind.
 */
#include "broker/cli/chaos_victim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"

#define FILL_STEP_BYTES (UINT64_C(256) << 20)
#define FILL_STEP_MIN_BYTES UINT64_C(4096)

static bool is_of(const struct view_stage *stage, const char *name)
{
	return !name || strcmp(stage->name, name) == 0;
}

uint32_t chaos_victims(const struct view *view, const char *stage)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < view->n_stages; i++)
		for (uint32_t j = 0; is_of(&view->stages[i], stage) && j < view->stages[i].n_workers; j++)
			n += view->stages[i].workers[j].pid > 0;
	return n;
}

/* 0: there is no such process. */
static pid_t parent_of(pid_t pid)
{
	char path[32], line[512];
	_cleanup_(fclose) FILE *file = NULL;
	const char *behind_name;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	behind_name = strrchr(line, ')');
	return behind_name && sscanf(behind_name + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static bool is_gone(int pidfd)
{
	struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };

	return poll(&pollfd, 1, 0) != 0;
}

static int victim_open(const struct view *view, const struct view_stage *stage, const struct view_worker *worker,
		       struct chaos_victim *ret)
{
	*ret = (struct chaos_victim){
		.pidfd = (int)syscall(SYS_pidfd_open, worker->pid, 0),
		.pid = worker->pid,
		.stage = stage->name,
		.index = worker->index,
		.generation = worker->generation,
	};
	if (ret->pidfd >= 0 && parent_of(worker->pid) == view->pid && !is_gone(ret->pidfd))
		return 0;
	chaos_victim_release(ret);
	return 1;
}

int chaos_victim_take(const struct view *view, const char *stage, uint32_t nth, struct chaos_victim *ret)
{
	for (uint32_t i = 0; i < view->n_stages; i++)
		for (uint32_t j = 0; is_of(&view->stages[i], stage) && j < view->stages[i].n_workers; j++) {
			const struct view_worker *worker = &view->stages[i].workers[j];

			if (worker->pid > 0 && nth-- == 0)
				return victim_open(view, &view->stages[i], worker, ret);
		}
	return 1;
}

int chaos_victim_signal(const struct chaos_victim *victim, int signal)
{
	return syscall(SYS_pidfd_send_signal, victim->pidfd, signal, NULL, 0) == 0 ? 0 : 1;
}

void chaos_victim_release(struct chaos_victim *victim)
{
	victim->pidfd = fd_close(victim->pidfd);
}

/* In ever smaller steps, until not even a page is left. */
/* Returns 0; 1: there is no room for that; -errno. */
static int take_room(int fd, uint64_t at_bytes, uint64_t size_bytes)
{
	int r;

	do
		r = fallocate(fd, 0, (off_t)at_bytes, (off_t)size_bytes);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? 1 : error_origin(-errno);
}

static int fill(int fd, uint64_t *ret_bytes)
{
	uint64_t step_bytes = FILL_STEP_BYTES;
	int r;

	for (*ret_bytes = 0; step_bytes >= FILL_STEP_MIN_BYTES;) {
		r = take_room(fd, *ret_bytes, step_bytes);
		if (r < 0)
			return error_trace(r);
		if (r == 0)
			*ret_bytes += step_bytes;
		else
			step_bytes /= 2;
	}
	return 0;
}

/* A file without a name; where the file system knows none, one that loses its name at once. Returns the descriptor or -errno. */
static int open_nameless(const char *folder)
{
	_cleanup_(free) char *path = NULL;
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return error_origin(-errno);
	if (asprintf(&path, "%s/.weir-chaos-XXXXXX", folder) < 0)
		return error_origin(-ENOMEM);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return error_origin(-errno);
	unlink(path);
	return fd;
}

int chaos_fill(const char *path, int *ret_fd, uint64_t *ret_bytes)
{
	int fd = open_nameless(path), r;

	if (fd < 0)
		return fd;
	r = fill(fd, ret_bytes);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int chaos_fill_possible(const char *path)
{
	int fd = open_nameless(path), r;

	if (fd < 0)
		return fd;
	r = take_room(fd, 0, FILL_STEP_MIN_BYTES);
	close(fd);
	return r < 0 ? error_trace(r) : 0;
}
