/* SPDX-License-Identifier: Apache-2.0 */
/* A reader that does not read must not hold up the writer. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cli/output.h"

static void format_loss(const void *data, uint64_t n_lines, const char *reason, struct text *text)
{
	text_printf(text, "%s %d lost: %s\n", (const char *)data, (int)n_lines, reason);
}

static struct output *open_output(int fd)
{
	struct output *output = output_new(fd, format_loss, "test:");

	assert_true(output_has_thread(output));
	return output;
}

/* n_lines of which the last byte only is a newline each */
static void write_lines(struct output *output, enum output_rank rank, char c, size_t size_bytes, unsigned n_lines)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	for (unsigned i = 0; i < n_lines; i++) {
		for (size_t k = 1; k < size_bytes; k++)
			text_add_char(&text, c);
		text_add_char(&text, '\n');
	}
	output_write(output, rank, &text, n_lines);
}

static void wait_idle(struct output *output)
{
	while (!output_idle(output))
		poll(NULL, 0, 1);
}

static size_t read_all(int fd, char *buffer, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while (n < size && (r = read(fd, buffer + n, size - n)) > 0)
		n += (size_t)r;
	return n;
}

/* A reader that stands still until all has been posted, and then takes everything. */
static char got[512ul * 1024];

static size_t finish_and_read(struct output *output, int fds[2])
{
	size_t n;

	assert_true(output_finish(output));
	output_free(output);
	close(fds[1]);
	n = read_all(fds[0], got, sizeof(got) - 1);
	got[n] = '\0';
	close(fds[0]);
	return n;
}

static unsigned count(char c)
{
	unsigned n = 0;

	for (const char *at = got; *at; at++)
		n += *at == c;
	return n;
}

static void test_a_pager_that_waits(void **state)
{
	struct output *output;
	uint64_t n_dropped;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	output = open_output(fds[1]);
	for (int i = 0; i < 400; i++) /* the pipe holds 64 KiB, the backlog as much, and so does what is under way */
		write_lines(output, OUTPUT_LINE, 'x', 1000, 1);
	assert_false(output_idle(output));
	assert_int_equal(output_take_dropped(output, OUTPUT_LINE), 0); /* no room for such words */
	write_lines(output, OUTPUT_FAILURE, 'y', 1000, 1);             /* but for these there is */
	n_dropped = output_take_dropped(output, OUTPUT_LAST);
	assert_in_range(n_dropped, 150, 350);
	assert_int_equal(output_take_dropped(output, OUTPUT_LAST), 0);
	write_lines(output, OUTPUT_LAST, 'z', 100, 1);
	(void)finish_and_read(output, fds); /* though nobody reads: the pipe is larger now */
	assert_int_equal(count('x') / 999 + n_dropped, 400);
	assert_int_equal(count('y'), 999);
	assert_int_equal(count('z'), 99);
	assert_true(strchr(got, 'y') > strrchr(got, 'x') && strchr(got, 'z') > strrchr(got, 'y'));
}

static void test_room_again(void **state)
{
	struct output *output;
	uint64_t n_dropped = 0;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	output = open_output(fds[1]);
	for (int i = 0; i < 400; i++)
		write_lines(output, OUTPUT_LINE, 'x', 1000, 1);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 20000 && !n_dropped; i++) {
		(void)!read(fds[0], got, 65536);
		poll(NULL, 0, 1);
		n_dropped = output_take_dropped(output, OUTPUT_LINE);
	}
	assert_int_equal(fcntl(fds[0], F_SETFL, 0), 0);
	assert_in_range(n_dropped, 150, 350);
	write_lines(output, OUTPUT_LINE, 'a', 6, 1);
	(void)finish_and_read(output, fds);
	assert_non_null(strstr(got, "aaaaa\n"));
}

/* Whole lines, so that others can write into the same pipe between them. One that is larger than all is taken where nothing waits. */
static void test_pieces(void **state)
{
	static char piece[8192];
	struct output *output;
	size_t sum = 0;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_DIRECT), 0); /* each read gets what one write wrote */
	output = open_output(fds[1]);
	write_lines(output, OUTPUT_LINE, 'x', 700, 130);
	while (sum < 130ul * 700) {
		ssize_t n = read(fds[0], piece, sizeof(piece));

		assert_in_range(n, 700, 4096);
		assert_int_equal(n % 700, 0);
		sum += (size_t)n;
	}
	wait_idle(output);
	write_lines(output, OUTPUT_LINE, 'y', 10000, 1);
	assert_int_equal(read(fds[0], piece, sizeof(piece)), 4096);
	assert_int_equal(finish_and_read(output, fds), 10000 - 4096);
}

static void test_a_reader_that_is_gone(void **state)
{
	struct output *output;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	output = open_output(fds[1]);
	close(fds[0]);
	for (int i = 0; i < 1000; i++)
		write_lines(output, OUTPUT_LINE, 'x', 1000, 1);
	assert_true(output_finish(output));
	output_free(output);
	close(fds[1]);
}

static void limit_files(uint64_t size_bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size_bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk without room, as far as one process can have it. */
static void test_a_full_disk(void **state)
{
	char path[] = "/tmp/weir-test-output-XXXXXX";
	int fd = mkstemp(path);
	struct output *output;
	size_t n;

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	output = open_output(fd);
	write_lines(output, OUTPUT_LINE, 'A', 100, 1);
	wait_idle(output);
	limit_files(150);
	write_lines(output, OUTPUT_LINE, 'b', 100, 1); /* half of it */
	wait_idle(output);
	write_lines(output, OUTPUT_LINE, 'c', 100, 2);
	wait_idle(output);
	limit_files(RLIM_INFINITY);
	write_lines(output, OUTPUT_LINE, 'd', 100, 1);
	wait_idle(output);
	limit_files(150);
	write_lines(output, OUTPUT_LINE, 'e', 100, 1);
	wait_idle(output);
	limit_files(RLIM_INFINITY);
	assert_true(output_finish(output)); /* that e is missing is said though nothing follows */
	output_free(output);
	n = (size_t)pread(fd, got, sizeof(got) - 1, 0);
	got[n] = '\0';
	close(fd);
	assert_int_equal(count('A'), 99);
	assert_int_equal(count('b'), 50);
	assert_null(strchr(got, 'c'));
	assert_non_null(strstr(got, "bbb\ntest: 3 lost: File too large\nddd"));
	assert_non_null(strstr(got, "ddd\ntest: 1 lost: File too large\n"));
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
		cmocka_unit_test(test_room_again),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_a_reader_that_is_gone),
		cmocka_unit_test(test_a_full_disk),
		cmocka_unit_test(test_streams_that_were_closed),
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
