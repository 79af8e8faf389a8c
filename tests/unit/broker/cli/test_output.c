/* SPDX-License-Identifier: Apache-2.0 */
/* A reader that does not read must not hold up the writer. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pager_that_waits),
		cmocka_unit_test(test_a_reader_that_is_gone),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
