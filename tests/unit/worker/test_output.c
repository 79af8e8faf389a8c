/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "rig.h"
#include "worker/attach.h"
#include "worker/output.h"
#include "worker/turn.h"

static void test_a_dropped_item_leaves_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	assert_int_equal(rig_push(&rig.producers[0], "kept"), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, "dropped", 7), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, "too", 3), 0);
	output_item_drop(&rig.producers[0]);
	assert_int_equal(rig_push(&rig.producers[0], "next"), 0);
	rig_commit(&rig.producers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "kept");
	assert_string_equal(rig_take(&rig.consumers[0]), "next");
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	assert_int_equal(rig.producers[0].cursor.ledger[LEDGER_EMITTED], 2);
	assert_int_equal(rig.producers[0].cursor.sequence, 2);
	rig_deinit(&rig);
}

static void test_complete_items_are_committed_around_the_one_in_hand(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig_push(&rig.producers[0], "complete");
	output_push(&rig.producers[0], 0, "in hand", 7);
	turn_commit_complete(&rig.producers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "complete");
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	output_item_end(&rig.producers[0]);
	rig_commit(&rig.producers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "in hand");
	rig_deinit(&rig);
}

static void test_round_robin_deals_turn_by_turn(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 3, HERITAGE_ORDER_NONE, HERITAGE_ROUND_ROBIN, false);
	for (int i = 0; i < 6; i++) {
		char name[2] = { (char)('a' + i), 0 };

		rig_push(&rig.producers[0], name);
		rig_commit(&rig.producers[0]);
	}
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	assert_string_equal(rig_take(&rig.consumers[0]), "d");
	assert_string_equal(rig_take(&rig.consumers[1]), "b");
	assert_string_equal(rig_take(&rig.consumers[2]), "c");
	assert_string_equal(rig_take(&rig.consumers[2]), "f");
	rig_deinit(&rig);
}

static void test_least_loaded_avoids_the_full_lane(void **state)
{
	static const char text[900];
	struct rig rig;
	uint64_t loads[3];

	(void)state;
	rig_init(&rig, 1, 3, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(output_push(&rig.producers[0], 0, text, sizeof(text)), 0);
		output_item_end(&rig.producers[0]);
		rig_commit(&rig.producers[0]);
	}
	for (int i = 0; i < 3; i++)
		loads[i] = lane_out_load(&rig.producers[0].outputs[0].lanes[i].lane);
	assert_int_equal(loads[0], loads[1]);
	assert_int_equal(loads[1], loads[2]);
	rig_deinit(&rig);
}

static void test_full_in_every_lane_is_full(void **state)
{
	static const char text[900];
	struct rig rig;
	int n = 0, r;

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	while ((r = output_push(&rig.producers[0], 0, text, sizeof(text))) == 0) {
		output_item_end(&rig.producers[0]);
		n++;
	}
	assert_int_equal(r, OUTPUT_E_FULL);
	assert_int_equal(n, 8); /* 4 x 936 bytes in each lane of 4096 */
	assert_false(output_room(&rig.producers[0], rig.producers[0].need_bytes));
	rig_commit(&rig.producers[0]);
	rig_take(&rig.consumers[1]);
	assert_false(output_room(&rig.producers[0], rig.producers[0].need_bytes));
	rig_commit(&rig.consumers[1]);
	assert_true(output_room(&rig.producers[0], rig.producers[0].need_bytes));
	assert_int_equal(output_push(&rig.producers[0], 0, text, sizeof(text)), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, text, RIG_LANE_SIZE / 2 + 1), OUTPUT_E_TOO_LARGE);
	rig_deinit(&rig);
}

static void test_a_dealt_run_stays_in_one_lane_and_ends_with_the_turn(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_DEAL, HERITAGE_LEAST_LOADED, false);
	rig_push(&rig.producers[0], "a");
	rig_push(&rig.producers[0], "b");
	rig_commit(&rig.producers[0]);
	rig_push(&rig.producers[0], "c");
	rig_commit(&rig.producers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	assert_string_equal(rig_take(&rig.consumers[0]), "b");
	assert_string_equal(rig_take(&rig.consumers[0]), "|");
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	assert_string_equal(rig_take(&rig.consumers[1]), "c");
	assert_string_equal(rig_take(&rig.consumers[1]), "|");
	assert_int_equal(rig.producers[0].cursor.outputs[0].ticket, 2);
	rig_deinit(&rig);
}

/* What output_room() says and what a push finds must be one: whoever was told that there is room does not sleep. */
static void test_a_new_run_goes_where_there_is_room(void **state)
{
	static const char text[1500];
	struct rig rig;
	struct worker *producer = &rig.producers[0];

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_DEAL, HERITAGE_LEAST_LOADED, false);
	for (int i = 0; i < 4; i++) { /* runs of one item */
		assert_int_equal(output_push(producer, 0, text, sizeof(text)), 0);
		output_item_end(producer);
		rig_commit(producer);
	}
	assert_int_equal(output_push(producer, 0, text, sizeof(text)), OUTPUT_E_FULL);
	for (uint32_t full = 0; full < 2; full++) {
		struct worker *consumer = &rig.consumers[1 - full];

		rig_take(consumer);
		rig_take(consumer);
		rig_commit(consumer);
		assert_true(output_room(producer, producer->need_bytes));
		assert_int_equal(output_push(producer, 0, text, sizeof(text)), 0);
		output_item_drop(producer);
		assert_int_equal(output_push(producer, 0, text, sizeof(text)), 0);
		output_item_end(producer);
		rig_commit(producer);
		assert_int_equal(output_push(producer, 0, text, sizeof(text)), OUTPUT_E_FULL);
	}
	rig_deinit(&rig);
}

static void test_a_run_of_a_given_size_spans_turns_and_workers(void **state)
{
	struct rig rig;
	struct worker *producer = &rig.producers[0];

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_DEAL, HERITAGE_LEAST_LOADED, false);
	producer->heritage.outputs[0].run_records = 3;
	rig_push(producer, "a");
	rig_commit(producer);
	assert_int_equal(producer->cursor.outputs[0].run_records, 1);

	/* The next generation finds the open run in the cursor. */
	memset(&producer->cursor, 0, sizeof(producer->cursor));
	memcpy(&producer->cursor, cursor_current(&producer->segment), sizeof(producer->cursor));
	lane_out_rewind(&producer->outputs[0].lanes[0].lane);
	rig_push(producer, "b");
	rig_push(producer, "c");
	rig_push(producer, "d");
	rig_commit(producer);
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	assert_string_equal(rig_take(&rig.consumers[0]), "b");
	assert_string_equal(rig_take(&rig.consumers[0]), "c");
	assert_string_equal(rig_take(&rig.consumers[0]), "|");
	assert_string_equal(rig_take(&rig.consumers[1]), "d");
	assert_string_equal(rig_take(&rig.consumers[1]), "-");
	output_end_runs(producer, OUTPUT_RUNS_ALL);
	rig_commit(producer);
	assert_string_equal(rig_take(&rig.consumers[1]), "|");
	rig_deinit(&rig);
}

static void test_a_run_that_waits_too_long_is_due(void **state)
{
	struct rig rig;
	struct worker *producer = &rig.producers[0];

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_DEAL, HERITAGE_LEAST_LOADED, false);
	producer->heritage.outputs[0].run_bytes = 1000;
	producer->heritage.outputs[0].run_wait_ns = 50;
	producer->now_ns = 100;
	rig_push(producer, "a");
	rig_commit(producer);
	assert_int_equal(output_runs_due_ns(producer), 150);
	output_end_runs(producer, OUTPUT_RUNS_DUE);
	assert_int_equal(producer->cursor.outputs[0].ticket, 0);
	producer->now_ns = 150;
	output_end_runs(producer, OUTPUT_RUNS_DUE);
	assert_int_equal(producer->cursor.outputs[0].ticket, 1);
	assert_int_equal(output_runs_due_ns(producer), 0);
	rig_deinit(&rig);
}

static void test_room_is_wanted_only_where_the_item_goes(void **state)
{
	static const char text[900];
	struct rig rig;
	struct worker *producer = &rig.producers[0];
	struct input_edge *input;

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	input = &rig.consumers[0].inputs[0];
	/* Two edges of one lane each, instead of one of two. */
	producer->outputs[1] = producer->outputs[0];
	producer->outputs[1].lanes++;
	producer->outputs[0].n_lanes = producer->outputs[1].n_lanes = 1;
	producer->n_outputs = 2;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(output_push(producer, WEIR_ALL_OUTPUTS, text, sizeof(text)), 0);
		output_item_end(producer);
	}
	rig_commit(producer);
	assert_int_equal(output_push(producer, 0, text, sizeof(text)), OUTPUT_E_FULL);
	assert_false(output_room(producer, producer->need_bytes));
	rig_take(&rig.consumers[0]);
	rig_commit(&rig.consumers[0]);
	assert_int_equal(input->lanes[0].lane.done, item_record_size(sizeof(text)));
	assert_true(output_room(producer, producer->need_bytes)); /* the other edge is still full */
	assert_int_equal(output_push(producer, 0, text, sizeof(text)), 0);
	output_item_end(producer);
	assert_int_equal(output_push(producer, WEIR_ALL_OUTPUTS, text, sizeof(text)), OUTPUT_E_FULL);
	assert_false(output_room(producer, producer->need_bytes));
	producer->n_outputs = 1;
	producer->outputs[0].n_lanes = 2;
	rig_deinit(&rig);
}

static void test_every_code_is_an_outcome(void **state)
{
	(void)state;
	assert_int_equal(output_status(OUTPUT_DONE), WEIR_OK);
	assert_int_equal(output_status(OUTPUT_E_FULL), WEIR_FULL);
	assert_int_equal(output_status(OUTPUT_E_TOO_LARGE), WEIR_TOO_LARGE);
	assert_int_equal(output_status(OUTPUT_E_BROKEN), WEIR_FAILED);
	assert_int_equal(output_status(OUTPUT_E_UNRESERVED), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_dropped_item_leaves_nothing),
		cmocka_unit_test(test_complete_items_are_committed_around_the_one_in_hand),
		cmocka_unit_test(test_round_robin_deals_turn_by_turn),
		cmocka_unit_test(test_least_loaded_avoids_the_full_lane),
		cmocka_unit_test(test_full_in_every_lane_is_full),
		cmocka_unit_test(test_room_is_wanted_only_where_the_item_goes),
		cmocka_unit_test(test_a_dealt_run_stays_in_one_lane_and_ends_with_the_turn),
		cmocka_unit_test(test_a_new_run_goes_where_there_is_room),
		cmocka_unit_test(test_a_run_of_a_given_size_spans_turns_and_workers),
		cmocka_unit_test(test_a_run_that_waits_too_long_is_due),
		cmocka_unit_test(test_every_code_is_an_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
