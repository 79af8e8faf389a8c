/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and ending a program.
 *
 *     worker                                    child
 *     block all signals
 *     fork ------------------------------------ own group; die with the parent; is the parent still there?
 *     register, own group (whoever comes first)  signals back to default, mask empty
 *     unblock                                    stdin, stdout; everything above stderr: close on exec
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
#include "worker/children.h"
#include "worker/patience.h"

#define TERM_PATIENCE_MS 200
#define KILL_PATIENCE_MS 2000

struct spawn {
	const struct program *program;
	int stdin_fd, stdout_fd, report_fd;
	pid_t parent;
};

static void spawn_report(const struct spawn *spawn, int error)
{
	ssize_t written = write(spawn->report_fd, &error, sizeof(error));

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
		spawn_report(spawn, errno);
}

/* In the child. Only async-signal-safe calls. */
static void spawn_child(const struct spawn *spawn)
{
	int in = spawn->stdin_fd;

	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		spawn_report(spawn, errno);
	if (getppid() != spawn->parent)
		_exit(127);
	spawn_reset_signals();
	patience_leave();
	if (in < 0) {
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (in < 0)
			spawn_report(spawn, errno);
	}
	spawn_place(spawn, in, STDIN_FILENO);
	spawn_place(spawn, spawn->stdout_fd, STDOUT_FILENO);
	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC))
		spawn_report(spawn, errno);
	execv(spawn->program->path, (char *const *)(uintptr_t)spawn->program->argv);
	if (errno == ENOEXEC)
		execv("/bin/sh", spawn->program->script_argv);
	spawn_report(spawn, errno);
}

/* 0: it runs; else the errno that kept it from running. */
static int spawn_read_report(int fd)
{
	int error = 0;
	ssize_t n;

	do
		n = read(fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? error : 0;
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

int child_spawn(struct child *child, const struct program *program, int stdin_fd, int stdout_fd, struct text *why)
{
	_cleanup_(close) int report_read = -1, report_write = -1;
	struct spawn spawn = { .program = program, .stdin_fd = stdin_fd, .stdout_fd = stdout_fd, .parent = getpid() };
	int pipe_fds[2], r, error;

	*child = (struct child)CHILD_NULL;
	if (pipe2(pipe_fds, O_CLOEXEC))
		return error_origin(-errno);
	report_read = pipe_fds[0];
	spawn.report_fd = report_write = pipe_fds[1];
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
	error = spawn_read_report(report_read);
	if (!error)
		return 0;
	child_kill(child);
	text_printf(why, "program '%s' can't be started: %s; %s", program->path, strerror(error),
		    error == ENOENT ? "is the interpreter in its first line there?" : "try it from a shell");
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
