/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin is foreign code: loading it runs its constructors. So it is loaded in a child, which is given fifteen seconds, and whose
 * answer is trusted in nothing (common/stage/describe.c). The child sits in a process group of its own, which is killed whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/spec/keys.h"
#include "broker/spec/memory.h"
#include "broker/spec/probe.h"
#include "common/base/clock.h"
#include "common/base/error.h"

#define ANSWER_WAIT_NS (15 * NS_PER_S) /* on a machine that is overrun, loading one takes seconds */
#define COMPLAINT_SIZE_MAX 4096u
#define TOO_LATE "did not say what it is within 15 s"
#define TOO_LONG "says more of itself than anybody needs"

extern char **environ;

/* What the child has said, and how it ended. */
struct answer {
	struct text output, complaint;
	int status;           /* of waitpid() */
	const char *given_up; /* why it was not heard to its end; NULL: it was */
};

static char *worker_path(void)
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

static int spawn(const char *worker, const char *plugin, int output_fd, int complaint_fd, pid_t *ret_pid)
{
	char *argv[] = { (char *)"weir-worker", (char *)"--describe", (char *)plugin, NULL };
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
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
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

		if (now_ns >= deadline_ns) {
			answer->given_up = TOO_LATE;
			return;
		}
		if (poll(fds, 2, deadline_poll_ms(deadline_ns, now_ns, 1000)) <= 0)
			continue;
		if (fds[0].revents && !take(fds[0].fd, &answer->output))
			fds[0].fd = -1;
		if (fds[1].revents && !take(fds[1].fd, &answer->complaint))
			fds[1].fd = -1;
		if (answer->output.length > STAGE_DESCRIPTION_SIZE_MAX ||
		    answer->complaint.length > COMPLAINT_SIZE_MAX) {
			answer->given_up = TOO_LONG;
			return;
		}
	}
}

/* The pipes are closed, but the child may go on: it gets what is left of its time. */
static void reap(pid_t pid, uint64_t deadline_ns, struct answer *answer)
{
	struct timespec pause = { 0, 2 * (long)NS_PER_MS };

	while (!answer->given_up && waitpid(pid, &answer->status, WNOHANG) == 0) {
		if (clock_now_ns() >= deadline_ns)
			answer->given_up = TOO_LATE;
		else
			nanosleep(&pause, NULL);
	}
	kill(-pid, SIGKILL); /* and whatever it started */
	if (answer->given_up)
		while (waitpid(pid, &answer->status, 0) < 0 && errno == EINTR)
			;
}

static int ask(const char *worker, const char *plugin, struct answer *answer)
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
	r = spawn(worker, plugin, output[1], complaint[1], &pid);
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

static void explain(const char *path, const struct answer *answer, struct text *why)
{
	const char *said = text_get(&answer->complaint);
	int length = (int)strcspn(said, "\n");

	if (answer->given_up)
		text_printf(why, "plugin '%s' %s", path, answer->given_up);
	else if (WIFSIGNALED(answer->status))
		text_printf(why, "plugin '%s' crashed when it was loaded (%s)", path,
			    strsignal(WTERMSIG(answer->status)));
	else if (WEXITSTATUS(answer->status) == 0)
		text_printf(why, "plugin '%s' describes itself in a way that makes no sense", path);
	else if (length) /* it begins with the plugin's path */
		text_printf(why, "%.*s", length, said);
	else
		text_printf(why, "plugin '%s' can't be used, and weir-worker does not say why", path);
}

/* A kind's option that has the name of a key of weir's own could never be set. */
static bool options_are_free(const struct weir_stage *stage, const char *path, struct text *why)
{
	for (size_t i = 0; i < stage->n_options; i++)
		if (key_find(&keys_stage, stage->options[i].name) >= 0) {
			text_printf(why, "plugin '%s' has an option '%s', which is a key of every stage", path,
				    stage->options[i].name);
			return false;
		}
	return true;
}

static int take_answer(const char *path, const struct answer *answer, struct stage_description **ret_description,
		       struct text *why)
{
	bool ended_well = !answer->given_up && WIFEXITED(answer->status) && WEXITSTATUS(answer->status) == 0;
	struct stage_description *description;

	if (!ended_well ||
	    stage_description_read(text_get(&answer->output), answer->output.length, &description) != 0) {
		explain(path, answer, why);
		return PROBE_E_UNUSABLE;
	}
	if (!options_are_free(&description->stage, path, why)) {
		stage_description_free(description);
		return PROBE_E_UNUSABLE;
	}
	*ret_description = description;
	return 0;
}

int probe_describe(const char *path, struct stage_description **ret_description, struct text *why)
{
	struct answer answer = { TEXT_NULL, TEXT_NULL, 0, NULL };
	_cleanup_(free) char *worker = NULL, *absolute = realpath(path, NULL);
	struct stat status;
	int r;

	if (!absolute || stat(absolute, &status) != 0 || !S_ISREG(status.st_mode)) {
		text_printf(why, "plugin '%s' can't be read: %s", path, absolute ? "it is no file" : strerror(errno));
		return PROBE_E_UNUSABLE;
	}
	worker = worker_path();
	r = ask(worker, absolute, &answer);
	if (r < 0)
		text_printf(why,
			    "plugin '%s' can't be asked what it is: %s: %s (WEIR_WORKER names another weir-worker)",
			    path, worker, strerror(-r));
	else
		r = take_answer(path, &answer, ret_description, why);
	text_deinit(&answer.output);
	text_deinit(&answer.complaint);
	return r;
}
