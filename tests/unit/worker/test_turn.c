/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "rig.h"
#include "tests/rings.h"
#include "worker/host.h"
#include "worker/input.h"
#include "worker/turn.h"
#include "worker/wait.h"

static int answer;
static unsigned n_calls;

static int stage_answer(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context, (void)state, (void)item;
	n_calls++;
	return answer;
}

static int stage_double(struct weir_context *context, void *state, const struct weir_item *item)
{
	int r = weir_emit(context, 0, item->data, item->size_bytes);

	(void)state;
	return r ? r : weir_emit(context, 0, item->data, item->size_bytes);
}

static int stage_flush(struct weir_context *context, void *state)
{
	(void)context, (void)state;
	return 0;
}

static const struct weir_stage answering = { .role = WEIR_OPERATOR, .process = stage_answer };

static void push_and_close(struct rig *rig, unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rig_push(&rig->producers[0], text), 0);
	rig_commit(&rig->producers[0]);
	lane_out_close(&rig->producers[0].outputs[0].lanes[0].lane);
}

static void test_what_is_no_outcome_of_process_fails_the_stage(void **state)
{
	static const int answers[] = { WEIR_MORE,    WEIR_WAIT,      WEIR_FULL, WEIR_CLOSED, WEIR_CANCELLED,
				       WEIR_EXPIRED, WEIR_TOO_LARGE, 42,        100 };

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct rig rig;

		rig_init_chain(&rig, &answering);
		push_and_close(&rig, 2, "item");
		answer = answers[i];
		n_calls = 0;
		assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
		assert_non_null(strstr(rig.relay.reason, "process()"));
		if (answers[i] == WEIR_WAIT)
			assert_non_null(strstr(rig.relay.reason, "without weir_postpone()"));
		assert_int_equal(n_calls, 1);
		assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 0);
		rig_deinit(&rig);
	}
}

/* The other side of the lane: what the relay emits, until it has closed. */
static void *drain(void *data)
{
	struct worker *consumer = data;
	const char *text;

	while (strcmp(text = rig_take(consumer), ".")) {
		if (!strcmp(text, "-"))
			usleep(1000);
		else
			rig_commit(consumer);
	}
	return NULL;
}

static void test_a_stage_with_flush_may_emit_more_in_a_turn_than_a_lane_holds(void **state)
{
	static const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = stage_double, .flush = stage_flush };
	char text[701];
	pthread_t thread;
	struct rig rig;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	rig_init_chain(&rig, &stage);
	push_and_close(&rig, 5, text); /* 5 x 736 bytes in, twice that out, in one batch, through a lane of 4096 */
	assert_int_equal(pthread_create(&thread, NULL, drain, &rig.consumers[0]), 0);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 5);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], 10);
	rig_deinit(&rig);
}

static void test_the_suspect_comes_before_other_lanes(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 3, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	for (int i = 0; i < 3; i++) {
		rig_push(&rig.producers[i], (const char *[]){ "a", "b", "c" }[i]);
		rig_commit(&rig.producers[i]);
	}
	rig.consumers[0].suspect_attempts = 1;
	rig.consumers[0].suspect_lane = 2;
	input_rotate(&rig.consumers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "c");
	rig_deinit(&rig);
}

static void test_a_watch_of_a_stage_without_produce_is_harmless(void **state)
{
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &answering);
	weir_watch(&rig.relay.context, rig.doorbells[1], POLLOUT, 0); /* ready at once */
	assert_int_equal(wait_sleep(&rig.relay, ARM_DATA, 0), 0);
	assert_int_equal(rig.relay.watch.fd, -1);
	assert_false(rig.relay.produce_wanted);
	rig_deinit(&rig);
}

static void test_no_callback_wakes_up_for_a_run_that_it_can_not_end(void **state)
{
	uint64_t from_ns;
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &answering);
	rig.relay.heritage.outputs[0].order = HERITAGE_ORDER_DEAL;
	rig.relay.deals_runs = true;
	rig.relay.heritage.outputs[0].run_bytes = 1000;
	rig.relay.heritage.outputs[0].run_wait_ns = 1;
	rig.relay.cursor.outputs[0].run_records = 1; /* long due */
	rig.relay.phase = PHASE_PROCESS;
	rig.relay.backstop_ms = 200;
	from_ns = clock_now_ns();
	assert_int_equal(wait_sleep(&rig.relay, ARM_SPACE, RIG_LANE_SIZE + 1), 0);
	assert_true(clock_now_ns() - from_ns >= 200 * NS_PER_MS);
	rig.relay.phase = PHASE_NONE;
	rig.relay.backstop_ms = rig.relay.sleep_ms = RIG_NEVER_MS;
	from_ns = clock_now_ns();
	assert_int_equal(wait_sleep(&rig.relay, ARM_SPACE, RIG_LANE_SIZE + 1), 0);
	assert_true(clock_now_ns() - from_ns < RIG_NEVER_MS / 2 * NS_PER_MS);
	rig_deinit(&rig);
}

struct waker {
	struct doorbell_peer *peer;
	bool rang;
};

static void *wake(void *data)
{
	struct waker *waker = data;

	for (int i = 0; i < 500 && !waker->rang; i++) {
		waker->rang = doorbell_wake(waker->peer, ARM_DATA, 0);
		usleep(1000);
	}
	return NULL;
}

static void test_every_generation_is_rung(void **state)
{
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &answering);
	for (uint32_t generation = 0; generation < 3; generation++) {
		struct waker waker = { .peer = &rig.producers[0].peers[1].doorbell };
		pthread_t thread;

		if (generation)
			rig_replace_relay(&rig, generation);
		rings_forget(rig.doorbells[1]); /* rings that nobody has heard would end the first sleep */
		assert_int_equal(pthread_create(&thread, NULL, wake, &waker), 0);
		assert_int_equal(wait_sleep(&rig.relay, ARM_DATA, 0), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_true(waker.rang);
	}
	rig_deinit(&rig);
}

/* A sleep that nothing ended makes the next one longer, and nobody looks on for what is not about to come. A ring ends the rest. */
static void test_who_is_at_rest_goes_back_to_sleep_at_once(void **state)
{
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &answering);
	rig.relay.plain_input = true;
	assert_int_equal(wait_for_plain(&rig.relay), WAIT_E_NOTHING);
	assert_true(rig.relay.spun_rounds > 0);
	rings_forget(rig.doorbells[1]);
	assert_int_equal(wait_sleep(&rig.relay, ARM_DATA, 0), 0);
	assert_true(rig.relay.sleep_ms > 1000);
	assert_int_equal(wait_for_plain(&rig.relay), WAIT_E_NOTHING);
	assert_int_equal(rig.relay.spun_rounds, 0);
	doorbell_ring(rig.doorbells[1]);
	assert_int_equal(wait_sleep(&rig.relay, ARM_DATA, 0), 0);
	assert_int_equal(wait_for_plain(&rig.relay), WAIT_E_NOTHING);
	assert_true(rig.relay.spun_rounds > 0);
	rig_deinit(&rig);
}

static int source_fails(struct weir_context *context, void *state)
{
	(void)state;
	n_calls++;
	weir_fail(context, "no more");
	return WEIR_FAILED;
}

/* A worker may be killed between the commit of its end and its goodbye: the next one must not make a clean end of it. */
static void test_a_failed_source_stays_failed(void **state)
{
	static const struct weir_stage failing = { .role = WEIR_SOURCE, .produce = source_fails };
	struct worker *producer;
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	producer = &rig.producers[0];
	producer->context.host = &worker_host;
	producer->stage = failing;
	rig.board->order = BOARD_RUN;
	producer->order_seen = BOARD_RUN;
	n_calls = 0;
	assert_int_equal(turn_loop(producer), WEIR_FAILED);
	assert_string_equal(producer->reason, "no more");
	assert_int_equal(n_calls, 1);
	assert_string_equal(rig_take(&rig.consumers[0]), "."); /* its lanes are closed: the others can finish */

	memcpy(&producer->cursor, cursor_current(&producer->segment), sizeof(producer->cursor));
	assert_int_equal(turn_loop(producer), WEIR_FAILED);
	assert_int_equal(n_calls, 1);
	rig_deinit(&rig);
}

static struct rig *ordered_rig;

/* With the first item in hand it is told to drain. */
static int stage_is_told(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context;
	(void)state;
	(void)item;
	if (n_calls++ == 0)
		rig_order(ordered_rig, BOARD_DRAIN);
	else
		assert_int_equal(ordered_rig->relay.order_seen, BOARD_DRAIN);
	return WEIR_OK;
}

/* Items may be slow: who is told something says so behind the one in hand, not behind the turn. */
static void test_an_order_is_seen_between_two_items(void **state)
{
	static const struct weir_stage stage = { .role = WEIR_OPERATOR, .process = stage_is_told };

	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		struct rig rig;

		rig_init_chain(&rig, &stage);
		ordered_rig = &rig;
		rig.relay.plain_input = plain;
		push_and_close(&rig, 5, "item");
		n_calls = 0;
		assert_int_equal(turn_loop(&rig.relay), 0);
		assert_int_equal(n_calls, 5);
		rig_deinit(&rig);
	}
}

static int more;

/* Emits, is silent, has more to do or has not, emits, is silent. */
static int stage_of_all_kinds(struct weir_context *context, void *state, const struct weir_item *item)
{
	unsigned n = n_calls++;

	(void)state;
	return n % 3 == 0 ? weir_emit(context, 0, item->data, item->size_bytes) : n == 2 ? more : WEIR_OK;
}

static int stage_has_done(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

/* Whichever way items come, the books say the same of them. Who may have something to add later filters nothing. */
static void test_both_ways_keep_the_same_books(void **state)
{
	static const struct weir_stage filters = { .role = WEIR_OPERATOR, .process = stage_of_all_kinds };
	static const struct weir_stage adds = { .role = WEIR_OPERATOR,
						.process = stage_of_all_kinds,
						.produce = stage_has_done };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool filter = i < 2;
		struct rig rig;

		rig_init_chain(&rig, filter ? &filters : &adds);
		rig.relay.plain_input = i % 2;
		push_and_close(&rig, 5, "item");
		more = filter ? WEIR_OK : WEIR_MORE;
		n_calls = 0;
		assert_int_equal(turn_loop(&rig.relay), 0);
		assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 5);
		assert_int_equal(rig.relay.cursor.ledger[LEDGER_CONSUMED], filter ? 2 : 5);
		assert_int_equal(rig.relay.cursor.ledger[LEDGER_FILTERED], filter ? 3 : 0);
		assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], 2);
		rig_deinit(&rig);
	}
}

static int stage_counts(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context;
	(void)state;
	assert_int_equal(item->size_bytes, strlen("sound"));
	n_calls++;
	return WEIR_OK;
}

/* No stage sees a record that does not lie there whole, or is of no kind; on the short way neither, and its producer is blamed. */
static void test_a_record_that_makes_no_sense_is_not_taken(void **state)
{
	static const struct weir_stage operates = { .role = WEIR_OPERATOR, .process = stage_counts };
	static const struct weir_stage sinks = { .role = WEIR_SINK, .process = stage_counts };
	static const struct item_header headers[] = {
		{ .size_bytes = 5 + 8, .kind = ITEM_DATA },
		{ .size_bytes = UINT32_MAX, .kind = ITEM_DATA },
		{ .size_bytes = 5, .kind = 0 },
		{ .size_bytes = UINT32_MAX - 7, .kind = 0 },
		{ .size_bytes = 5, .kind = 7 },
		{ .size_bytes = 5, .kind = ITEM_DATA, .flags = 1 },
	};

	(void)state;
	for (uint32_t i = 0; i < 2 * sizeof(headers) / sizeof(headers[0]); i++) {
		struct rig rig;
		struct lane_out *lane;

		rig_init_chain(&rig, i % 2 ? &sinks : &operates);
		rig.relay.plain_input = true;
		lane = &rig.producers[0].outputs[0].lanes[0].lane;
		assert_int_equal(rig_push(&rig.producers[0], "sound"), 0);
		memcpy(lane->data + lane->built, &headers[i / 2], sizeof(headers[0]));
		lane->built += item_record_size(strlen("sound"));
		rig_commit(&rig.producers[0]);
		n_calls = 0;
		assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
		assert_non_null(strstr(rig.relay.reason, "its records make no sense"));
		assert_int_equal(n_calls, 1);
		rig_deinit(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_no_outcome_of_process_fails_the_stage),
		cmocka_unit_test(test_a_stage_with_flush_may_emit_more_in_a_turn_than_a_lane_holds),
		cmocka_unit_test(test_the_suspect_comes_before_other_lanes),
		cmocka_unit_test(test_a_watch_of_a_stage_without_produce_is_harmless),
		cmocka_unit_test(test_no_callback_wakes_up_for_a_run_that_it_can_not_end),
		cmocka_unit_test(test_every_generation_is_rung),
		cmocka_unit_test(test_who_is_at_rest_goes_back_to_sleep_at_once),
		cmocka_unit_test(test_a_failed_source_stays_failed),
		cmocka_unit_test(test_an_order_is_seen_between_two_items),
		cmocka_unit_test(test_both_ways_keep_the_same_books),
		cmocka_unit_test(test_a_record_that_makes_no_sense_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
