/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/tap_sieve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/spec/asking.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define READY_WAIT_NS (15 * NS_PER_S) /* on a machine that is overrun, loading libjq takes seconds */
#define ANSWER_WAIT_NS (5 * NS_PER_S)

extern char **environ;

struct tap_sieve {
	pid_t pid;
	int to_fd, from_fd, complaint_fd;
};

/* ---- bytes, with a bound on the time ---- */

/* Returns 0, -ETIMEDOUT, -errno. */
static int wait_for(int fd, short event, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = event };
		uint64_t now_ns = clock_now_ns();
		int n;

		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		n = poll(&wait, 1, deadline_poll_ms(deadline_ns, now_ns, 1000));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_origin(-errno);
	}
}

static int give(int fd, const void *bytes, size_t size_bytes, uint64_t deadline_ns)
{
	const char *at = bytes;

	while (size_bytes) {
		ssize_t n = write(fd, at, size_bytes);
		int r;

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			size_bytes -= (size_t)n;
			continue;
		}
		r = wait_for(fd, POLLOUT, deadline_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -EPIPE: it ends before that. */
static int take(int fd, void *bytes, size_t size_bytes, uint64_t deadline_ns)
{
	char *at = bytes;

	while (size_bytes) {
		ssize_t n = read(fd, at, size_bytes);
		int r;

		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			size_bytes -= (size_t)n;
			continue;
		}
		r = wait_for(fd, POLLIN, deadline_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the child ---- */

static int add_actions(posix_spawn_file_actions_t *actions, const int *input, const int *output, const int *complaint)
{
	int r = posix_spawn_file_actions_adddup2(actions, input[0], STDIN_FILENO);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, output[1], STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, complaint[1], STDERR_FILENO);
	return r;
}

static int spawn(const char *expression, const int *input, const int *output, const int *complaint, pid_t *ret_pid)
{
	_cleanup_(free) char *worker = asking_worker_path(), *copy = strdup(expression);
	char sieve[] = "--sieve", *argv[] = { worker, sieve, copy, NULL };
	posix_spawn_file_actions_t actions;
	int r;

	if (!copy || posix_spawn_file_actions_init(&actions) != 0)
		return error_origin(-ENOMEM);
	r = add_actions(&actions, input, output, complaint);
	if (r == 0)
		r = posix_spawn(ret_pid, worker, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static void close_pair(int *pair)
{
	pair[0] = fd_close(pair[0]);
	pair[1] = fd_close(pair[1]);
}

static int start(struct tap_sieve *sieve, const char *expression)
{
	int input[2] = { -1, -1 }, output[2] = { -1, -1 }, complaint[2] = { -1, -1 }, r = 0;

	if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC) || pipe2(complaint, O_CLOEXEC))
		r = error_origin(-errno);
	if (r == 0)
		r = spawn(expression, input, output, complaint, &sieve->pid);
	if (r == 0) {
		sieve->to_fd = steal_fd(&input[1]);
		sieve->from_fd = steal_fd(&output[0]);
		sieve->complaint_fd = steal_fd(&complaint[0]);
		fcntl(sieve->to_fd, F_SETFL, O_NONBLOCK);
		fcntl(sieve->from_fd, F_SETFL, O_NONBLOCK);
		fcntl(sieve->complaint_fd, F_SETFL, O_NONBLOCK);
	}
	close_pair(input);
	close_pair(output);
	close_pair(complaint);
	return r;
}

/* What it has said on its standard error, up to a line. */
static bool hear_complaint(struct tap_sieve *sieve, struct text *why)
{
	char line[512];
	ssize_t n = wait_for(sieve->complaint_fd, POLLIN, clock_now_ns() + NS_PER_S) == 0 ?
			    read(sieve->complaint_fd, line, sizeof(line)) :
			    0;

	for (ssize_t i = 0; i < n && line[i] != '\n'; i++)
		text_add_char(why, line[i] >= ' ' && line[i] != 0x7f ? line[i] : '?');
	return n > 0;
}

int tap_sieve_new(const char *expression, struct tap_sieve **ret_sieve, struct text *why)
{
	struct tap_sieve *sieve = malloc(sizeof(*sieve));
	char ready = 0;
	int r;

	if (!sieve)
		return error_origin(-ENOMEM);
	*sieve = (struct tap_sieve){ .to_fd = -1, .from_fd = -1, .complaint_fd = -1 };
	r = start(sieve, expression);
	if (r < 0)
		text_printf(why, "weir-worker can not be started: %s", strerror(-r));
	if (r == 0)
		r = take(sieve->from_fd, &ready, 1, clock_now_ns() + READY_WAIT_NS);
	if (r == -EPIPE && hear_complaint(sieve, why))
		r = TAP_SIEVE_E_BAD;
	else if (r == 0 && ready != SIEVE_READY)
		r = error_origin(-EPROTO);
	if (r == 0) {
		/* What its `debug` says is for nobody, and must not fill a pipe that it then waits at: SIGPIPE is ignored there. */
		sieve->complaint_fd = fd_close(sieve->complaint_fd);
		*ret_sieve = sieve;
		return 0;
	}
	if (!why->length)
		text_printf(why, "weir-worker does not answer: %s", strerror(-r));
	tap_sieve_free(sieve);
	return r;
}

struct tap_sieve *tap_sieve_free(struct tap_sieve *sieve)
{
	if (!sieve)
		return NULL;
	fd_close(sieve->to_fd);
	fd_close(sieve->from_fd);
	fd_close(sieve->complaint_fd);
	if (sieve->pid > 0) {
		kill(sieve->pid, SIGKILL); /* it keeps nothing */
		while (waitpid(sieve->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(sieve);
	return NULL;
}

int tap_sieve_ask(struct tap_sieve *sieve, bool structured, const void *bytes, size_t size_bytes, struct text *reason)
{
	const struct sieve_question question = { .size_bytes = (uint32_t)size_bytes, .structured = structured };
	uint64_t deadline_ns = clock_now_ns() + ANSWER_WAIT_NS;
	char words[SIEVE_REASON_MAX];
	struct sieve_answer answer;
	int r = give(sieve->to_fd, &question, sizeof(question), deadline_ns);

	if (r == 0)
		r = give(sieve->to_fd, bytes, size_bytes, deadline_ns);
	if (r == 0)
		r = take(sieve->from_fd, &answer, sizeof(answer), deadline_ns);
	if (r == 0 && (answer.verdict > SIEVE_FAILED || answer.reason_bytes > sizeof(words)))
		r = error_origin(-EPROTO);
	if (r == 0)
		r = take(sieve->from_fd, words, answer.reason_bytes, deadline_ns);
	if (r < 0)
		return r;
	text_clear(reason);
	text_add_bytes(reason, words, answer.reason_bytes);
	return (int)answer.verdict;
}
