/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing that a dead supervisor has left may be touched while one of its workers lives. They end by themselves, but that proves nothing;
 * what does is the kernel's word about an open file:
 *
 *      estate            flock by the supervisor, alone            held by nobody: no supervisor lives; ours from now on
 *      lifeline, R end   flock, on the open file that all of its   held by nobody: none of its workers lives, nor what one of them has
 *                        workers have inherited                    forked without telling anybody; ours, and our workers', from now on
 *
 * A lock goes with the last process that has the open file, however that dies. Those that are in the way are killed: first who is noted, if
 * it is still who it was (its pidfd, and when it began); then, for a worker that was forked and not yet noted, whoever has that open file.
 * Whoever keeps the lifeline for us has an open file of its own on it, without a lock, and is left alone.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker/supervise/process_state.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define PREDECESSORS_WAIT_NS (10 * NS_PER_S)
#define TAKEN_WAIT_NS (2 * NS_PER_S) /* a fork of the last one may have its open files until it execs, or finds out */
#define LOOK_NS (2 * NS_PER_MS)
#define SEARCH_AFTER_NS (100 * NS_PER_MS)

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)LOOK_NS }, NULL);
}

/* ---- one supervisor ---- */

static int be_the_only_one(struct supervisor *supervisor, struct text *why)
{
	uint64_t end_ns = clock_now_ns() + TAKEN_WAIT_NS;
	int r = estate_lock(supervisor->estate);

	while (r == ESTATE_E_TAKEN && clock_now_ns() < end_ns) {
		pause_a_little();
		r = estate_lock(supervisor->estate);
	}
	if (r != ESTATE_E_TAKEN)
		return error_trace(r);
	text_printf(why, "process %d goes on with it already", (int)estate_current(supervisor->estate)->supervisor_pid);
	return SUPERVISOR_E_NOT_NOW;
}

/* ---- none of its workers ---- */

/* Only who is the same process: a number may have gone to somebody else. */
static bool kill_noted(const struct estate_seat *seat)
{
	_cleanup_(close) int pidfd = seat->pid > 1 ? pidfd_open(seat->pid, 0) : -1;

	if (pidfd < 0 || !seat->pid_start_ticks || process_began_ticks(seat->pid) != seat->pid_start_ticks)
		return false;
	if (seat->own_group)
		kill(-seat->pid, SIGKILL);
	return pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0;
}

static uint32_t kill_all_noted(const struct supervisor *supervisor)
{
	const struct estate *estate = supervisor->estate;
	const struct estate_seat *seats = estate_seats(estate, estate_current(estate));
	uint32_t n = 0;

	for (uint32_t i = 0; i < estate->n_slots; i++)
		n += kill_noted(&seats[i]);
	return n;
}

/* Whether that descriptor of that process is the open file with the lock. */
static bool has_lock(const char *pid, const char *fd)
{
	char path[64], line[256];
	_cleanup_(fclose) FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "lock:", 5) == 0 && strstr(line, "FLOCK"))
			return true;
	return false;
}

static bool has_lifeline(const char *pid, const struct stat *lifeline)
{
	char folder[32], path[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%.16s/fd", pid);
	dir = opendir(folder);
	while (dir && !found && (entry = readdir(dir))) {
		struct stat st;

		snprintf(path, sizeof(path), "%s/%.16s", folder, entry->d_name);
		found = isdigit((unsigned char)entry->d_name[0]) && stat(path, &st) == 0 &&
			st.st_dev == lifeline->st_dev && st.st_ino == lifeline->st_ino && has_lock(pid, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Who has the locked open file and is not noted. */
static void kill_all_found(const struct stat *lifeline)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		_cleanup_(close) int pidfd = pid > 1 && pid != getpid() ? pidfd_open(pid, 0) : -1;

		if (pidfd >= 0 && has_lifeline(entry->d_name, lifeline))
			(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	}
	if (dir)
		closedir(dir);
}

static int wait_for_deaths(struct supervisor *supervisor, const struct stat *lifeline, struct text *why)
{
	uint64_t begun_ns = clock_now_ns(), waited_ns = 0;
	uint32_t n_killed = kill_all_noted(supervisor);

	while (flock(supervisor->lifeline_fds[0], LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_origin(-errno);
		if (waited_ns > PREDECESSORS_WAIT_NS) {
			text_add(
				why,
				"a worker of the last supervisor does not die of SIGKILL: stuck in the kernel (disk, network "
				"file system?); nothing is touched while it lives");
			return SUPERVISOR_E_NOT_NOW;
		}
		if (waited_ns > SEARCH_AFTER_NS)
			kill_all_found(lifeline);
		pause_a_little();
		waited_ns = clock_now_ns() - begun_ns;
	}
	if (n_killed)
		supervisor_log(supervisor, WEIR_LOG_NOTICE, "%u worker%s of the last supervisor still lived: killed",
			       n_killed, n_killed == 1 ? "" : "s");
	return 0;
}

static int reopen(int fd, int flags, int *ret_fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*ret_fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
	return *ret_fd < 0 ? error_origin(-errno) : 0;
}

int predecessors_end(struct supervisor *supervisor, struct text *why)
{
	_cleanup_(close) int kept_fd = estate_take_fd(supervisor->estate, ESTATE_LIFELINE, 0, 0);
	struct stat st;
	int r = be_the_only_one(supervisor, why);

	if (r != 0)
		return r;
	if (kept_fd < 0 || fstat(kept_fd, &st) || !S_ISFIFO(st.st_mode))
		return adopt_senseless(NULL, why);
	r = reopen(kept_fd, O_RDONLY, &supervisor->lifeline_fds[0]);
	if (r == 0)
		r = wait_for_deaths(supervisor, &st, why);
	/* A pipe has as many ends as it is opened for: ours is what the next workers' lives hang on. */
	if (r == 0)
		r = reopen(kept_fd, O_WRONLY, &supervisor->lifeline_fds[1]);
	return r;
}
