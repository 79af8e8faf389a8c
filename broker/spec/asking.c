/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-worker, asked about one thing in a child: what a plugin is, or what a stage says of its options. Both run code that the broker
 * must never load (a plugin's, libjq's, Lua's), so the child is given fifteen seconds, and its answer is trusted in nothing. It sits in a
 * process group of its own, which is killed whole.
 */
#include "broker/spec/asking.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/spec/memory.h"
#include "broker/spec/spec.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define ANSWER_WAIT_NS (15 * NS_PER_S) /* on a machine that is overrun, loading one takes seconds */
#define COMPLAINT_SIZE_MAX 4096u
#define SLICE_MS 100 /* so often is looked whether somebody still wants to know */

extern char **environ;

char *asking_worker_path(void)
{
	const char *given = getenv("WEIR_WORKER");
	char *self, *slash;
	struct text path = TEXT_NULL;

	if (given && *given)
		return spec_strdup(given);
	self = realpath("/proc/self/exe", NULL);
	slash = self ? strrchr(self, '/') : NULL;
	text_printf(&path, "%.*s/weir-worker", slash ? (int)(slash - self) : 1, slash ? self : ".");
	free(self);
	return text_steal(&path);
}

static int spawn(const char *worker, char *const *argv, int input_fd, int output_fd, int complaint_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return error_origin(-ENOMEM);
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return error_origin(-ENOMEM);
	}
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	r = input_fd < 0 ? posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) :
			   posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, complaint_fd, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn(ret_pid, worker, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static atomic_bool given_up;

void spec_load_give_up(void)
{
	atomic_store_explicit(&given_up, true, memory_order_relaxed);
}

/* Takes what is there. Returns false at the end of the stream. */
static bool take(int fd, struct text *text)
{
	char buffer[4096];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	text_add_bytes(text, buffer, (size_t)n);
	return n > 0;
}

/* Reads both pipes until they are closed, the time is up, or it says too much. */
static void listen_to(int output_fd, int complaint_fd, uint64_t deadline_ns, struct answer *answer)
{
	struct pollfd fds[2] = { { .fd = output_fd, .events = POLLIN }, { .fd = complaint_fd, .events = POLLIN } };

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		uint64_t now_ns = clock_now_ns();

		if (now_ns >= deadline_ns || atomic_load_explicit(&given_up, memory_order_relaxed)) {
			answer->given_up = ASKING_TOO_LATE;
			return;
		}
		if (poll(fds, 2, deadline_poll_ms(deadline_ns, now_ns, SLICE_MS)) <= 0)
			continue;
		if (fds[0].revents && !take(fds[0].fd, &answer->output))
			fds[0].fd = -1;
		if (fds[1].revents && !take(fds[1].fd, &answer->complaint))
			fds[1].fd = -1;
		if (answer->output.length > ASKING_OUTPUT_SIZE_MAX || answer->complaint.length > COMPLAINT_SIZE_MAX) {
			answer->given_up = ASKING_TOO_LONG;
			return;
		}
	}
}

/* The pipes are closed, but the child may go on: it gets what is left of its time. */
static void reap(pid_t pid, uint64_t deadline_ns, struct answer *answer)
{
	struct timespec pause = { 0, 2 * (long)NS_PER_MS };

	while (!answer->given_up && waitpid(pid, &answer->status, WNOHANG) == 0) {
		if (clock_now_ns() >= deadline_ns || atomic_load_explicit(&given_up, memory_order_relaxed))
			answer->given_up = ASKING_TOO_LATE;
		else
			nanosleep(&pause, NULL);
	}
	kill(-pid, SIGKILL); /* and whatever it started */
	if (answer->given_up)
		while (waitpid(pid, &answer->status, 0) < 0 && errno == EINTR)
			;
}

int asking(const char *worker, char *const *argv, int input_fd, struct answer *answer)
{
	uint64_t deadline_ns = clock_now_ns() + ANSWER_WAIT_NS;
	int output[2], complaint[2], r;
	pid_t pid;

	if (pipe2(output, O_CLOEXEC) != 0)
		return error_origin(-errno);
	if (pipe2(complaint, O_CLOEXEC) != 0) {
		r = error_origin(-errno);
		close(output[0]);
		close(output[1]);
		return r;
	}
	r = spawn(worker, argv, input_fd, output[1], complaint[1], &pid);
	close(output[1]);
	close(complaint[1]);
	if (r == 0) {
		listen_to(output[0], complaint[0], deadline_ns, answer);
		reap(pid, deadline_ns, answer);
	}
	close(output[0]);
	close(complaint[0]);
	return r;
}

void answer_deinit(struct answer *answer)
{
	text_deinit(&answer->output);
	text_deinit(&answer->complaint);
}
