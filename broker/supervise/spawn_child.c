/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From fork to exec. The file descriptors are put into place in two steps, because a number that is wanted may still be
 * the source of another:
 *
 *      sources    [0] 17   [1] 4   [2] 12   [3] 1          (any numbers, in any order)
 *      step 1     every source below n_fds is moved to n_fds or above, close-on-exec
 *      step 2     dup2(source[i], i): now no target is a source, and dup2 clears close-on-exec
 *      step 3     whatever stands at n_fds and above is close-on-exec, whoever opened it
 *
 * Privileges go last: a descriptor limit may have to be raised before. The death signal is one of those things that an exec which gains
 * something would undo; nothing is gained any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "broker/supervise/spawn_child.h"
#include "common/base/privileges.h"

#define SPAWN_EXIT_FAILED 127
#define SPAWN_EXIT_ORPHANED 143

noreturn static void spawn_fail(const struct spawn_order *order, enum spawn_step step, int error)
{
	int failure = spawn_failure(step, error);
	ssize_t written = write(order->status_fd, &failure, sizeof(failure));

	_exit(written < 0 ? SPAWN_EXIT_FAILED + 1 : SPAWN_EXIT_FAILED);
}

/* The supervisor's blocks, handlers and ignored signals are its own affair. */
static void spawn_reset_signals(const struct spawn_order *order)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action,
			  NULL); /* fails for SIGKILL, SIGSTOP and libc's own: they can't be changed anyway */
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	/*
	 * When the supervisor dies, the kernel sends SIGHUP and SIGCONT to a worker that is stopped: its group has become an orphan. The
	 * SIGCONT lets it see its death signal, SIGTERM; the SIGHUP would end it first, and its programs would stay.
	 */
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGQUIT, &action, NULL); /* until it can say where it stands, being asked is no reason to die */
	if (!order->own_group)             /* what the terminal sends is meant for the supervisor */
		sigaction(SIGINT, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int spawn_place_fds(struct spawn_order *order)
{
	for (uint32_t i = 0; i < order->n_fds; i++) {
		if (order->fds[i] == SPAWN_KEEP || order->fds[i] >= (int)order->n_fds)
			continue;
		order->fds[i] = fcntl(order->fds[i], F_DUPFD_CLOEXEC, (int)order->n_fds);
		if (order->fds[i] < 0)
			return -errno;
	}
	for (uint32_t i = 0; i < order->n_fds; i++) {
		if (order->fds[i] == SPAWN_KEEP)
			fcntl((int)i, F_SETFD, 0);
		else if (dup2(order->fds[i], (int)i) < 0)
			return -errno;
	}
	close_range(order->n_fds, ~0U, CLOSE_RANGE_CLOEXEC); /* belt and braces: ours are all close-on-exec */
	return 0;
}

/* A core file would hold the items. The hard limit stays: a program that is to have one can be given it. */
static void spawn_deny_core(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &limit);
	}
}

const char *spawn_step_failed(enum spawn_step step)
{
	static const char *const words[] = {
		[SPAWN_EXEC] = "could not be executed",
		[SPAWN_GROUP] = "could not enter its control group",
		[SPAWN_CPUS] = "could not be given its processors (resources: cpus)",
		[SPAWN_NICE] = "could not be given its priority (resources: nice)",
		[SPAWN_MEMORY] = "could not be limited (resources: memory)",
	};

	return words[step <= SPAWN_MEMORY ? step : SPAWN_EXEC];
}

/* Before the privileges go: some of it takes one. The group first: what comes then is charged to it. */
static void spawn_limit(const struct spawn_order *order)
{
	const struct rlimit data = { order->data_bytes, order->data_bytes };

	if (order->group_fd >= 0 && write(order->group_fd, "0", 1) != 1)
		spawn_fail(order, SPAWN_GROUP, errno);
	if (order->has_processors && sched_setaffinity(0, sizeof(order->processors), &order->processors))
		spawn_fail(order, SPAWN_CPUS, errno);
	if (order->has_nice && setpriority(PRIO_PROCESS, 0, order->nice))
		spawn_fail(order, SPAWN_NICE, errno);
	if (order->data_bytes && setrlimit(RLIMIT_DATA, &data))
		spawn_fail(order, SPAWN_MEMORY, errno);
}

/*
 * The program that was there when we began: another version, put into its place meanwhile, may not understand us. A script can't be
 * executed by a descriptor that closes on exec (ENOENT).
 */
static void spawn_execute(const struct spawn_order *order)
{
	if (order->program_fd >= 0) {
		execveat(order->program_fd, "", order->arguments, environ, AT_EMPTY_PATH);
		if (errno != ENOENT)
			return;
	}
	execv(order->path, order->arguments);
}

noreturn void spawn_child(struct spawn_order *order)
{
	int r;

	if (order->status_fd < (int)order->n_fds)
		order->status_fd = fcntl(order->status_fd, F_DUPFD_CLOEXEC, (int)order->n_fds);
	if (order->group_fd >= 0 && order->group_fd < (int)order->n_fds)
		order->group_fd = fcntl(order->group_fd, F_DUPFD_CLOEXEC, (int)order->n_fds);
	if (order->program_fd >= 0 && order->program_fd < (int)order->n_fds)
		order->program_fd = fcntl(order->program_fd, F_DUPFD_CLOEXEC, (int)order->n_fds);
	if (order->own_group)
		setpgid(0, 0);
	/* The death signal is sent only if the parent dies after this call: hence the second look. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		spawn_fail(order, SPAWN_EXEC, errno);
	if (getppid() != order->supervisor_pid)
		_exit(SPAWN_EXIT_ORPHANED);
	r = spawn_place_fds(order);
	if (r < 0)
		spawn_fail(order, SPAWN_EXEC, -r);
	setrlimit(RLIMIT_NOFILE, &order->files);
	spawn_deny_core();
	spawn_reset_signals(order);
	spawn_limit(order);
	r = privileges_give_up(order->capabilities);
	if (r < 0)
		spawn_fail(order, SPAWN_EXEC, -r);
	spawn_execute(order);
	spawn_fail(order, SPAWN_EXEC, errno);
}
