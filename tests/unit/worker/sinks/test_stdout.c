/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/must.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define must_zero(r_) must((r_) == 0) /* an assert could not print while standard output is elsewhere */

static int kept_stdout = -1;

/* Standard output becomes fd, which is consumed, until stdout_restore(). */
static void stdout_put(int fd)
{
	assert_true(fd >= 0);
	fflush(stdout);
	kept_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	close(fd);
}

static void stdout_restore(void)
{
	dup2(kept_stdout, STDOUT_FILENO);
	close(kept_stdout);
}

static void say(const char *text)
{
	(void)!write(STDOUT_FILENO, text, strlen(text));
}

static void put(struct fake_host *host, const char *item)
{
	must_zero(fake_host_process(host, item, strlen(item)));
}

/* { echo before; weir run; echo after; } > file, with a kill in the middle. */
static void run_between(int flags)
{
	struct fake_host host;

	stdout_put(open(folder_path("all"), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600));
	say("before\n");
	fake_host_init(&host, &stdout_sink_callbacks);
	must_zero(fake_host_open(&host));
	put(&host, "one");
	must_zero(fake_host_turn_end(&host));
	put(&host, "lost, and long enough to be seen behind what comes next");
	must_zero(fake_host_flush(&host));
	fake_host_kill(&host);
	must_zero(fake_host_open(&host));
	put(&host, "two");
	must_zero(fake_host_turn_end(&host));
	must_zero(fake_host_finish(&host));
	must_zero(fake_host_turn_end(&host));
	fake_host_deinit(&host);
	say("after\n");
	stdout_restore();
}

static void test_file(void **state)
{
	(void)state;
	file_write_text("all", "");
	run_between(0);
	assert_file_is("all", "before\none\ntwo\nafter\n");
}

static void test_append(void **state)
{
	(void)state;
	file_write_text("all", "earlier\n");
	run_between(O_APPEND);
	assert_file_is("all", "earlier\nbefore\none\ntwo\nafter\n");
}

/* 1<> file: what others have behind our bytes stays, but for what we write over. */
static void test_in_the_middle(void **state)
{
	(void)state;
	file_write_text(
		"all",
		"....................................................................................................!");
	run_between(0);
	assert_file_is(
		"all",
		"before\none\ntwo\nafter\nlong enough to be seen behind what comes next\n.................................!");
}

/* > all 2>&1: the parent's messages go to the same file. */
static void test_shared_with_messages(void **state)
{
	int status, all;
	pid_t pid;

	(void)state;
	file_write_text("all", "");
	all = open(folder_path("all"), O_WRONLY | O_CLOEXEC);
	pid = fork();
	if (pid == 0) { /* the supervisor: both streams are the file */
		dup2(all, STDOUT_FILENO);
		dup2(all, STDERR_FILENO);
		say("starting\n");
		pid = fork();
		if (pid == 0) { /* the worker */
			struct fake_host host;

			fake_host_init(&host, &stdout_sink_callbacks);
			must_zero(fake_host_open(&host));
			put(&host, "one");
			must_zero(fake_host_turn_end(&host));
			say("a message\n");
			put(&host, "two");
			must_zero(fake_host_turn_end(&host));
			must_zero(fake_host_finish(&host));
			_exit(0);
		}
		waitpid(pid, &status, 0);
		say("ended\n");
		_exit(WEXITSTATUS(status));
	}
	close(all);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_file_is("all", "starting\none\na message\ntwo\nended\n");
}

struct slow_reader {
	int fd;
	size_t got;
};

static void read_some(struct fake_host *host, void *data)
{
	struct slow_reader *reader = data;
	char buffer[8192];
	ssize_t n = read(reader->fd, buffer, sizeof(buffer));

	(void)host;
	reader->got += n > 0 ? (size_t)n : 0;
}

/* A reader that is slower than we are: the wait is weir_wait(), and no descriptor of others becomes non-blocking. */
static void slow_reader(int fds[2])
{
	struct slow_reader reader = { .fd = fds[0] };
	struct fake_host host;
	char *item = malloc(300000);

	memset(item, 'p', 300000);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	stdout_put(fds[1]);
	fake_host_init(&host, &stdout_sink_callbacks);
	host.on_wait = read_some;
	host.on_wait_data = &reader;
	must_zero(fake_host_open(&host));
	must_zero(fake_host_process(&host, item, 300000));
	must_zero(fake_host_turn_end(&host));
	must_zero(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK);
	stdout_restore();
	for (size_t before = SIZE_MAX; before != reader.got;) {
		before = reader.got;
		read_some(&host, &reader);
	}
	assert_true(host.n_waits > 2);
	assert_int_equal(reader.got, 300001);
	close(fds[0]);
	free(item);
	fake_host_deinit(&host);
}

static void test_slow_pipe(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	slow_reader(fds);
}

static void test_slow_socket(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	slow_reader(fds);
}

/* weir run ... | head -1 */
static void test_reader_has_gone(void **state)
{
	struct fake_host host;
	int fds[2], r;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	stdout_put(fds[1]);
	fake_host_init(&host, &stdout_sink_callbacks);
	must_zero(fake_host_open(&host));
	put(&host, "one");
	must_zero(fake_host_turn_end(&host));
	close(fds[0]);
	put(&host, "two");
	r = fake_host_flush(&host);
	fake_host_close(&host);
	stdout_restore();
	assert_int_equal(r, WEIR_FAILED);
	assert_non_null(
		strstr(host.reason, "standard output was closed by its reader after 4 bytes, as `| head` does"));
	fake_host_deinit(&host);
}

static void test_closed(void **state)
{
	struct fake_host host;
	int r;

	(void)state;
	fake_host_init(&host, &stdout_sink_callbacks);
	stdout_put(open("/dev/null", O_RDONLY | O_CLOEXEC));
	r = fake_host_open(&host);
	stdout_restore();
	assert_int_equal(r, WEIR_FAILED);
	assert_non_null(strstr(host.reason, "not open for writing"));
	fake_host_deinit(&host);
}

static void test_discard(void **state)
{
	struct fake_host host;

	(void)state;
	fake_host_init(&host, &discard_sink_callbacks);
	assert_int_equal(fake_host_open(&host), 0);
	put(&host, "gone");
	assert_int_equal(fake_host_turn_end(&host), 0);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_in_the_middle),
		cmocka_unit_test(test_shared_with_messages),
		cmocka_unit_test(test_slow_pipe),
		cmocka_unit_test(test_slow_socket),
		cmocka_unit_test(test_reader_has_gone),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_discard),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
