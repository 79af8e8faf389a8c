/* SPDX-License-Identifier: Apache-2.0 */
/* A failed assertion ends the process, and says which, even if nobody reads that. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/must.h"

/* Returns how it ended, with its stderr at fd. */
static int end_of(int fd)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0); /* no core of this one */
		alarm(60);
		signal(SIGABRT, SIG_DFL);
		if (dup2(fd, STDERR_FILENO) >= 0)
			must(fd < 0);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static void test_it_says_which(void **state)
{
	char said[256];
	ssize_t n;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(end_of(fds[1]), SIGABRT);
	n = read(fds[0], said, sizeof(said) - 1);
	assert_true(n > 0);
	said[n] = '\0';
	assert_non_null(strstr(said, "end_of: assertion failed: fd < 0\n"));
	close(fds[0]);
	close(fds[1]);
}

static void test_nobody_reads(void **state)
{
	static const char filler[4096];
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	while (write(fds[1], filler, sizeof(filler)) > 0)
		;
	assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
	assert_int_equal(end_of(fds[1]), SIGABRT); /* and not SIGALRM */
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_says_which),
		cmocka_unit_test(test_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
