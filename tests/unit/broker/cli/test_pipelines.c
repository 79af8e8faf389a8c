/* SPDX-License-Identifier: Apache-2.0 */
/* A pipeline that is there and says nothing: a process that holds the lock of the run folder, and serves no socket. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/pipelines.h"
#include "broker/control/client.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/clock.h"

static char base[] = "/tmp/weir-test-pipelines-XXXXXX";

static int make_base(void **state)
{
	(void)state;
	return mkdtemp(base) && setenv("WEIR_RUN_DIR", base, 1) == 0 ? 0 : -1;
}

/* Ends after end_ms; 0: when it is told to. */
static pid_t start_mute(int end_ms)
{
	_cleanup_(free) char *path = run_dir_path("mute");
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct run_dir dir = RUN_DIR_NULL;
		struct text why = TEXT_NULL;
		pid_t other;

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever becomes of the test */
		_exit(run_dir_open(&dir, "mute", &other, &why) != 0 || poll(NULL, 0, end_ms ? end_ms : -1) != 0);
	}
	while (run_dir_pid(path) != pid)
		poll(NULL, 0, 1);
	return pid;
}

static void end_mute(pid_t pid)
{
	struct run_dir dir = RUN_DIR_NULL;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	pid_t other;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(run_dir_open(&dir, "mute", &other, &why), 0);
	run_dir_close(&dir);
}

/* What pipeline_ask() returns; what it says on stderr goes to said. */
static int ask(const char *verb, char *said, size_t size)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int fds[2], saved = dup(STDERR_FILENO), r;
	ssize_t n;

	assert_true(saved >= 0 && pipe(fds) == 0 && dup2(fds[1], STDERR_FILENO) >= 0);
	close(fds[1]);
	r = pipeline_ask("mute", verb, NULL, 0, &body);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(fds[0], said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	return r;
}

static void test_is_told_and_waited_for(void **state)
{
	uint64_t begun_ns = clock_now_ns();
	char said[1024], words[128];
	pid_t pid = start_mute(4000);

	(void)state;
	assert_int_equal(ask("drain", said, sizeof(said)), EXIT_NOT_RUNNING); /* more than two seconds later */
	assert_true(clock_now_ns() - begun_ns >= 4 * NS_PER_S);
	snprintf(words, sizeof(words), "pipeline 'mute' (process %d) has not answered for 2 s: it is asleep", (int)pid);
	assert_non_null(strstr(said, words));
	assert_null(strstr(strstr(said, words) + strlen(words), "has not answered")); /* once */
	assert_non_null(strstr(said, "no pipeline 'mute' is running"));
	end_mute(pid);
}

static void test_stopped(void **state)
{
	uint64_t begun_ns = clock_now_ns();
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	char said[1024], words[128];
	pid_t pid = start_mute(0);

	(void)state;
	kill(pid, SIGSTOP);
	assert_int_equal(ask("drain", said, sizeof(said)), EXIT_TRY_AGAIN);
	assert_true(clock_now_ns() - begun_ns < 20 * NS_PER_S);
	snprintf(words, sizeof(words), "(process %d) does not answer: it is stopped by a signal; 'kill -CONT %d'",
		 (int)pid, (int)pid);
	assert_non_null(strstr(said, words));
	assert_non_null(strstr(said, "whether it has got the order to drain is not known: give it again then"));
	assert_int_equal(ask("status", said, sizeof(said)), EXIT_TRY_AGAIN);
	assert_null(strstr(said, "order"));
	assert_true(pipeline_explain_taken("mute", pid, &why));
	snprintf(words, sizeof(words),
		 "pipeline 'mute' is still there and does not answer: process %d is stopped by a signal", (int)pid);
	assert_memory_equal(text_get(&why), words, strlen(words));
	end_mute(pid);
	text_clear(&why);
	assert_false(pipeline_explain_taken("mute", pid, &why));
	assert_int_equal(why.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_told_and_waited_for),
		cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, make_base, NULL);
}
