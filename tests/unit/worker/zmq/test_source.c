/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "tests/unit/worker/stage_test.h"
#include "tests/unit/worker/zmq/peer.h"

static struct fake_host host;

static void end(void)
{
	peer_deinit();
	fake_host_deinit(&host);
}

/* Bound and connected; of several peers; empty ones and bytes of any value too. */
static void test_pull(void **state)
{
	void *a, *b;

	(void)state;
	zmq_source_init(&host, "pull", peer_address("pull"), NULL);
	assert_int_equal(fake_host_open(&host), 0);
	a = peer_connect_to(ZMQ_PUSH, peer_address("pull"));
	peer_says(a, "one");
	peer_says(a, "");
	peer_says_bytes(a, "t\0o", 3, false);
	zmq_turns(&host, 3);
	b = peer_connect_to(ZMQ_PUSH, peer_address("pull"));
	peer_says(b, "from b");
	zmq_turns(&host, 4);
	assert_true(fake_host_item_is(&host, 0, "one"));
	assert_true(fake_host_item_is(&host, 1, ""));
	assert_int_equal(fake_host_item(&host, 2).size_bytes, 3);
	assert_memory_equal(fake_host_item(&host, 2).data, "t\0o", 3);
	assert_true(fake_host_item_is(&host, 3, "from b"));
	end();
	assert_int_equal(access(folder_path("pull"), F_OK), -1);
}

static void test_connects(void **state)
{
	char address[64];
	void *peer;

	(void)state;
	peer = peer_bind_tcp(ZMQ_PUSH, address, sizeof(address));
	zmq_source_init(&host, "pull", NULL, address);
	assert_int_equal(fake_host_open(&host), 0);
	peer_says(peer, "over tcp");
	zmq_turns(&host, 1);
	assert_true(fake_host_item_is(&host, 0, "over tcp"));
	end();
}

static void test_sub(void **state)
{
	static const char *const prefixes[] = { "a", "bc", NULL };
	static const char *const words[] = { "b", "abc", "c", "bcd", "a" };
	void *peer;

	(void)state;
	peer = peer_bind(ZMQ_XPUB, peer_address("sub"));
	zmq_source_init(&host, "sub", NULL, peer_address("sub"));
	fake_host_option_list(&host, "subscribe", prefixes);
	assert_int_equal(fake_host_open(&host), 0);
	for (unsigned i = 0; i < 2; i++) {
		char what[16];

		(void)peer_hears(peer, what, sizeof(what)); /* a subscription has come */
	}
	for (unsigned i = 0; i < 5; i++)
		peer_says(peer, words[i]);
	zmq_turns(&host, 3);
	assert_true(fake_host_item_is(&host, 0, "abc"));
	assert_true(fake_host_item_is(&host, 1, "bcd"));
	assert_true(fake_host_item_is(&host, 2, "a"));
	end();
}

static void test_sub_all(void **state)
{
	char what[16];
	void *peer;

	(void)state;
	peer = peer_bind(ZMQ_XPUB, peer_address("all"));
	zmq_source_init(&host, "sub", NULL, peer_address("all"));
	assert_int_equal(fake_host_open(&host), 0);
	(void)peer_hears(peer, what, sizeof(what));
	peer_says(peer, "anything");
	zmq_turns(&host, 1);
	end();
}

static void test_parts(void **state)
{
	static const char *const message[] = { "top\"ic", "", "b\to\\dy", NULL };
	static const struct {
		const char *parts, *separator, *item, *of_one;
	} rows[] = {
		{ "first", NULL, "top\"ic", "alone" },
		{ "last", NULL, "b\to\\dy", "alone" },
		{ "join", NULL, "top\"icb\to\\dy", "alone" },
		{ "join", "; ", "top\"ic; ; b\to\\dy", "alone" },
		{ "array", NULL, "[\"top\\\"ic\",\"\",\"b\\u0009o\\\\dy\"]", "[\"alone\"]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *peer;

		zmq_source_init(&host, "pull", peer_address("parts"), NULL);
		fake_host_option_string(&host, "parts", rows[i].parts);
		if (rows[i].separator)
			fake_host_option_string(&host, "separator", rows[i].separator);
		assert_int_equal(fake_host_open(&host), 0);
		peer = peer_connect_to(ZMQ_PUSH, peer_address("parts"));
		peer_says_parts(peer, message);
		peer_says(peer, "alone");
		zmq_turns(&host, 2);
		assert_true(fake_host_item_is(&host, 0, rows[i].item));
		assert_true(fake_host_item_is(&host, 1, rows[i].of_one));
		assert_int_equal(host.n_rejected, 0);
		end();
	}
}

/* Whatever is made of its parts, an item is at most so large; a message is refused, and the next one comes. */
static void test_too_large(void **state)
{
	static const struct {
		const char *parts;
		size_t cut_bytes;
		const char *size;
	} rows[] = { { "last", 1000, "3,000" }, { "join", 1000, "3,005" }, { "array", 1000, "3,012" } };
	char large[3000];

	(void)state;
	memset(large, 'x', sizeof(large));
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool cut = i % 2;
		char expected[64];
		void *peer;

		zmq_source_init(&host, "pull", peer_address("large"), NULL);
		host.item_size_max = 1000;
		fake_host_option_string(&host, "parts", rows[i / 2].parts);
		fake_host_option_string(&host, "too_long", cut ? "cut" : "reject");
		assert_int_equal(fake_host_open(&host), 0);
		peer = peer_connect_to(ZMQ_PUSH, peer_address("large"));
		peer_says_bytes(peer, "first", 5, true);
		peer_says_bytes(peer, large, sizeof(large), false);
		peer_says(peer, "next");
		zmq_turns(&host, cut ? 2 : 1);
		snprintf(expected, sizeof(expected), "message 1 has %s bytes and an item may have 1,000",
			 rows[i / 2].size);
		if (cut)
			assert_int_equal(fake_host_item(&host, 0).size_bytes, rows[i / 2].cut_bytes);
		else
			assert_non_null(strstr(host.last_rejection, expected));
		assert_int_equal(host.n_rejected, !cut);
		end();
	}
}

/* What has no room is not received; the peer is held up, and nothing is lost. */
static void test_full(void **state)
{
	char text[32];
	unsigned n_sent = 0;
	void *peer;

	(void)state;
	zmq_source_init(&host, "pull", peer_address("full"), NULL);
	fake_host_option_number(&host, "queue", 5);
	host.room = host.full_after = 3;
	assert_int_equal(fake_host_open(&host), 0);
	peer = peer_connect_to(ZMQ_PUSH, peer_address("full"));
	zmq_setsockopt(peer, ZMQ_SNDHWM, &(int){ 5 }, sizeof(int));
	for (; n_sent < 20; n_sent++) {
		snprintf(text, sizeof(text), "%u", n_sent);
		peer_says(peer, text);
	}
	zmq_turns(&host, 20);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_true(fake_host_item_is(&host, i, text));
	}
	end();
}

/* One that has not room is held over full turns, in order, and comes once. */
static void test_held(void **state)
{
	void *peer;

	(void)state;
	zmq_source_init(&host, "pull", peer_address("held"), NULL);
	host.room = 1;
	assert_int_equal(fake_host_open(&host), 0);
	peer = peer_connect_to(ZMQ_PUSH, peer_address("held"));
	peer_says(peer, "a");
	peer_says(peer, "b");
	for (unsigned n_full = 0; n_full < 3;) {
		n_full += fake_host_produce(&host) == WEIR_MORE;
		assert_int_equal(fake_host_turn_end(&host), 0);
		usleep(1000);
	}
	assert_int_equal(fake_host_items(&host), 1);
	host.room = 5;
	assert_int_equal(fake_host_produce(&host), WEIR_WAIT);
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(fake_host_items(&host), 2);
	assert_true(fake_host_item_is(&host, 1, "b"));
	end();
}

/* A killed worker's address is free for the next one; peers come back by themselves. */
static void test_kill(void **state)
{
	void *peer;

	(void)state;
	zmq_source_init(&host, "pull", peer_address("kill"), NULL);
	assert_int_equal(fake_host_open(&host), 0);
	peer = peer_connect_to(ZMQ_PUSH, peer_address("kill"));
	peer_says(peer, "before");
	zmq_turns(&host, 1);
	fake_host_close(&host);
	host.generation++;
	assert_int_equal(fake_host_open(&host), 0);
	for (unsigned i = 0; i < 50; i++)
		peer_says(peer, "after");
	while (fake_host_items(&host) < 2) {
		assert_int_equal(fake_host_run_source(&host, false), WEIR_WAIT);
		usleep(1000);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pull),    cmocka_unit_test(test_connects), cmocka_unit_test(test_sub),
		cmocka_unit_test(test_sub_all), cmocka_unit_test(test_parts),    cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_full),    cmocka_unit_test(test_held),     cmocka_unit_test(test_kill),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
