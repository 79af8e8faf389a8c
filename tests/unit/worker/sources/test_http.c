/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/worker/sources/http_test.h"
#include "tests/unit/worker/stage_test.h"

static struct fake_host host;
static bool has_host;

static void make_host(void)
{
	http_host_init(&host);
	has_host = true;
}

static int begin(void)
{
	assert_int_equal(fake_host_open(&host), 0);
	return peer_connect(NULL);
}

static void end(int fd)
{
	close(fd);
	fake_host_deinit(&host);
	has_host = false;
}

/* An assertion that fails leaves its server there; the next test would talk to that. */
static int clear_away(void **state)
{
	(void)state;
	if (has_host)
		fake_host_deinit(&host);
	has_host = false;
	return 0;
}

static void assert_hears(int fd, const char *fragment)
{
	const char *answer = http_hear(&host, fd);

	if (!strstr(answer, fragment))
		fail_msg("'%s' does not say '%s'", answer, fragment);
}

static void let_come(int fd)
{
	for (unsigned i = 0; i < 20; i++) {
		assert_false(http_is_answered(&host, fd));
		usleep(1000);
	}
}

static void assert_items(const char *text)
{
	size_t size;
	char *got = fake_host_text(&host, &size);

	assert_string_equal(got, text);
	free(got);
}

/* An answer comes behind the commit; over one connection one comes after the other. */
static void test_answer_behind_the_commit(void **state)
{
	char byte;
	int fd;

	(void)state;
	make_host();
	fd = begin();
	http_post(fd, "one\ntwo");
	while (fake_host_items(&host) == 0)
		(void)fake_host_produce(&host); /* and no commit */
	assert_int_equal(fake_host_items(&host), 2);
	usleep(20000);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_hears(fd, "HTTP/1.1 202 ");
	http_post(fd, "three\r\n\nfive\n");
	http_post(fd, "six");
	assert_hears(fd, "HTTP/1.1 202 ");
	assert_hears(fd, "HTTP/1.1 202 ");
	assert_items("one\ntwo\nthree\r\n\nfive\nsix\n");
	end(fd);
}

/* In chunks; and by who asks before it sends. */
static void test_ways_to_send(void **state)
{
	int fd;

	(void)state;
	make_host();
	fd = begin();
	peer_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
	let_come(fd);
	peer_send(fd, "3\r\ntwo\r\n0\r\n\r\n");
	assert_hears(fd, "HTTP/1.1 202 ");
	peer_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	assert_hears(fd, "HTTP/1.1 100 ");
	peer_send(fd, "three");
	assert_hears(fd, "HTTP/1.1 202 ");
	peer_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\nExpect: 100-continue\r\n\r\n");
	assert_hears(fd, "HTTP/1.1 413 ");
	assert_items("one\ntwo\nthree\n");
	end(fd);
}

static void test_body_and_baggage(void **state)
{
	static const char *const headers[] = { "X-Id", "X-Other", NULL };
	int fd;

	(void)state;
	make_host();
	fake_host_option_string(&host, "items", "body");
	fake_host_option_list(&host, "baggage", headers);
	fd = begin();
	peer_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nx-ID: 7\r\nContent-Length: 8\r\n\r\none\ntwo\n");
	assert_hears(fd, "HTTP/1.1 202 ");
	assert_string_equal(host.set_key, "x-id");
	assert_int_equal(host.set_bytes, 1);
	assert_memory_equal(host.set, "7", 1);
	host.set_bytes = 0;
	http_post(fd, "");
	assert_hears(fd, "HTTP/1.1 202 ");
	assert_int_equal(host.set_bytes, 0);
	assert_items("one\ntwo\n\n\n");
	end(fd);
}

/* All or nothing; and the others go on. */
static void test_bad_record(void **state)
{
	int fd;

	(void)state;
	make_host();
	host.bad_record = "bad";
	fd = begin();
	http_post(fd, "one\nbad\nthree");
	assert_hears(fd, "body:2: it is bad; nothing of this request was taken in");
	http_post(fd, "four");
	assert_hears(fd, "HTTP/1.1 202 ");
	assert_items("four\n");
	assert_int_equal(host.n_rejected, 0);
	end(fd);
}

/* Where records end is asked. */
static void test_records(void **state)
{
	int fd;

	(void)state;
	make_host();
	host.decode = RECORD_CSV;
	fd = begin();
	http_post(fd, "a,\"x\ny\"\n1,2\n");
	assert_hears(fd, "HTTP/1.1 202 ");
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 0, "a,\"x\ny\""));
	assert_int_equal(host.places[0], 1);
	assert_int_equal(host.places[1], 3);
	end(fd);
}

/* Who waits for room waits as a whole; others are told what is wrong meanwhile; and they come in their order. */
static void test_waiting(void **state)
{
	int a, b, c;

	(void)state;
	make_host();
	host.room = 1;
	a = begin();
	b = peer_connect(NULL);
	c = peer_connect(NULL);
	http_post(a, "one\ntwo");
	let_come(a);
	http_post(b, "three");
	let_come(b);
	assert_int_equal(fake_host_items(&host), 0);
	peer_send(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_hears(c, "HTTP/1.1 405 ");
	host.room = 10;
	assert_hears(b, "HTTP/1.1 202 ");
	assert_hears(a, "HTTP/1.1 202 ");
	assert_items("one\ntwo\nthree\n");
	close(b);
	close(c);
	end(a);
}

static void test_wait_is_over(void **state)
{
	int fd;

	(void)state;
	make_host();
	fake_host_option_number(&host, "wait", 50 * NS_PER_MS);
	fake_host_option_number(&host, "retry_after", (int64_t)(7 * NS_PER_S / 2));
	host.room = 0;
	fd = begin();
	http_post(fd, "one");
	assert_hears(fd, "Retry-After: 4\r\n");
	host.room = 1;
	http_post(fd, "two");
	assert_hears(fd, "HTTP/1.1 202 ");
	host.admits_not = true;
	http_post(fd, "three");
	assert_hears(fd, "HTTP/1.1 429 ");
	assert_items("two\n");
	end(fd);
}

/* Those who wait, and those who come; then it is taken back. */
static void test_draining(void **state)
{
	int a, b;

	(void)state;
	make_host();
	host.room = 0;
	a = begin();
	b = peer_connect(NULL);
	http_post(a, "one");
	let_come(a);
	host.draining = true;
	assert_hears(a, "HTTP/1.1 503 ");
	assert_string_equal(http_hear(&host, a), ""); /* closed */
	http_post(b, "two");
	assert_hears(b, "HTTP/1.1 503 ");
	close(a);
	close(b);
	a = peer_connect(NULL);
	host.draining = false;
	host.room = 1;
	http_post(a, "three");
	assert_hears(a, "HTTP/1.1 202 ");
	assert_items("three\n");
	end(a);
}

/* Nobody is left without an answer. */
static void test_the_end(void **state)
{
	int taken, waiting, half, idle;

	(void)state;
	make_host();
	taken = begin();
	waiting = peer_connect(NULL);
	half = peer_connect(NULL);
	idle = peer_connect(NULL);
	peer_send(half, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf");
	host.room = 1;
	http_post(taken, "one");
	while (fake_host_items(&host) == 0)
		(void)fake_host_produce(&host);
	assert_int_equal(fake_host_turn_end(&host), 0);
	host.room = 0;
	http_post(waiting, "two");
	for (unsigned i = 0; i < 20; i++) {
		(void)fake_host_produce(&host); /* takes, and answers, no more */
		usleep(1000);
	}
	fake_host_close(&host);
	assert_hears(taken, "HTTP/1.1 202 ");
	assert_hears(waiting, "HTTP/1.1 503 ");
	assert_hears(half, "HTTP/1.1 503 ");
	assert_string_equal(http_hear(&host, idle), "");
	close(waiting);
	close(half);
	close(idle);
	end(taken);
}

/* What was emitted and not committed was not taken in; what was committed was, though nobody calls any more. */
static void test_the_end_of_a_turn(void **state)
{
	(void)state;
	for (int commits = 0; commits < 2; commits++) {
		int fd;

		make_host();
		fd = begin();
		http_post(fd, "one");
		while (fake_host_items(&host) == 0)
			(void)fake_host_produce(&host);
		if (commits)
			assert_int_equal(fake_host_turn_end(&host), 0);
		fake_host_close(&host);
		assert_hears(fd, commits ? "HTTP/1.1 202 " : "HTTP/1.1 503 ");
		end(fd);
	}
}

/* A header that does not end, one byte now and then; a body; a pause. */
static void test_slow(void **state)
{
	int header, body, pause, fresh;

	(void)state;
	make_host();
	fake_host_option_number(&host, "timeout", 100 * NS_PER_MS);
	header = begin();
	body = peer_connect(NULL);
	pause = peer_connect(NULL);
	fresh = peer_connect(NULL);
	http_post(pause, "one");
	assert_hears(pause, "HTTP/1.1 202 ");
	peer_send(body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n");
	peer_send(header, "POST / HTTP/1.1\r\n");
	for (unsigned i = 0; i < 300 && !http_is_answered(&host, header); i++) {
		(void)send(header, "X: y\r\n", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)send(body, "z", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		usleep(5000);
	}
	assert_hears(header, "HTTP/1.1 408 ");
	assert_hears(body, "HTTP/1.1 408 ");
	assert_string_equal(http_hear(&host, pause), "");
	assert_string_equal(http_hear(&host, fresh), "");
	close(body);
	close(pause);
	close(fresh);
	end(header);
}

/* More connections than there may be: they are told, and those that there were go on. */
static void test_many(void **state)
{
	enum { MAY = 10, PEERS = 14 };
	int fds[PEERS];

	(void)state;
	make_host();
	host.room = 0;
	fds[0] = begin();
	for (unsigned i = 1; i < PEERS; i++)
		fds[i] = peer_connect(NULL);
	for (unsigned i = 0; i < PEERS; i++)
		http_post(fds[i], "one");
	for (unsigned i = MAY; i < PEERS; i++) {
		assert_hears(fds[i], "HTTP/1.1 503 ");
		assert_string_equal(http_hear(&host, fds[i]), "");
		close(fds[i]);
	}
	host.room = PEERS;
	for (unsigned i = 0; i < MAY; i++)
		assert_hears(fds[i], "HTTP/1.1 202 ");
	for (unsigned i = 1; i < MAY; i++)
		close(fds[i]);
	let_come(fds[0]); /* until it is seen that they have gone */
	http_post(fds[0], "two");
	assert_hears(fds[0], "HTTP/1.1 202 ");
	close(fds[0]);
	fds[0] = peer_connect(NULL);
	http_post(fds[0], "three");
	assert_hears(fds[0], "HTTP/1.1 202 ");
	assert_int_equal(fake_host_items(&host), MAY + 2);
	end(fds[0]);
}

/* Bodies that are not whole yet count, too; and what they took is given back. */
static void test_buffer(void **state)
{
	char piece[5001] = "";
	int a, b;

	(void)state;
	make_host();
	for (uint32_t i = 0; i < host.n_options; i++)
		if (!strcmp(host.options[i].name, "buffer"))
			host.options[i].number = 10000;
	memset(piece, 'x', 5000);
	a = begin();
	b = peer_connect(NULL);
	peer_send(a, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n");
	peer_send(a, piece);
	let_come(a);
	http_post(b, piece);
	assert_hears(b, "HTTP/1.1 429 ");
	peer_send_bytes(a, piece, 1000);
	assert_hears(a, "HTTP/1.1 202 ");
	http_post(b, piece);
	assert_hears(b, "HTTP/1.1 202 ");
	assert_int_equal(fake_host_items(&host), 2);
	close(b);
	end(a);
}

/* The next worker listens at the same place. */
static void test_again(void **state)
{
	int fd;

	(void)state;
	make_host();
	fd = begin();
	http_post(fd, "one");
	while (fake_host_items(&host) == 0)
		(void)fake_host_produce(&host);
	fake_host_close(&host);
	fake_host_kill(&host); /* before its commit */
	close(fd);
	fd = begin();
	http_post(fd, "two");
	assert_hears(fd, "HTTP/1.1 202 ");
	assert_items("two\n");
	end(fd);
}

#define HTTP_TEST(test_) cmocka_unit_test_teardown(test_, clear_away)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(test_answer_behind_the_commit),
		HTTP_TEST(test_ways_to_send),
		HTTP_TEST(test_body_and_baggage),
		HTTP_TEST(test_bad_record),
		HTTP_TEST(test_records),
		HTTP_TEST(test_waiting),
		HTTP_TEST(test_wait_is_over),
		HTTP_TEST(test_draining),
		HTTP_TEST(test_the_end),
		HTTP_TEST(test_the_end_of_a_turn),
		HTTP_TEST(test_slow),
		HTTP_TEST(test_many),
		HTTP_TEST(test_buffer),
		HTTP_TEST(test_again),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
