/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "tests/unit/worker/stage_test.h"
#include "tests/unit/worker/zmq/peer.h"

static struct fake_host host;

static void begin(const char *parts)
{
	zmq_source_init(&host, "router", peer_address("router"), NULL);
	host.item_size_max = 1000;
	fake_host_option_string(&host, "parts", parts);
	assert_int_equal(fake_host_open(&host), 0);
}

static void end(void)
{
	peer_deinit();
	fake_host_deinit(&host);
}

static void hear(void *peer, const char *word)
{
	char text[64];

	assert_false(peer_hears(peer, text, sizeof(text)));
	assert_string_equal(text, word);
}

/* Turns until it has come, without the one that sends its answer. */
static void take_uncommitted(uint64_t n_items)
{
	while (fake_host_items(&host) + host.n_rejected < n_items) {
		(void)fake_host_produce(&host);
		usleep(1000);
	}
}

static void commit(void)
{
	assert_int_equal(fake_host_turn_end(&host), 0);
	(void)fake_host_produce(&host);
}

static void test_req(void **state)
{
	void *peer;

	(void)state;
	begin("one");
	peer = peer_connect_to(ZMQ_REQ, peer_address("router"));
	peer_says(peer, "a question");
	take_uncommitted(1);
	assert_true(fake_host_item_is(&host, 0, "a question"));
	(void)fake_host_produce(&host);
	assert_true(peer_hears_nothing(peer));
	commit();
	hear(peer, "ok");
	peer_says(peer, "");
	take_uncommitted(2);
	assert_true(fake_host_item_is(&host, 1, ""));
	commit();
	hear(peer, "ok");
	end();
}

/* It is called again for the answers without anybody coming. */
static void test_wakes(void **state)
{
	void *peer;

	(void)state;
	begin("one");
	peer = peer_connect_to(ZMQ_REQ, peer_address("router"));
	peer_says(peer, "a question");
	take_uncommitted(1);
	assert_int_equal(host.watch_wake_ns, 1);
	commit();
	assert_int_equal(host.watch_wake_ns, 0);
	hear(peer, "ok");
	end();
}

/* What stands before the empty part comes back; without one, nothing does but the word. */
static void test_envelopes(void **state)
{
	static const struct {
		const char *request[6], *item, *answer[4];
	} rows[] = {
		{ { "plain", NULL }, "plain", { "ok", NULL } },
		{ { "", "as REQ", NULL }, "as REQ", { "", "ok", NULL } },
		{ { "client", "", "by proxy", NULL }, "by proxy", { "client", "", "ok" } },
		{ { "", "", NULL }, "", { "", "ok", NULL } },
		{ { "", NULL }, "", { "ok", NULL } },
		{ { "", "of", "three", " parts", NULL }, "of|three| parts", { "", "ok", NULL } },
		{ { "a", "b", "c", NULL }, "a|b|c", { "ok", NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64];
		void *peer;

		begin("join");
		fake_host_close(&host);
		fake_host_option_string(&host, "separator", "|");
		assert_int_equal(fake_host_open(&host), 0);
		peer = peer_connect_to(ZMQ_DEALER, peer_address("router"));
		peer_says_parts(peer, rows[i].request);
		take_uncommitted(1);
		assert_true(fake_host_item_is(&host, 0, rows[i].item));
		commit();
		for (size_t j = 0; j < 4 && rows[i].answer[j]; j++) {
			bool more = peer_hears(peer, text, sizeof(text));

			assert_string_equal(text, rows[i].answer[j]);
			assert_int_equal(more, j < 3 && rows[i].answer[j + 1] != NULL);
		}
		end();
	}
}

static void test_refused(void **state)
{
	char large[2000];
	void *peer;

	(void)state;
	begin("one");
	memset(large, 'x', sizeof(large));
	peer = peer_connect_to(ZMQ_REQ, peer_address("router"));
	peer_says_bytes(peer, large, sizeof(large), false);
	take_uncommitted(1);
	commit();
	hear(peer, "refused");
	peer_says_parts(peer, (const char *[]){ "two", "parts", NULL });
	take_uncommitted(2);
	commit();
	hear(peer, "refused");
	assert_int_equal(host.n_rejected, 2);
	assert_int_equal(fake_host_items(&host), 0);
	end();
}

static void test_long_envelope(void **state)
{
	char name[300];
	void *peer;

	(void)state;
	begin("one");
	memset(name, 'n', sizeof(name));
	peer = peer_connect_to(ZMQ_DEALER, peer_address("router"));
	peer_says_bytes(peer, name, sizeof(name), true);
	peer_says_bytes(peer, "", 0, true);
	peer_says(peer, "body");
	take_uncommitted(1);
	assert_non_null(strstr(host.last_rejection, "nobody can be answered"));
	commit();
	assert_true(peer_hears_nothing(peer));
	end();
}

/* More than a turn's; and a peer who has gone is no trouble for the others. */
static void test_many(void **state)
{
	void *peer, *gone;

	(void)state;
	begin("one");
	gone = peer_connect_to(ZMQ_DEALER, peer_address("router"));
	peer_says(gone, "bye");
	take_uncommitted(1);
	peer_close(gone);
	usleep(50000);
	commit();
	peer = peer_connect_to(ZMQ_DEALER, peer_address("router"));
	for (unsigned i = 0; i < 300; i++)
		peer_says(peer, "again");
	zmq_turns(&host, 301);
	(void)fake_host_run_source(&host, false); /* as it has asked for */
	for (unsigned i = 0; i < 300; i++)
		hear(peer, "ok");
	assert_true(peer_hears_nothing(peer));
	end();
}

/* The last turn is committed, and nobody calls produce() any more. */
static void test_close(void **state)
{
	void *peer;

	(void)state;
	begin("one");
	peer = peer_connect_to(ZMQ_REQ, peer_address("router"));
	peer_says(peer, "the last");
	take_uncommitted(1);
	assert_int_equal(fake_host_turn_end(&host), 0);
	fake_host_close(&host);
	hear(peer, "ok");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_req),     cmocka_unit_test(test_wakes),         cmocka_unit_test(test_envelopes),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_long_envelope), cmocka_unit_test(test_many),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
