/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a process that does not answer. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/busy.h"

/* Waits until it is described so: the kernel takes its time. */
static void assert_described(pid_t pid, const char *words)
{
	for (int i = 0; i < 20000; i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		busy_describe(pid, &text);
		if (strncmp(text_get(&text), words, strlen(words)) == 0)
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("never described as '%s'", words);
}

static void test_states(void **state)
{
	char words[64];
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever becomes of the test */
		for (;;)
			pause();
	}
	assert_described(pid, "is asleep");
	assert_false(busy_is_stopped(pid));
	kill(pid, SIGSTOP);
	snprintf(words, sizeof(words), "is stopped by a signal; 'kill -CONT %d'", (int)pid);
	assert_described(pid, words);
	assert_true(busy_is_stopped(pid));
	kill(pid, SIGKILL);
	assert_described(pid, "is ending");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_described(pid, "is ending");
	assert_described(getpid(), "is running");
	assert_false(busy_is_stopped(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
