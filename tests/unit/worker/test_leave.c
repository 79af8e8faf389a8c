/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "rig.h"
#include "tests/rings.h"
#include "worker/host.h"
#include "worker/leave.h"
#include "worker/loop.h"
#include "worker/turn.h"

static unsigned n_calls, leave_at, reject_at;

static int stage_leaves(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	n_calls++;
	if (n_calls == leave_at)
		assert_int_equal(weir_leave(context, WEIR_ALL_INPUTS), 0);
	if (n_calls == reject_at) {
		weir_reject(context, "not this one");
		return WEIR_FAILED;
	}
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static const struct weir_stage leaving = { .role = WEIR_OPERATOR, .process = stage_leaves };

static void begin(struct rig *rig, unsigned at)
{
	n_calls = 0;
	leave_at = at;
	reject_at = 0;
	rig_init_chain(rig, &leaving);
}

static void push(struct rig *rig, const char *text)
{
	for (; *text; text++)
		assert_int_equal(rig_push(&rig->producers[0], (char[]){ *text, '\0' }), 0);
	rig_commit(&rig->producers[0]);
}

static bool is_left(const struct rig *rig)
{
	return load_relaxed(&rig->relay.segment.readers[0].left) == LANE_LEFT;
}

static bool has_rung(const struct rig *rig, uint32_t slot)
{
	struct pollfd fd = { .fd = rig->doorbells[slot], .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void test_what_comes_after_it_is_discarded_and_counted(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 2);
	push(&rig, "abcde");
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_calls, 2);
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	assert_string_equal(rig_take(&rig.consumers[0]), "b");
	assert_string_equal(rig_take(&rig.consumers[0]), ".");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 5);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_CONSUMED], 2);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_UNWANTED], 3);
	assert_true(is_left(&rig));
	assert_true(has_rung(&rig, 0));
	rig_deinit(&rig);
}

static void test_nobody_hears_of_it_before_the_commit(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 0);
	assert_int_equal(weir_leave(&rig.relay.context, 0), 0);
	assert_false(is_left(&rig));
	assert_false(has_rung(&rig, 0));
	assert_int_equal(turn_commit(&rig.relay), 0);
	assert_true(is_left(&rig));
	assert_int_equal(cursor_current(&rig.relay.segment)->inputs_left, 1);
	assert_int_equal(weir_leave(&rig.relay.context, 0), 0); /* again: nothing to commit */
	assert_false(rig.relay.changed);
	rig_deinit(&rig);
}

static void test_a_failed_item_takes_it_back(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 2);
	reject_at = 2;
	push(&rig, "abc");
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 1); /* a; b comes again */
	assert_false(is_left(&rig));
	assert_int_equal(cursor_current(&rig.relay.segment)->inputs_left, 0);
	rig_deinit(&rig);
}

static void test_the_next_generation_says_it_again(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 0);
	assert_int_equal(weir_leave(&rig.relay.context, 0), 0);
	assert_int_equal(turn_commit(&rig.relay), 0);
	store_relaxed(&rig.relay.segment.readers[0].left, 0); /* killed between the commit and the word in the lane */
	rings_forget(rig.doorbells[0]);
	rig_replace_relay(&rig, 1);
	assert_true(is_left(&rig));
	assert_true(has_rung(&rig, 0));
	rig_deinit(&rig);
}

static void test_an_operator_that_nobody_listens_to_leaves_too(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 0);
	assert_int_equal(leave_follow(&rig.relay), 0);
	assert_false(is_left(&rig));
	store_relaxed(&rig.consumers[0].segment.readers[0].left, LANE_LEFT);
	for (int i = 0; i < 100 && !is_left(&rig); i++) /* it looks now and then */
		assert_int_equal(leave_follow(&rig.relay), 0);
	assert_true(is_left(&rig));
	push(&rig, "ab");
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(n_calls, 0);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_UNWANTED], 2);
	rig_deinit(&rig);
}

/* On a loop: what lies beyond is told on, and only the head leaves for it. */
static void test_on_a_loop_it_is_passed_on_to_the_head(void **state)
{
	static struct heritage_loop_lane lanes[1] = {
		{ .producer = 0, .consumer = HERITAGE_SELF, .capacity_bytes = RIG_LANE_SIZE }
	};
	atomic_u32 *below, *said;
	struct rig rig;

	(void)state;
	begin(&rig, 0);
	below = &rig.consumers[0].segment.readers[0].left;
	said = &rig.relay.segment.readers[0].left;
	rig.relay.heritage.outputs[0].feedback = true; /* nobody but the head reads behind it */
	assert_int_equal(leave_follow(&rig.relay), 0);
	assert_int_equal(load_relaxed(said), LANE_NO_EXIT);
	assert_true(has_rung(&rig, 0));
	rig.relay.heritage.outputs[0].feedback = false;
	for (enum lane_left left = LANE_NO_EXIT; left <= LANE_LEFT; left++) {
		store_relaxed(below, left);
		rig.relay.turns_to_left = 0;
		assert_int_equal(leave_follow(&rig.relay), 0);
		assert_int_equal(load_relaxed(said), left);
		assert_int_equal(rig.relay.cursor.inputs_left, left == LANE_LEFT);
	}
	rig_deinit(&rig);

	begin(&rig, 0);
	rig.relay.heritage.loop_lanes = lanes;
	rig.relay.heritage.n_loop_lanes = 1;
	loop_attach(&rig.relay);
	store_relaxed(&rig.consumers[0].segment.readers[0].left, LANE_NO_EXIT);
	assert_int_equal(leave_follow(&rig.relay), 0);
	assert_false(is_left(&rig)); /* a loop that has no exit may be there for what its stages do */
	store_relaxed(&rig.consumers[0].segment.readers[0].left, LANE_LEFT_BEYOND);
	rig.relay.turns_to_left = 0;
	assert_int_equal(leave_follow(&rig.relay), 0);
	assert_true(is_left(&rig));
	loop_detach(&rig.relay);
	rig.relay.heritage.loop_lanes = NULL;
	rig.relay.heritage.n_loop_lanes = 0;
	rig_deinit(&rig);
}

/* A way back and an exit: the exit decides. Nonsense of a neighbour's is no leaving. */
static void test_the_way_back_keeps_nobody(void **state)
{
	static const struct weir_stage none = { .role = WEIR_OPERATOR };
	struct heritage_edge back;
	struct worker *worker;
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	worker = &rig.producers[0];
	rig_employ(&rig, worker, &none);
	back = *worker->outputs[1].heritage;
	back.feedback = true;
	worker->outputs[1].heritage = &back;
	store_relaxed(&rig.consumers[0].segment.readers[0].left, 77);
	assert_int_equal(leave_follow(worker), 0);
	assert_false(worker->unheard);
	store_relaxed(&rig.consumers[0].segment.readers[0].left, LANE_LEFT);
	worker->turns_to_left = 0;
	assert_int_equal(leave_follow(worker), 0);
	assert_false(worker->unheard); /* it is passed on, the head has the word */
	store_relaxed(&rig.consumers[1].segment.readers[0].left, LANE_LEFT); /* now the head has left */
	worker->turns_to_left = 0;
	assert_int_equal(leave_follow(worker), 0);
	assert_true(worker->unheard);
	worker->outputs[1].heritage = worker->outputs[0].heritage;
	rig_deinit(&rig);
}

static int source_endless(struct weir_context *context, void *state)
{
	int r = weir_emit(context, 0, "item", 4);

	(void)state;
	return r == 0 || r == WEIR_FULL ? WEIR_MORE : r;
}

static void test_a_source_ends_only_when_every_reader_has_left(void **state)
{
	static const struct weir_stage endless = { .role = WEIR_SOURCE, .produce = source_endless };
	struct worker *producer;
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	producer = &rig.producers[0];
	producer->context.host = &worker_host;
	producer->stage = endless;
	rig.board->order = BOARD_RUN;
	producer->order_seen = BOARD_RUN;
	store_relaxed(&rig.consumers[0].segment.readers[0].left, LANE_LEFT);
	for (int i = 0; i < 100; i++)
		assert_int_equal(leave_follow(producer), 0);
	store_relaxed(&rig.consumers[1].segment.readers[0].left, LANE_LEFT);
	assert_int_equal(turn_loop(producer), 0);
	assert_int_equal(producer->cursor.finished, CURSOR_END_CLEAN);
	assert_int_equal(weir_leave(&producer->context, 0), -EINVAL);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes_after_it_is_discarded_and_counted),
		cmocka_unit_test(test_nobody_hears_of_it_before_the_commit),
		cmocka_unit_test(test_a_failed_item_takes_it_back),
		cmocka_unit_test(test_the_next_generation_says_it_again),
		cmocka_unit_test(test_an_operator_that_nobody_listens_to_leaves_too),
		cmocka_unit_test(test_on_a_loop_it_is_passed_on_to_the_head),
		cmocka_unit_test(test_the_way_back_keeps_nobody),
		cmocka_unit_test(test_a_source_ends_only_when_every_reader_has_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
