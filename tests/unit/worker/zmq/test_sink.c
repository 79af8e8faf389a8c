/* SPDX-License-Identifier: Apache-2.0 */
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
	fake_host_deinit(&host);
	peer_deinit();
}

static void give(const char *text)
{
	assert_int_equal(fake_host_process(&host, text, strlen(text)), 0);
}

static void test_push(void **state)
{
	char text[64];
	void *peer;

	(void)state;
	peer = peer_bind(ZMQ_PULL, peer_address("push"));
	zmq_sink_init(&host, "push", NULL, peer_address("push"));
	assert_int_equal(fake_host_open(&host), 0);
	give("one");
	give("");
	assert_int_equal(fake_host_turn_end(&host), 0);
	give("three");
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_false(peer_hears(peer, text, sizeof(text)));
	assert_string_equal(text, "one");
	assert_false(peer_hears(peer, text, sizeof(text)));
	assert_string_equal(text, "");
	assert_false(peer_hears(peer, text, sizeof(text)));
	assert_string_equal(text, "three");
	assert_true(peer_hears_nothing(peer));
	end();
}

/* More than the room for bytes on their way out, and one item that is larger than it. */
static void test_much(void **state)
{
	const size_t size = 300000, large = 3000000;
	char *item = malloc(large), *heard = malloc(large + 1);
	void *peer;

	(void)state;
	assert_non_null(item);
	assert_non_null(heard);
	peer = peer_bind(ZMQ_PULL, peer_address("much"));
	zmq_sink_init(&host, "push", NULL, peer_address("much"));
	assert_int_equal(fake_host_open(&host), 0);
	for (unsigned i = 0; i < 12; i++) {
		memset(item, 'a' + (int)i, large);
		assert_int_equal(fake_host_process(&host, item, i == 5 ? large : size), 0);
	}
	assert_int_equal(fake_host_turn_end(&host), 0);
	for (unsigned i = 0; i < 12; i++) {
		memset(item, 'a' + (int)i, large);
		(void)peer_hears(peer, heard, large + 1);
		assert_int_equal(strlen(heard), i == 5 ? large : size);
		assert_memory_equal(heard, item, strlen(heard));
	}
	free(item);
	free(heard);
	end();
}

/* Without a peer it waits, and hears that it is cancelled. */
static void test_nobody(void **state)
{
	(void)state;
	zmq_sink_init(&host, "push", peer_address("nobody"), NULL);
	host.patience_ns = 50 * NS_PER_MS;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_process(&host, "x", 1), WEIR_CANCELLED);
	end();
	assert_int_equal(access(folder_path("nobody"), F_OK), -1);
}

/* One that comes later gets what has waited. */
static void bring_peer(struct fake_host *waiting, void *data)
{
	void **peer = data;

	(void)waiting;
	if (!*peer)
		*peer = peer_connect_to(ZMQ_PULL, peer_address("later"));
}

static void test_later(void **state)
{
	void *peer = NULL;
	char text[64];

	(void)state;
	zmq_sink_init(&host, "push", peer_address("later"), NULL);
	host.on_wait = bring_peer;
	host.on_wait_data = &peer;
	assert_int_equal(fake_host_open(&host), 0);
	give("x");
	assert_int_equal(fake_host_turn_end(&host), 0);
	(void)peer_hears(peer, text, sizeof(text));
	assert_string_equal(text, "x");
	end();
}

/* A turn is committed when its messages have left the queue: with a peer that takes none, never. */
static void test_slow_peer(void **state)
{
	static char item[60000];
	unsigned n_turns = 0;
	int r = 0;

	(void)state;
	(void)peer_bind_slow(ZMQ_PULL, peer_address("slow"));
	zmq_sink_init(&host, "push", NULL, peer_address("slow"));
	fake_host_option_number(&host, "linger", 0);
	host.patience_ns = 300 * NS_PER_MS;
	assert_int_equal(fake_host_open(&host), 0);
	for (; r == 0 && n_turns < 1000; n_turns++) {
		r = fake_host_process(&host, item, sizeof(item));
		r = r == 0 ? fake_host_turn_end(&host) : r;
	}
	assert_int_equal(r, WEIR_CANCELLED);
	end();
}

/* What a peer that is gone had not taken is no reason to wait for ever. */
static void tire(struct fake_host *waiting, void *data)
{
	unsigned *n = data;

	waiting->cancelled = ++*n > 10000;
}

static void test_peer_dies(void **state)
{
	unsigned n = 0;
	static char item[60000];
	void *peer = peer_bind_slow(ZMQ_PULL, peer_address("dies"));
	int r = 0;

	(void)state;
	zmq_sink_init(&host, "push", NULL, peer_address("dies"));
	host.patience_ns = 300 * NS_PER_MS;
	assert_int_equal(fake_host_open(&host), 0);
	while (r == 0) {
		for (unsigned i = 0; i < 12; i++)
			assert_int_equal(fake_host_process(&host, item, sizeof(item)), 0);
		r = fake_host_turn_end(&host);
	}
	assert_int_equal(r, WEIR_CANCELLED);
	host.cancelled = false;
	host.patience_ns = 20 * NS_PER_S;
	host.on_wait = tire;
	host.on_wait_data = &n;
	peer_close(peer);
	assert_int_equal(fake_host_turn_end(&host), 0);
	end();
}

static void test_pub(void **state)
{
	static const char *const ways[] = { "drop", "wait" };
	char text[64];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		void *peer;

		zmq_sink_init(&host, "pub", peer_address("pub"), NULL);
		fake_host_option_string(&host, "slow", ways[i]);
		fake_host_option_number(&host, "queue", 2);
		host.patience_ns = 300 * NS_PER_MS;
		assert_int_equal(fake_host_open(&host), 0);
		give("to nobody");
		assert_int_equal(fake_host_turn_end(&host), 0);
		peer = peer_connect_to(ZMQ_SUB, peer_address("pub"));
		zmq_setsockopt(peer, ZMQ_RCVTIMEO, &(int){ 20 }, sizeof(int));
		do {
			give("hello");
			assert_int_equal(fake_host_turn_end(&host), 0);
		} while (zmq_recv(peer, text, sizeof(text), 0) != 5);
		end();
	}
}

/* To a subscriber that takes none: dropped for him, or waited for. */
static void test_slow_subscriber(void **state)
{
	static const char *const ways[] = { "drop", "wait" };
	static char item[60000];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned n = 0;
		void *peer;
		int r = 0;

		zmq_sink_init(&host, "pub", NULL, peer_address("slow"));
		fake_host_option_string(&host, "slow", ways[i]);
		fake_host_option_number(&host, "queue", 2);
		fake_host_option_number(&host, "linger", 0);
		host.patience_ns = 300 * NS_PER_MS;
		assert_int_equal(fake_host_open(&host), 0);
		peer = peer_bind_slow(ZMQ_SUB, peer_address("slow"));
		zmq_setsockopt(peer, ZMQ_RCVTIMEO, &(int){ 20 }, sizeof(int));
		do
			give("hello");
		while (zmq_recv(peer, item, sizeof(item), 0) != 5);
		for (; r == 0 && n < 1000; n++) {
			r = fake_host_process(&host, item, sizeof(item));
			r = r == 0 ? fake_host_turn_end(&host) : r;
		}
		assert_int_equal(r, i ? WEIR_CANCELLED : 0);
		end();
	}
}

static void test_topic(void **state)
{
	char text[64];
	void *peer;

	(void)state;
	peer = peer_bind(ZMQ_PULL, peer_address("topic"));
	zmq_sink_init(&host, "push", NULL, peer_address("topic"));
	fake_host_option_string(&host, "topic", "orders");
	assert_int_equal(fake_host_open(&host), 0);
	give("item");
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_true(peer_hears(peer, text, sizeof(text)));
	assert_string_equal(text, "orders");
	assert_false(peer_hears(peer, text, sizeof(text)));
	assert_string_equal(text, "item");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_push),      cmocka_unit_test(test_much),
		cmocka_unit_test(test_nobody),    cmocka_unit_test(test_later),
		cmocka_unit_test(test_slow_peer), cmocka_unit_test(test_peer_dies),
		cmocka_unit_test(test_pub),       cmocka_unit_test(test_slow_subscriber),
		cmocka_unit_test(test_topic),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
