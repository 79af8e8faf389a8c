/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/worker/sources/socket_test.h"
#include "tests/unit/worker/stage_test.h"

/* In pieces, as they come; of both kinds. A last line without a newline counts. */
static void test_lines(void **state)
{
	static const char *const names[] = { "lines.sock", NULL };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fake_host host;
		int a, b;

		socket_host_init(&host, names[i]);
		assert_int_equal(fake_host_open(&host), 0);
		a = peer_connect(names[i]);
		b = peer_connect(names[i]);
		peer_send(a, "one\r\n\nthr");
		socket_turns(&host, 2);
		peer_send(b, "from b\n");
		socket_turns(&host, 3);
		peer_send(a, "ee\nlast");
		socket_turns(&host, 4);
		close(a);
		socket_turns(&host, 5);
		assert_true(fake_host_item_is(&host, 0, "one\r"));
		assert_true(fake_host_item_is(&host, 1, ""));
		assert_true(fake_host_item_is(&host, 2, "from b"));
		assert_true(fake_host_item_is(&host, 3, "three"));
		assert_true(fake_host_item_is(&host, 4, "last"));
		close(b);
		socket_turns(&host, 5);
		fake_host_deinit(&host);
		if (names[i])
			assert_int_equal(access(folder_path(names[i]), F_OK), -1);
	}
}

/* A full lane holds up the sender; what has no room is still in the socket. */
static void test_full(void **state)
{
	struct fake_host host;
	size_t size;
	char *text = lines_make(500, &size), *got;
	int fd;

	(void)state;
	socket_host_init(&host, "full.sock");
	host.room = host.full_after = 3;
	assert_int_equal(fake_host_open(&host), 0);
	fd = peer_connect("full.sock");
	peer_send_bytes(fd, text, 20000);
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(fake_host_produce(&host), WEIR_MORE);
		assert_int_equal(fake_host_turn_end(&host), 0);
	}
	assert_int_equal(fake_host_items(&host), 90);
	peer_send_bytes(fd, text + 20000, size - 20000);
	socket_turns(&host, 500);
	got = fake_host_text(&host, &size);
	assert_string_equal(got, text);
	free(got);
	free(text);
	close(fd);
	fake_host_deinit(&host);
}

/* Of a long line in pieces, and of one that lies there whole. */
static void test_too_long(void **state)
{
	static const char *const ways[] = { "reject", "cut" };
	char line[5001];

	(void)state;
	memset(line, 'y', 5000);
	line[5000] = '\n';
	for (size_t i = 0; i < 2; i++)
		for (size_t piece = 700; piece <= 5001; piece += 4301) {
			struct fake_host host;
			int fd;

			socket_host_init(&host, "long.sock");
			host.item_size_max = 1000;
			fake_host_option_string(&host, "too_long", ways[i]);
			assert_int_equal(fake_host_open(&host), 0);
			fd = peer_connect("long.sock");
			peer_send(fd, "before\n");
			for (size_t at = 0; at < 5001; at += piece) {
				peer_send_bytes(fd, line + at, 5001 - at < piece ? 5001 - at : piece);
				(void)fake_host_run_source(&host, false);
			}
			peer_send(fd, "after\n");
			socket_turns(&host, i ? 3 : 2);
			assert_true(fake_host_item_is(&host, 0, "before"));
			assert_true(fake_host_item_is(&host, i ? 2 : 1, "after"));
			if (i) {
				assert_int_equal(fake_host_item(&host, 1).size_bytes, 1000);
			} else {
				assert_int_equal(host.n_rejected, 1);
				assert_int_equal(host.last_rejection_size, 1000);
				assert_non_null(strstr(host.last_rejection, ":2: the line has 5,000 bytes"));
			}
			close(fd);
			fake_host_deinit(&host);
		}
}

/* An answer for each line, in order, and not before its commit. */
static void test_ack(void **state)
{
	struct fake_host host;
	char text[64], line[2001];
	int fd;

	(void)state;
	memset(line, 'y', 2000);
	line[2000] = '\n';
	socket_host_init(&host, NULL);
	fake_host_option_number(&host, "ack", 1);
	host.item_size_max = 1000;
	assert_int_equal(fake_host_open(&host), 0);
	fd = peer_connect(NULL);
	peer_send(fd, "one\n");
	while (fake_host_items(&host) == 0)
		(void)fake_host_produce(&host); /* and no commit */
	usleep(20000);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
	assert_int_equal(fake_host_turn_end(&host), 0);
	peer_send_bytes(fd, line, sizeof(line));
	peer_send(fd, "two\nlast");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	peer_hear(&host, fd, text, sizeof(text) - 1); /* until it is closed */
	assert_string_equal(text, "ok\nrefused\nok\nok\n");
	close(fd);
	/* the last commit is told though nobody asks any more */
	fd = peer_connect(NULL);
	peer_send(fd, "three\n");
	while (fake_host_items(&host) == 3)
		(void)fake_host_produce(&host);
	assert_int_equal(fake_host_turn_end(&host), 0);
	fake_host_close(&host);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 3);
	close(fd);
	fake_host_deinit(&host);
}

/* One that takes no answers is not read from for ever. */
static void test_deaf(void **state)
{
	struct fake_host host;
	int fd, small = 4096;
	uint64_t before, sent = 0;

	(void)state;
	socket_host_init(&host, "deaf.sock");
	fake_host_option_number(&host, "ack", 1);
	assert_int_equal(fake_host_open(&host), 0);
	fd = peer_connect("deaf.sock");
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (unsigned quiet = 0; quiet < 50;) {
		ssize_t n = send(fd, "x\nx\nx\nx\nx\nx\nx\nx\n", 16, MSG_DONTWAIT | MSG_NOSIGNAL);

		sent += n > 0 ? (uint64_t)n / 2 : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		assert_true(sent < 10000000);
		(void)fake_host_run_source(&host, false);
	}
	before = fake_host_items(&host);
	socket_turns_for(&host, 50 * NS_PER_MS);
	assert_int_equal(fake_host_items(&host), before);
	assert_true(before < sent);
	for (char text[4096]; fake_host_items(&host) < sent;) {
		(void)recv(fd, text, sizeof(text), MSG_DONTWAIT);
		(void)fake_host_run_source(&host, false);
	}
	close(fd);
	fake_host_deinit(&host);
}

/* More than there may be wait until one ends. */
static void test_many(void **state)
{
	enum { PEERS = 300 };
	struct fake_host host;
	int fds[PEERS];

	(void)state;
	socket_host_init(&host, "many.sock");
	fake_host_option_number(&host, "connections", PEERS - 100);
	assert_int_equal(fake_host_open(&host), 0);
	for (int i = 0; i < PEERS; i++) {
		fds[i] = peer_connect("many.sock");
		peer_send(fds[i], "half of a");
	}
	socket_turns_for(&host, 100 * NS_PER_MS);
	for (int i = 0; i < PEERS; i++)
		peer_send(fds[i], " line\n");
	socket_turns(&host, PEERS - 100);
	for (int i = 0; i < PEERS; i++)
		close(fds[i]);
	socket_turns(&host, PEERS);
	assert_true(fake_host_item_is(&host, PEERS - 1, "half of a line"));
	fake_host_deinit(&host);
}

/* The next worker listens at the same place, and so does the next run. */
static void test_again(void **state)
{
	static const char *const names[] = { "again.sock", NULL };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fake_host host;
		int fd;

		socket_host_init(&host, names[i]);
		assert_int_equal(fake_host_open(&host), 0);
		fake_host_close(&host);
		fake_host_kill(&host);
		assert_int_equal(fake_host_open(&host), 0);
		fd = peer_connect(names[i]);
		peer_send(fd, "hello\n");
		socket_turns(&host, 1);
		close(fd);
		fake_host_deinit(&host);
	}
}

static void test_mode(void **state)
{
	struct fake_host host;
	struct stat st;

	(void)state;
	socket_host_init(&host, "mode.sock");
	fake_host_option_string(&host, "mode", "0660");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(stat(folder_path("mode.sock"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	fake_host_deinit(&host);
}

/* A socket that somebody else has bound is accepted from, outlives the stage, and keeps its name. */
static void test_handed(void **state)
{
	struct fake_host first, bound;
	int a;

	(void)state;
	socket_host_init(&first, "handed.sock");
	assert_int_equal(fake_host_open(&first), 0);
	for (unsigned round = 0; round < 2; round++) {
		socket_host_init(&bound, "nobody.sock");
		bound.listen_fd = socket_of("handed.sock");
		assert_int_equal(fake_host_open(&bound), 0);
		assert_int_equal(access(folder_path("nobody.sock"), F_OK), -1);
		a = peer_connect("handed.sock");
		peer_send(a, "one\n");
		socket_turns(&bound, 1);
		assert_true(fake_host_item_is(&bound, 0, "one"));
		close(a);
		fake_host_deinit(&bound);
		assert_int_equal(access(folder_path("handed.sock"), F_OK), 0);
	}
	fake_host_deinit(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handed),   cmocka_unit_test(test_lines), cmocka_unit_test(test_full),
		cmocka_unit_test(test_too_long), cmocka_unit_test(test_ack),   cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_many),     cmocka_unit_test(test_again), cmocka_unit_test(test_mode),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
