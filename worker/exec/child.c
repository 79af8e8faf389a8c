/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and ending a program.
 *
 *     worker                                    child
 *     block all signals
 *     fork ------------------------------------ own group; die with the parent; is the parent still there?
 *     register, own group (whoever comes first)  signals back to default, mask empty
 *     unblock                                    stdin, stdout, frames; everything above: close on exec
 *                                                surroundings: limits, user, folder; no privilege is left
 *     read the report pipe                       exec ... or write errno into the report pipe
 *       end of file: it runs
 *
 * The worker has threads (ZeroMQ's), so the child only makes async-signal-safe calls. The path is looked up before.
 * Signals stay blocked until the child is registered: the SIGTERM handler then knows of every child there is.
 *
 * The leader is waited for by pidfd and reaped last: as long as it is a zombie, its number and its group's can't be
 * anybody else's, so killing the group is safe.
 */
#include "worker/exec/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/log.h>

#include "common/base/error.h"
#include "common/base/privileges.h"
#include "worker/children.h"
#include "worker/patience.h"

#define TERM_PATIENCE_MS 200
#define KILL_PATIENCE_MS 2000

#define FREE_PLACE 10 /* descriptors of ours that a place of the child's may not fall on are moved here, or above */

struct spawn {
	const struct program *program;
	struct child_fds fds;
	int report_fd;
	pid_t parent;
};

/* What kept the program from running. */
struct report {
	int error;
	const char *
		what; /* of its surroundings; NULL: exec itself, or what leads to it. Same memory image in both processes */
};

static void spawn_report(const struct spawn *spawn, int error, const char *what)
{
	const struct report report = { error, what };
	ssize_t written = write(spawn->report_fd, &report, sizeof(report));

	(void)written;
	_exit(127);
}

static void spawn_reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The descriptor at its place, to stay open across exec. */
static void spawn_place(const struct spawn *spawn, int fd, int place)
{
	if (fd == place ? fcntl(fd, F_SETFD, 0) : dup2(fd, place) < 0)
		spawn_report(spawn, errno, NULL);
}

static void spawn_die_with_parent(const struct spawn *spawn)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		spawn_report(spawn, errno, NULL);
	if (getppid() != spawn->parent)
		_exit(127);
}

/* In the child. Only async-signal-safe calls. */
static void spawn_child(const struct spawn *spawn)
{
	const struct surroundings *surroundings = &spawn->program->surroundings;
	int in = spawn->fds.in, n_places = STDERR_FILENO + 1;
	const char *missed;

	setpgid(0, 0);
	spawn_die_with_parent(spawn);
	spawn_reset_signals();
	patience_leave();
	if (in < 0) {
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (in < 0)
			spawn_report(spawn, errno, NULL);
	}
	spawn_place(spawn, in, STDIN_FILENO);
	spawn_place(spawn, spawn->fds.out, STDOUT_FILENO);
	if (spawn->fds.frames_in >= 0) {
		spawn_place(spawn, spawn->fds.frames_in, CHILD_FRAMES_IN);
		spawn_place(spawn, spawn->fds.frames_out, CHILD_FRAMES_OUT);
		n_places = CHILD_FRAMES_OUT + 1;
	}
	if (syscall(SYS_close_range, n_places, ~0u, CLOSE_RANGE_CLOEXEC))
		spawn_report(spawn, errno, NULL);
	missed = surroundings_enter(surroundings);
	if (missed)
		spawn_report(spawn, errno, missed);
	missed = privileges_give_up(0) < 0 ? "privileges" : NULL; /* what the worker kept was for entering them */
	if (missed)
		spawn_report(spawn, errno, missed);
	spawn_die_with_parent(spawn); /* once more: to become another user undoes it */
	execve(spawn->program->path, (char *const *)(uintptr_t)spawn->program->argv, surroundings->environment);
	if (errno == ENOEXEC)
		execve("/bin/sh", spawn->program->script_argv, surroundings->environment);
	spawn_report(spawn, errno, NULL);
}

/* False: it runs; else what has kept it from running. */
static bool spawn_read_report(int fd, struct report *ret)
{
	ssize_t n;

	do
		n = read(fd, ret, sizeof(*ret));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*ret);
}

static void explain(const struct program *program, const struct report *report, struct text *why)
{
	text_printf(why, "program '%s' can't be started: ", program->path);
	if (report->what)
		text_printf(why, "its %s: %s; %s", report->what, strerror(report->error),
			    report->error == EPERM || report->error == EACCES ?
				    "weir itself may not do that, as the user that it runs as" :
				    "look at the value in the spec");
	else
		text_printf(why, "%s; %s", strerror(report->error),
			    report->error == ENOENT ? "is the interpreter in its first line there?" :
						      "try it from a shell");
}

static int spawn_fork(struct child *child, const struct spawn *spawn)
{
	sigset_t all, before;
	pid_t pid;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid < 0) {
		r = error_origin(-errno);
	} else if (pid == 0) {
		spawn_child(spawn);
	} else {
		setpgid(pid, pid); /* so that the group exists before anybody could want to kill it */
		child->pid = pid;
		if (!children_add(pid))
			r = error_origin(-EAGAIN);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* A copy above all places. Returns it or -errno. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, FREE_PLACE);

	return moved < 0 ? error_origin(-errno) : moved;
}

static int spawn_open_report(int *ret_read, int *ret_write)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC))
		return error_origin(-errno);
	*ret_read = pipe_fds[0];
	*ret_write = move_up(pipe_fds[1]);
	close(pipe_fds[1]);
	return *ret_write < 0 ? *ret_write : 0;
}

int child_spawn(struct child *child, const struct program *program, int stdin_fd, int stdout_fd, struct text *why)
{
	const struct child_fds fds = { stdin_fd, stdout_fd, -1, -1 };

	return child_spawn_with(child, program, &fds, why);
}

int child_spawn_with(struct child *child, const struct program *program, const struct child_fds *fds, struct text *why)
{
	_cleanup_(close) int report_read = -1, report_write = -1, frames_in = -1, frames_out = -1;
	struct spawn spawn = { .program = program, .fds = *fds, .parent = getpid() };
	struct report report;
	int r;

	*child = (struct child)CHILD_NULL;
	r = spawn_open_report(&report_read, &report_write);
	spawn.report_fd = report_write;
	if (r == 0 && fds->frames_in >= 0) {
		spawn.fds.frames_in = frames_in = move_up(fds->frames_in);
		spawn.fds.frames_out = frames_out = move_up(fds->frames_out);
		r = frames_in < 0 ? frames_in : frames_out < 0 ? frames_out : 0;
	}
	if (r == 0)
		r = spawn_fork(child, &spawn);
	report_write = fd_close(report_write);
	if (!r) {
		child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
		if (child->pidfd < 0)
			r = error_origin(-errno);
	}
	if (r) {
		child_kill(child);
		return r;
	}
	if (!spawn_read_report(report_read, &report))
		return 0;
	child_kill(child);
	explain(program, &report, why);
	return CHILD_E_BAD;
}

static bool child_wait_ms(const struct child *child, int timeout_ms)
{
	struct pollfd fd = { .fd = child->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	if (child->pidfd < 0)
		return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT | (timeout_ms ? 0 : WNOHANG)) == 0 &&
		       info.si_pid;
	return poll(&fd, 1, timeout_ms) > 0;
}

bool child_has_ended(const struct child *child)
{
	return child_wait_ms(child, 0);
}

static void child_reap(struct child *child, struct program_end *ret_end)
{
	siginfo_t info = { 0 };
	size_t n_left;

	kill(-child->pid, SIGKILL);
	children_remove(child->pid);
	waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG);
	n_left = children_sweep();
	if (n_left)
		weir_log(WEIR_LOG_WARNING,
			 "%zu processes that a program left behind could not be killed; they may hang in the kernel",
			 n_left);
	child->pidfd = fd_close(child->pidfd);
	child->pid = 0;
	ret_end->signaled = info.si_code != CLD_EXITED;
	ret_end->code = info.si_status;
}

void child_finish(struct child *child, struct program_end *ret_end)
{
	*ret_end = (struct program_end){ 0 };
	if (child_runs(child))
		child_reap(child, ret_end);
}

void child_kill(struct child *child)
{
	struct program_end end;

	if (!child_runs(child))
		return;
	kill(-child->pid, SIGKILL);
	child_wait_ms(child, KILL_PATIENCE_MS);
	child_reap(child, &end);
}

void child_stop(struct child *child)
{
	if (!child_runs(child))
		return;
	kill(-child->pid, SIGTERM);
	kill(-child->pid, SIGCONT);
	child_wait_ms(child, TERM_PATIENCE_MS);
	child_kill(child);
}
