/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of its own does it and undoes it, because a process that is killed undoes nothing:
 *
 *      weir chaos                          guard
 *      fork  ----------------------------> SIGSTOP (or the limit); "done" -->
 *      sleeps, acts elsewhere              waits: for its time, or for the end of the socket
 *      ends the socket, or is killed  ---> SIGCONT (or the limit that was); ends
 *
 * The socket's end is told by the kernel when the last descriptor of weir chaos's side is closed, whatever closes it. The guard blocks what
 * a terminal sends; only SIGKILL for itself leaves a worker as it is. All that it sends goes through a pidfd.
 *
 * Refusing: the soft RLIMIT_NOFILE of the worker is lowered to its lowest free descriptor, so the next open(), socket(), accept() or
 * pipe() gets EMFILE, as on a machine that is short of them. What is open stays open. It needs the same user, not root.
 * The supervisor is spared: libzmq ends a process that can't accept.
 */
#include "broker/cli/chaos_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"

enum { STOPPED_MS = 9, GOING_MS = 1 }; /* of a delayed worker's time */

/* ---- the guard ---- */

/* Waits for so long, at most until `until_ns`. Returns false if it is to end. */
static bool stay(int fd, uint64_t for_ns, uint64_t until_ns)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint64_t now_ns = clock_now_ns(), end_ns = deadline_earlier(now_ns + for_ns, until_ns);

	return poll(&pollfd, 1, deadline_poll_ms(end_ns, now_ns, INT32_MAX)) == 0 && clock_now_ns() < until_ns;
}

/* The first descriptor that the process does not have. */
static rlim_t lowest_free(pid_t pid)
{
	char path[64];
	rlim_t fd = 0;

	do
		snprintf(path, sizeof(path), "/proc/%d/fd/%llu", (int)pid, (unsigned long long)fd++);
	while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	return fd - 1;
}

static int set_limit(const struct chaos_victim *victim, const struct rlimit *limit, struct rlimit *ret_before)
{
	if (chaos_victim_signal(victim, 0) != 0)
		return 1;
	return prlimit(victim->pid, RLIMIT_NOFILE, limit, ret_before) == 0 ? 0 : errno == ESRCH ? 1 : -errno;
}

static int begin(enum chaos_act act, const struct chaos_victim *victim, struct rlimit *ret_before)
{
	struct rlimit none;
	int r;

	if (act != CHAOS_REFUSE)
		return chaos_victim_signal(victim, SIGSTOP);
	r = set_limit(victim, NULL, ret_before);
	none = *ret_before;
	none.rlim_cur = lowest_free(victim->pid);
	if (r == 0 && !none.rlim_cur)
		r = chaos_victim_signal(victim, 0) ?
			    1 :
			    -EACCES; /* it hides them: with no limit at all not even poll() works */
	return r ? r : none.rlim_cur < ret_before->rlim_cur ? set_limit(victim, &none, NULL) : 0;
}

/* The full disk, and the sockets of other guards, are not its own to hold. */
static void close_all_but(unsigned a, unsigned b)
{
	unsigned low = a < b ? a : b, high = a < b ? b : a;

	close_range(STDERR_FILENO + 1, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

/* The whole life of the guard. */
static int guard_main(int fd, enum chaos_act act, const struct chaos_victim *victim, uint64_t until_ns)
{
	struct rlimit before;
	int32_t done = begin(act, victim, &before);

	if (write(fd, &done, sizeof(done)) == sizeof(done) && done == 0) {
		if (act == CHAOS_DELAY)
			while (stay(fd, STOPPED_MS * NS_PER_MS, until_ns) &&
			       chaos_victim_signal(victim, SIGCONT) == 0 && stay(fd, GOING_MS * NS_PER_MS, until_ns))
				(void)chaos_victim_signal(victim, SIGSTOP);
		else
			(void)stay(fd, until_ns - clock_now_ns(), until_ns);
	}
	if (done == 0 && act == CHAOS_REFUSE)
		(void)set_limit(victim, &before, NULL);
	else if (done == 0)
		(void)chaos_victim_signal(victim, SIGCONT);
	return 0;
}

/* ---- who has it ---- */

int chaos_guard_begin(struct chaos_guard *guard, enum chaos_act act, const struct chaos_victim *victim,
		      uint64_t hold_ns)
{
	int fds[2];
	int32_t done = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return error_origin(-errno);
	guard->pid = fork();
	if (guard->pid == 0) {
		close_all_but((unsigned)fds[1], (unsigned)victim->pidfd);
		signal(SIGPIPE, SIG_IGN);
		_exit(guard_main(fds[1], act, victim, clock_now_ns() + hold_ns));
	}
	close(fds[1]);
	guard->fd = fds[0];
	if (guard->pid < 0)
		done = -errno;
	else if (read(guard->fd, &done, sizeof(done)) != sizeof(done))
		done = 1;
	if (done)
		chaos_guard_end(guard);
	return done;
}

void chaos_guard_end(struct chaos_guard *guard)
{
	(void)shutdown(guard->fd, SHUT_RDWR);
	guard->fd = fd_close(guard->fd);
	while (guard->pid > 0 && waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	guard->pid = 0;
}
