/* SPDX-License-Identifier: Apache-2.0 */
/* A reader that does not read must not hold up the writer. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/output.h"

static size_t read_all(int fd, char *buffer, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while (n < size && (r = read(fd, buffer + n, size - n)) > 0)
		n += (size_t)r;
	return n;
}

static void test_a_pager_that_waits(void **state)
{
	struct output output = OUTPUT_NULL;
	static char line[1000], got[400000];
	size_t n;
	int fds[2];

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_int_equal(pipe(fds), 0);
	output.fd = fds[1];
	for (int i = 0; i < 300; i++) /* the pipe holds 64 KiB, the backlog as much */
		output_write(&output, line, sizeof(line));
	assert_false(output_idle(&output));
	assert_true(output.n_dropped >= 150 && output.n_dropped < 200);
	n = (size_t)read(fds[0], got, 65536);
	assert_true(n >= 60000);
	output_write(&output, "after\n", 6); /* the backlog moves into the pipe, this comes behind it */
	assert_false(output_idle(&output));
	n = (size_t)read(fds[0], got, 65536);
	assert_true(output_idle(&output));
	output_finish(&output);
	close(fds[1]);
	n = read_all(fds[0], got, sizeof(got) - 1);
	got[n] = '\0';
	assert_non_null(strstr(got, "messages were dropped because standard error was not read\nafter\n"));
	close(fds[0]);
	output_deinit(&output);
}

static void test_a_reader_that_is_gone(void **state)
{
	struct output output = OUTPUT_NULL;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	output.fd = fds[1];
	output_write(&output, "x", 1);
	output_finish(&output);
	assert_int_equal(output.backlog.length, 0);
	close(fds[1]);
	output_deinit(&output);
}

static int mode_of(int fd)
{
	return fcntl(fd, F_GETFL) & O_ACCMODE;
}

/* In a child, which has nothing to lose; its exit code is the answer. */
static void test_streams_that_were_closed(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		bool held = !close(STDIN_FILENO) && !close(STDOUT_FILENO) && !close(STDERR_FILENO) &&
			    output_hold_standard() == 0 && mode_of(STDIN_FILENO) == O_WRONLY &&
			    mode_of(STDOUT_FILENO) == O_RDONLY && write(STDERR_FILENO, "x", 1) == 1;

		/* what is open stays as it is */
		held = held && !close(STDOUT_FILENO) && dup(STDERR_FILENO) == STDOUT_FILENO &&
		       output_hold_standard() == 0 && mode_of(STDOUT_FILENO) == O_RDWR;
		_exit(held ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pager_that_waits),
		cmocka_unit_test(test_a_reader_that_is_gone),
		cmocka_unit_test(test_streams_that_were_closed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
