/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "rig.h"
#include "worker/input.h"
#include "worker/output.h"

/* Pushes one whole run: the items, then its end. */
static void push_run(struct worker *producer, uint64_t ticket, const char *first, const char *second)
{
	producer->cursor.expected[0] = ticket;
	assert_int_equal(rig_push(producer, first), 0);
	if (second)
		assert_int_equal(rig_push(producer, second), 0);
	assert_int_equal(output_run_end(producer, ticket), 0);
	rig_commit(producer);
}

static void test_nothing_before_the_commit(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	assert_int_equal(rig_push(&rig.producers[0], "a"), 0);
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	rig_commit(&rig.producers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	assert_string_equal(rig_take(&rig.consumers[0]), ".");
	rig_deinit(&rig);
}

static void test_turns_are_fair(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	for (int i = 0; i < 3; i++) {
		rig_push(&rig.producers[0], "a");
		rig_push(&rig.producers[1], "b");
	}
	rig_commit(&rig.producers[0]);
	rig_commit(&rig.producers[1]);
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	input_rotate(&rig.consumers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "b");
	input_rotate(&rig.consumers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	assert_string_equal(rig_take(&rig.consumers[0]), "b");
	assert_string_equal(rig_take(&rig.consumers[0]), "b");
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	rig_deinit(&rig);
}

static void test_runs_are_merged_in_order(void **state)
{
	struct rig rig;
	struct worker *consumer = &rig.consumers[0];

	(void)state;
	rig_init(&rig, 3, 1, HERITAGE_ORDER_KEEP, HERITAGE_LEAST_LOADED, true);
	push_run(&rig.producers[2], 2, "e", NULL);
	assert_string_equal(rig_take(consumer), "-"); /* runs 0 and 1 are not there yet */
	push_run(&rig.producers[1], 1, "c", "d");
	push_run(&rig.producers[0], 0, "a", "b");
	assert_string_equal(rig_take(consumer), "a");
	assert_string_equal(rig_take(consumer), "b");
	assert_string_equal(rig_take(consumer), "|");
	rig_commit(consumer);
	assert_string_equal(rig_take(consumer), "c");
	assert_string_equal(rig_take(consumer), "d");
	assert_string_equal(rig_take(consumer), "|");
	assert_string_equal(rig_take(consumer), "e");
	assert_string_equal(rig_take(consumer), "|");
	for (uint32_t i = 0; i < 3; i++)
		lane_out_close(&rig.producers[i].outputs[0].lanes[0].lane);
	assert_string_equal(rig_take(consumer), ".");
	rig_deinit(&rig);
}

static void test_an_empty_run_is_only_its_end(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_KEEP, HERITAGE_LEAST_LOADED, true);
	assert_int_equal(output_run_end(&rig.producers[1], 0), 0);
	rig_commit(&rig.producers[1]);
	push_run(&rig.producers[0], 1, "x", NULL);
	assert_string_equal(rig_take(&rig.consumers[0]), "|");
	assert_string_equal(rig_take(&rig.consumers[0]), "x");
	rig_deinit(&rig);
}

static void test_a_missing_run_is_found(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2, 1, HERITAGE_ORDER_KEEP, HERITAGE_LEAST_LOADED, true);
	push_run(&rig.producers[0], 1, "x", NULL);
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	lane_out_close(&rig.producers[1].outputs[0].lanes[0].lane);
	assert_string_equal(rig_take(&rig.consumers[0]), "!");
	rig_deinit(&rig);
}

static void test_kept_runs_go_where_their_ticket_says(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_KEEP, HERITAGE_LEAST_LOADED, true);
	push_run(&rig.producers[0], 0, "even", NULL);
	push_run(&rig.producers[0], 1, "odd", NULL);
	push_run(&rig.producers[0], 2, "even again", NULL);
	assert_string_equal(rig_take(&rig.consumers[1]), "odd");
	assert_string_equal(rig_take(&rig.consumers[1]), "|");
	assert_string_equal(rig_take(&rig.consumers[1]), "-");
	assert_string_equal(rig_take(&rig.consumers[0]), "even");
	assert_string_equal(rig_take(&rig.consumers[0]), "|");
	assert_string_equal(rig_take(&rig.consumers[0]), "even again");
	rig_deinit(&rig);
}

/* full: drop-old. What a producer overwrote before it was given up is counted before the reader hears of its end. */
static void test_a_lane_that_drops_says_that_its_producer_is_lost(void **state)
{
	_Alignas(64) static unsigned char record[RIG_LANE_SIZE];
	struct input_lane *lane;
	struct input input;
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	rig.producers[0].heritage.outputs[0].full = HERITAGE_FULL_DROP_OLD;
	lane = &rig.consumers[0].inputs[0].lanes[0];
	lane->hold.record = (struct hold_record *)(void *)record;
	assert_int_equal(hold_attach(&lane->hold, &lane->lane), 0);
	assert_int_equal(rig_push(&rig.producers[0], "kept"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "overwritten"), 0);
	rig_commit(&rig.producers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "kept");
	rig_commit(&rig.consumers[0]);
	store_release(&rig.producers[0].segment.writers[0].low, rig.producers[0].outputs[0].lanes[0].lane.tail);
	store_release(&rig.producers[0].segment.writers[0].closed, LANE_CLOSED_LOST);
	assert_int_equal(input_next(&rig.consumers[0], &input), INPUT_E_EMPTY); /* one to be counted first */
	rig_commit(&rig.consumers[0]);
	assert_int_equal(rig.consumers[0].cursor.ledger[LEDGER_DROPPED_OLD], 1);
	assert_int_equal(input_next(&rig.consumers[0], &input), INPUT_E_LOST);
	lane->hold.record = NULL;
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_before_the_commit),
		cmocka_unit_test(test_turns_are_fair),
		cmocka_unit_test(test_runs_are_merged_in_order),
		cmocka_unit_test(test_an_empty_run_is_only_its_end),
		cmocka_unit_test(test_a_missing_run_is_found),
		cmocka_unit_test(test_kept_runs_go_where_their_ticket_says),
		cmocka_unit_test(test_a_lane_that_drops_says_that_its_producer_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
