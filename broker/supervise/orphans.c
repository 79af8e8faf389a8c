/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process whose parent dies is handed to the nearest subreaper above it. Workers are subreapers themselves, so as long as
 * one lives, what its programs leave behind is its own business; with its death all of it comes here:
 *
 *      supervisor              supervisor                         supervisor
 *       +- worker               +- (worker, dead)                  +- next worker
 *       |   +- sh       ==>     +- sh          ==> kill, reap ==>
 *       |       +- sleep        +- sleep  (handed on when sh dies: hence the rounds)
 *
 * A killed child stays our zombie until it is reaped, so its number can't be taken by another process in between.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/supervise/orphans.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define ORPHANS_ROUNDS_MAX 1000u
#define ORPHANS_POLL_CAP_MS 1000

static atomic_int spared_thread;

void orphans_spare(pid_t thread)
{
	atomic_store_explicit(&spared_thread, thread, memory_order_release);
}

/* No child at all, as the kernel says: the usual case at the end, and the only proof. */
static bool orphans_childless(void)
{
	siginfo_t info = { 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

/* Waits for the killed child until the deadline and reaps it. */
static bool orphan_reap(pid_t pid, uint64_t deadline_ns)
{
	_cleanup_(close) int pidfd = pidfd_open(pid, 0);
	siginfo_t info = { 0 };

	if (pidfd >= 0) {
		struct pollfd wait = { .fd = pidfd, .events = POLLIN };

		poll(&wait, 1, deadline_poll_ms(deadline_ns, clock_now_ns(), ORPHANS_POLL_CAP_MS));
	}
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == pid;
}

/* To be asked when a child of it has been seen: it says so before it has any. */
static bool is_spared(const char *thread)
{
	return atoi(thread) == atomic_load_explicit(&spared_thread, memory_order_acquire);
}

/* Kills all unknown children of one of our threads. */
static int orphans_of_thread(const char *thread, orphans_known_fn *is_known, void *data, uint64_t deadline_ns,
			     struct orphans_report *report)
{
	_cleanup_(fclose) FILE *file = NULL;
	char path[64];
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/children", thread);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT && atoi(thread) != getpid() ? 0 : error_origin(-errno); /* ended just now */
	while (fscanf(file, "%d", &pid) == 1) {
		if (is_known(data, pid) || is_spared(thread))
			continue;
		kill(pid, SIGKILL);
		if (orphan_reap(pid, deadline_ns))
			report->reaped++;
		else
			report->left++;
	}
	return 0;
}

static int orphans_round(orphans_known_fn *is_known, void *data, uint64_t deadline_ns, struct orphans_report *report)
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *thread;
	int r = 0;

	if (!threads)
		return error_origin(-errno);
	while (r == 0 && (thread = readdir(threads)))
		if (thread->d_name[0] != '.')
			r = orphans_of_thread(thread->d_name, is_known, data, deadline_ns, report);
	closedir(threads);
	return r;
}

int orphans_sweep(orphans_known_fn *is_known, void *data, uint64_t deadline_ns, struct orphans_report *ret_report)
{
	struct orphans_report report = { 0 };

	for (unsigned round = 0; round < ORPHANS_ROUNDS_MAX && !orphans_childless(); round++) {
		uint32_t reaped_before = report.reaped;
		int r;

		report.left = 0;
		r = orphans_round(is_known, data, deadline_ns, &report);
		if (r < 0)
			return error_trace(r);
		if (report.reaped == reaped_before)
			break; /* nobody unknown, or only such as do not die now */
	}
	*ret_report = report;
	return 0;
}
