/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose replies come from a sink: source and sink in two bottles, clients beside them, and what docs/zmq.md says goes wrong. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/clock.h"
#include "tests/unit/worker/document_cases.h"
#include "tests/unit/worker/stage_test.h"
#include "tests/unit/worker/zmq/asked.h"
#include "worker/zmq/way.h"

/* ---- one request, one reply ---- */

static void test_reply(void **state)
{
	void *one, *other;

	(void)state;
	begin();
	one = ask("one?");
	hand_over();
	other = ask("other?");
	assert_int_equal(reply("one!"), 0);
	hand_over();
	assert_int_equal(reply(""), 0);
	fake_host_commit(&sink);
	hears(one, "one!");
	hears(other, "");
	end();
}

/* Whoever asks has as long as `within` says, and what is made of it, too. */
static void test_expires(void **state)
{
	uint64_t from_ns = clock_now_ns();

	(void)state;
	begin();
	ask("?");
	assert_in_range(source.expire_at_ns, from_ns + LONG_NS, clock_now_ns() + LONG_NS);
	end();
}

static void test_the_first_reply_counts(void **state)
{
	void *peer;

	(void)state;
	begin();
	peer = ask("?");
	hand_over();
	assert_int_equal(fake_host_process(&sink, "first", 5), 0);
	assert_int_equal(reply("second"), 0);
	hears(peer, "first");
	assert_true(peer_hears_nothing(peer));
	end();
}

static void test_the_sink_is_killed(void **state)
{
	void *peer;

	(void)state;
	begin();
	peer = ask("?");
	hand_over();
	assert_int_equal(reply("!"), 0);
	hears(peer, "!");
	fake_host_kill(&sink); /* before its commit */
	assert_int_equal(fake_host_open(&sink), 0);
	assert_int_equal(reply("!"), 0);
	fake_host_commit(&sink);
	assert_true(peer_hears_nothing(peer));
	end();
}

/* Nobody gets what was for somebody else, whose request lay in the same place. */
static void test_the_source_is_killed(void **state)
{
	void *peer;
	unsigned char old[64];

	(void)state;
	begin();
	ask("before");
	hand_over();
	memcpy(old, sink.pair, sizeof(old));
	fake_host_close(&source); /* a kill, but for the socket, which a process takes along */
	assert_int_equal(fake_host_open(&source), 0);
	peer = ask("after");
	assert_int_equal(reply("to before"), 0);
	assert_true(peer_hears_nothing(peer));
	assert_int_not_equal(memcmp(old, source.set, sizeof(uint64_t)), 0);
	hand_over();
	assert_int_equal(reply("to after"), 0);
	hears(peer, "to after");
	end();
}

/* A reply that was said while nobody listened is said again. */
static void come_back(struct fake_host *host, void *data)
{
	(void)data;
	if (host->n_waits < 3)
		return;
	if (!source.state)
		assert_int_equal(fake_host_open(&source), 0);
	some_turns(host, NULL);
}

static void test_the_source_comes_back(void **state)
{
	(void)state;
	begin();
	ask("before");
	hand_over();
	fake_host_close(&source);
	sink.on_wait = come_back;
	sink.n_waits = 0;
	assert_int_equal(reply("to nobody"), 0);
	assert_non_null(source.state);
	end();
}

/* Nor is it waited for longer than its client waits. */
static void test_the_source_does_not_come_back(void **state)
{
	(void)state;
	begin_with(SOON_NS, 100);
	ask("before");
	hand_over();
	fake_host_close(&source);
	sink.on_wait = lose_patience;
	assert_int_equal(reply("to nobody"), 0);
	end();
}

static void test_a_cancel_ends_the_wait(void **state)
{
	(void)state;
	begin();
	ask("before");
	hand_over();
	fake_host_close(&source);
	sink.on_wait = NULL;
	sink.cancelled = true;
	assert_int_equal(reply("to nobody"), WEIR_CANCELLED);
	sink.cancelled = false;
	end();
}

static void test_more_than_may_wait(void **state)
{
	void *one, *other;

	(void)state;
	begin_with(LONG_NS, 1);
	one = ask("one?");
	hand_over();
	other = peer_connect_to(ZMQ_REQ, peer_address("asked"));
	peer_says(other, "other?");
	for (unsigned i = 0; i < 50; i++) {
		turn_of_source();
		usleep(1000);
	}
	assert_int_equal(fake_host_items(&source), 1);
	assert_int_equal(reply("one!"), 0);
	hears(one, "one!");
	zmq_turns(&source, 2);
	hand_over();
	assert_int_equal(reply("other!"), 0);
	hears(other, "other!");
	end();
}

/* The place of a request is used again, and the oldest is still the oldest. */
static void test_places_are_used_again(void **state)
{
	void *peers[4];
	unsigned char pairs[4][64];

	(void)state;
	begin_with(LONG_NS, 4);
	for (unsigned round = 0; round < 3; round++) {
		static const unsigned order[3][4] = { { 0, 1, 2, 3 }, { 3, 1, 0, 2 }, { 2, 0, 3, 1 } };

		for (unsigned i = 0; i < 4; i++) {
			peers[i] = ask((const char *[]){ "a", "b", "c", "d" }[i]);
			memcpy(pairs[i], source.set, sizeof(pairs[i]));
		}
		hand_over();
		for (unsigned i = 0; i < 4; i++) {
			memcpy(sink.pair, pairs[order[round][i]], sizeof(sink.pair));
			assert_int_equal(reply((const char *[]){ "A", "B", "C", "D" }[order[round][i]]), 0);
		}
		for (unsigned i = 0; i < 4; i++) {
			hears(peers[i], (const char *[]){ "A", "B", "C", "D" }[i]);
			peer_close(peers[i]);
		}
	}
	end();
}

static void test_it_stays_until_the_sink_has_ended(void **state)
{
	void *peer;

	(void)state;
	begin();
	peer = ask("?");
	hand_over();
	source.draining = true;
	for (unsigned i = 0; i < 20; i++)
		assert_int_not_equal(drain_turn(), WEIR_CLOSED);
	assert_int_equal(reply("!"), 0);
	hears(peer, "!");
	for (unsigned i = 0; i < 20; i++) /* its word may not have been heard by the sink */
		assert_int_not_equal(drain_turn(), WEIR_CLOSED);
	assert_int_equal(fake_host_finish(&sink), 0);
	fake_host_commit(&sink);
	fake_host_close(&sink);
	assert_int_equal(drain_until(WEIR_CLOSED), WEIR_CLOSED);
	end();
}

/* The sink's stage was given up, or its last word was lost. */
static void test_it_stays_no_longer_than_clients_wait(void **state)
{
	void *peer;
	uint64_t from_ns = clock_now_ns();

	(void)state;
	begin_with(SOON_NS, 100);
	peer = ask("?");
	fake_host_close(&sink); /* without its end: it did not come to finish() */
	source.draining = true;
	assert_int_equal(drain_until(WEIR_CLOSED), WEIR_CLOSED);
	assert_true(clock_now_ns() - from_ns >= SOON_NS);
	hears_fault(peer, "late");
	end();
}

static void test_a_drain_is_taken_back(void **state)
{
	(void)state;
	begin_with(SOON_NS, 100);
	source.draining = true;
	(void)drain_turn();
	usleep(2 * SOON_NS / 1000);
	source.draining = false;
	ask("?");
	source.draining = true;
	assert_int_not_equal(drain_turn(), WEIR_CLOSED);
	end();
}

static void test_who_is_left_is_told(void **state)
{
	void *peer;

	(void)state;
	begin();
	peer = ask("?");
	fake_host_close(&source);
	hears_fault(peer, "ended");
	end();
}

/* Who was told at once with a word has no reply to wait for: the old way. */
static void test_without_replies_a_drain_is_over_at_once(void **state)
{
	(void)state;
	zmq_source_init(&source, "router", peer_address("asked"), NULL);
	assert_int_equal(fake_host_open(&source), 0);
	peer_says(peer_connect_to(ZMQ_REQ, peer_address("asked")), "?");
	usleep(50000);
	source.draining = true;
	assert_int_equal(fake_host_produce(&source), WEIR_CLOSED);
	assert_int_equal(fake_host_items(&source), 0);
	fake_host_deinit(&source);
	peer_deinit();
}

/* ---- the table ---- */

static void *ask_wrongly(void)
{
	char large[2000];
	void *peer = peer_connect_to(ZMQ_REQ, peer_address("asked"));

	memset(large, 'x', sizeof(large));
	peer_says_bytes(peer, large, sizeof(large), false);
	return peer;
}

static void refused(void)
{
	void *peer;

	begin();
	peer = ask_wrongly();
	zmq_turns_refused(&source, 1);
	turn_of_source();
	hears_fault(peer, "refused");
}

static void nobody_replies(void)
{
	void *peer;

	begin_with(SOON_NS, 100);
	peer = ask("?");
	usleep(SOON_NS / 1000);
	turn_of_source();
	hears_fault(peer, "late");
}

static void too_late(void)
{
	nobody_replies();
	hand_over();
	assert_int_equal(reply("at last"), 0);
}

static void while_draining(void)
{
	void *peer;

	begin();
	ask("before");
	source.draining = true;
	peer = peer_connect_to(ZMQ_REQ, peer_address("asked"));
	peer_says(peer, "meanwhile");
	for (unsigned i = 0; i < 100; i++)
		(void)drain_turn();
	hears_fault(peer, "draining");
	assert_int_equal(fake_host_items(&source), 1);
}

static void gone(void)
{
	begin();
	peer_close(ask("?"));
	hand_over();
	usleep(50000);
	assert_int_equal(reply("!"), 0);
}

static void no_request(void)
{
	begin();
	assert_int_equal(reply("!"), WEIR_REJECTED);
}

static void no_address(void)
{
	begin();
	ask("?");
	hand_over();
	sink.pair_bytes--;
	assert_int_equal(reply("!"), WEIR_REJECTED);
	sink.pair_bytes++;
	((struct way_address *)(void *)sink.pair)->worker = WAY_WORKERS_MAX;
	assert_int_equal(reply("!"), WEIR_REJECTED);
}

/* Nobody else gets into the folder; but what comes there is looked at all the same. */
static void rubbish(void)
{
	char endpoint[WAY_ADDRESS_MAX];
	struct way_note note = { .kind = WAY_REPLY, .session = 1, .number = 1, .slot = UINT32_MAX };
	void *stranger, *peer;

	begin();
	way_endpoint(&source.context, "ask", 0, endpoint);
	stranger = peer_connect_to(ZMQ_DEALER, endpoint);
	peer = ask("?");
	hand_over();
	peer_says(stranger, "");
	peer_says_parts(stranger, (const char *[]){ "no", "note", "at", "all", NULL });
	peer_says_bytes(stranger, &note, sizeof(note), false);
	peer_says_bytes(stranger, &note, sizeof(note), true);
	peer_says(stranger, "for nobody");
	memcpy(&note.session, source.set, sizeof(note.session));
	peer_says_bytes(stranger, &note, sizeof(note), true);
	peer_says(stranger, "for nobody");
	note.slot = 0;
	note.number = 0;
	peer_says_bytes(stranger, &note, sizeof(note), true);
	peer_says(stranger, "for nobody");
	usleep(50000);
	assert_int_equal(reply("an answer"), 0);
	hears(peer, "an answer");
}

static const struct {
	const char *what;
	void (*run)(void);
} cases[] = {
	{ "a request that becomes a dead letter at the source", refused },
	{ "no reply in time", nobody_replies },
	{ "a reply behind that", too_late },
	{ "a request while the pipeline drains", while_draining },
	{ "a client that has gone", gone },
	{ "an item that replies to no request", no_request },
	{ "baggage that is no address", no_address },
	{ "rubbish on the way back", rubbish },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static const char *what(size_t i)
{
	return cases[i].what;
}

/* What the log says of it, and clients hear. */
static void run_case(size_t i)
{
	heard[0] = '\0';
	cases[i].run();
	fprintf(stderr, "%s\n%s\n", heard, sink.reason);
	end();
}

static void test_document(void **state)
{
	(void)state;
	document_cases_try(&(const struct document_cases){ .document = WEIR_SOURCE_DIR "/docs/zmq.md",
							   .heading = "Replies: what goes wrong",
							   .n = N_CASES,
							   .what = what,
							   .run = run_case });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_expires),
		cmocka_unit_test(test_the_first_reply_counts),
		cmocka_unit_test(test_the_sink_is_killed),
		cmocka_unit_test(test_the_source_is_killed),
		cmocka_unit_test(test_the_source_comes_back),
		cmocka_unit_test(test_the_source_does_not_come_back),
		cmocka_unit_test(test_a_cancel_ends_the_wait),
		cmocka_unit_test(test_more_than_may_wait),
		cmocka_unit_test(test_places_are_used_again),
		cmocka_unit_test(test_it_stays_until_the_sink_has_ended),
		cmocka_unit_test(test_it_stays_no_longer_than_clients_wait),
		cmocka_unit_test(test_a_drain_is_taken_back),
		cmocka_unit_test(test_who_is_left_is_told),
		cmocka_unit_test(test_without_replies_a_drain_is_over_at_once),
		cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
