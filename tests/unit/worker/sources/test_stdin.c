/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

#define KILLS 150u
#define FOR_EVER 0xffffffffu

static unsigned long long seed = 88172645463325252ULL;

static unsigned roll(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % below);
}

static void assert_items_are(struct fake_host *host, const char *text, size_t size)
{
	size_t got_size;
	char *got = fake_host_text(host, &got_size);

	assert_int_equal(got_size, size);
	assert_memory_equal(got, text, size);
	free(got);
}

static void make_pair(bool socket, int fds[2])
{
	if (socket)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	else
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

/* Writes the text in uneven pieces, now and then with a pause, and closes. */
static pid_t start_writer(int fd, int other, const char *text, size_t size)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	close(other);
	while (size) {
		size_t n = 1 + roll(8000);
		ssize_t written = write(fd, text, n < size ? n : size);

		if (written < 0)
			_exit(1);
		text += written;
		size -= (size_t)written;
		if (roll(2) == 0)
			usleep(roll(1000));
	}
	_exit(0);
}

/* One life of a worker. Returns its exit status: 0 the end was reached and committed, -1 it was killed. */
static int live(struct fake_host *host, int input, unsigned long microseconds)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(input, STDIN_FILENO) < 0 || fake_host_open(host) != 0)
			_exit(2);
		_exit(fake_host_run_source(host, true) == WEIR_CLOSED ? 0 : 3);
	}
	if (microseconds != FOR_EVER) {
		usleep((useconds_t)microseconds);
		kill(pid, SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fake_host_inherit(host);
	return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

/* Returns how often it was killed. */
static unsigned kill_all_the_while(bool socket)
{
	size_t size;
	char *text = lines_make(60000, &size);
	struct fake_host host;
	int fds[2], status = -1;
	unsigned kills = 0;
	pid_t writer;

	make_pair(socket, fds);
	writer = start_writer(fds[1], fds[0], text, size);
	close(fds[1]);
	fake_host_init(&host, &stdin_source_callbacks);
	host.full_after = 40;
	host.room = 40;
	while (status < 0) {
		status = live(&host, fds[0], kills < KILLS ? roll(2500) : FOR_EVER);
		kills += status < 0;
	}
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	assert_items_are(&host, text, size);
	close(fds[0]);
	free(text);
	fake_host_deinit(&host);
	return kills;
}

/* Who was not scheduled when it should have killed did not: once more, then. */
static void kill_at_random(bool socket)
{
	unsigned kills = 0;

	for (unsigned i = 0; i < 10 && kills <= 20; i++)
		kills = kill_all_the_while(socket);
	assert_true(kills > 20);
}

static void test_pipe_killed(void **state)
{
	(void)state;
	kill_at_random(false);
}

static void test_socket_killed(void **state)
{
	(void)state;
	kill_at_random(true);
}

static void put_stdin(int fd)
{
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
}

static void test_waits_and_ends(void **state)
{
	for (int socket = 0; socket < 2; socket++) {
		struct fake_host host;
		int fds[2];

		(void)state;
		make_pair(socket, fds);
		put_stdin(fds[0]);
		fake_host_init(&host, &stdin_source_callbacks);
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		assert_int_equal(host.watch_fd, STDIN_FILENO);
		assert_int_equal(host.watch_events, POLLIN);
		assert_int_equal(write(fds[1], "one\ntw", 6), 6);
		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		assert_int_equal(fake_host_items(&host), 1);
		assert_int_equal(write(fds[1], "o", 1), 1);
		fake_host_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
		close(fds[1]);
		assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
		assert_int_equal(fake_host_items(&host), 2);
		assert_true(fake_host_item_is(&host, 1, "two"));
		fake_host_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
		assert_int_equal(fake_host_items(&host), 2);
		fake_host_deinit(&host);
	}
}

/* However much runs through: what the spool holds in memory stays small, and so does what is read ahead of a full lane. */
static void test_memory_is_flat(void **state)
{
	size_t size, passed = 0;
	char *text = lines_make(200, &size);
	struct fake_host host;
	struct stat st;
	int fds[2];

	(void)state;
	make_pair(false, fds);
	put_stdin(fds[0]);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	fake_host_init(&host, &stdin_source_callbacks);
	assert_int_equal(fake_host_open(&host), 0);
	for (; passed < 8 << 20; passed += size) {
		assert_int_equal(write(fds[1], text, size), size);
		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
	}
	assert_int_equal(fstat(host.spool_fds[0], &st), 0);
	assert_int_equal(st.st_size, passed);
	assert_true(st.st_blocks * 512 < 1 << 20);

	host.room = 0;
	for (int i = 0; i < 500; i++) {
		(void)!write(fds[1], text, size);
		assert_true(fake_host_produce(&host) == WEIR_MORE);
		fake_host_turn_end(&host);
	}
	assert_int_equal(fstat(host.spool_fds[0], &st), 0);
	assert_true((size_t)st.st_size - passed < 2 << 20);
	close(fds[1]);
	free(text);
	fake_host_deinit(&host);
}

/* A line far longer than anything that is kept: bounded memory, and its head is there for the dead letter in the end. */
static void test_too_long(void **state)
{
	static char piece[50000];
	struct fake_host host;
	struct stat st;
	int fds[2];

	(void)state;
	memset(piece, 'z', sizeof(piece));
	make_pair(false, fds);
	put_stdin(fds[0]);
	fake_host_init(&host, &stdin_source_callbacks);
	host.item_size_max = 10000;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(write(fds[1], "first\nhead", 10), 10);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(write(fds[1], piece, sizeof(piece)), sizeof(piece));
		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		if (i % 20 == 0) {
			fake_host_kill(&host);
			assert_int_equal(fake_host_open(&host), 0);
		}
	}
	assert_int_equal(fstat(host.spool_fds[0], &st), 0);
	assert_true(st.st_blocks * 512 < 1 << 20);
	assert_int_equal(write(fds[1], "\nlast\n", 6), 6);
	close(fds[1]);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 1, "last"));
	assert_int_equal(host.n_rejected, 1);
	assert_non_null(strstr(host.last_rejection, "standard input:2: the line has 10,000,004 bytes"));
	fake_host_deinit(&host);
}

static void test_file(void **state)
{
	struct fake_host host;
	char head[6];
	int fd;

	(void)state;
	file_write_text("input", "skip\none\ntwo\nthree");
	fd = open(folder_path("input"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, head, 5), 5); /* somebody has read the first line already */
	put_stdin(fd);
	fake_host_init(&host, &stdin_source_callbacks);
	host.full_after = 1;
	host.room = 1;
	assert_int_equal(fake_host_open(&host), 0);
	for (int r = WEIR_MORE; r == WEIR_MORE;) {
		r = fake_host_produce(&host);
		assert_int_equal(fake_host_turn_end(&host), 0);
		fake_host_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
	}
	assert_int_equal(fake_host_items(&host), 3);
	assert_true(fake_host_item_is(&host, 0, "one"));
	assert_true(fake_host_item_is(&host, 2, "three"));
	assert_int_equal(host.progress_total, 13);
	assert_int_equal(host.progress_position, 13);
	fake_host_deinit(&host);
}

static void test_refused(void **state)
{
	struct fake_host host;
	int fds[2], fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	put_stdin(fd);
	fake_host_init(&host, &stdin_source_callbacks);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "is a folder"));
	fake_host_deinit(&host);

	make_pair(false, fds);
	put_stdin(fds[0]);
	fake_host_init(&host, &stdin_source_callbacks);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(write(fds[1], "a\nb\0c\n", 6), 6);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "standard input: binary file (NUL at byte 3)"));
	close(fds[1]);
	fake_host_deinit(&host);

	close(STDIN_FILENO);
	fake_host_init(&host, &stdin_source_callbacks);
	host.spool_fds[0] = host.spool_fds[0] == 0 ? dup(0) : host.spool_fds[0];
	close(STDIN_FILENO);
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "standard input is closed"));
	fake_host_deinit(&host);
}

static void test_null_device(void **state)
{
	struct fake_host host;

	(void)state;
	put_stdin(open("/dev/null", O_RDONLY | O_CLOEXEC));
	fake_host_init(&host, &stdin_source_callbacks);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_run_source(&host, false), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&host), 0);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe_killed),    cmocka_unit_test(test_socket_killed),
		cmocka_unit_test(test_waits_and_ends), cmocka_unit_test(test_memory_is_flat),
		cmocka_unit_test(test_too_long),       cmocka_unit_test(test_file),
		cmocka_unit_test(test_null_device),    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
