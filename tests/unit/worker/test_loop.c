/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head is the one consumer of a row with two producers: 0 stands for outside, 1 for a stage of the loop. The lane from the head
 * to that stage is missing: the rig knows only one direction, and the head treats all lanes of its loop alike.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "worker/loop.h"

static struct heritage_edge edges[2];
static struct input_edge inputs[2], *row;

/* Splits the row's one input edge into two: from outside, and the way back. */
static struct worker *begin(struct rig *rig)
{
	static struct heritage_loop_lane lanes[1];
	struct worker *head = &rig->consumers[0];

	rig_init(rig, 2, 1, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	row = head->inputs;
	for (int i = 0; i < 2; i++) {
		edges[i] = *head->inputs[0].heritage;
		edges[i].feedback = i == 1;
		inputs[i] = head->inputs[0];
		inputs[i].heritage = &edges[i];
		inputs[i].lanes = &head->inputs[0].lanes[i];
		inputs[i].n_lanes = 1;
		inputs[i].current = 0;
	}
	head->inputs = inputs;
	head->n_inputs = 2;
	lanes[0] = (struct heritage_loop_lane){
		.producer = 1, .consumer = HERITAGE_SELF, .reader_index = 1, .capacity_bytes = RIG_LANE_SIZE
	};
	head->heritage.loop_lanes = lanes;
	head->heritage.n_loop_lanes = 1;
	loop_attach(head);
	loop_begin(head);
	return head;
}

static void end(struct rig *rig)
{
	struct worker *head = &rig->consumers[0];

	loop_detach(head);
	head->heritage.loop_lanes = NULL;
	head->heritage.n_loop_lanes = 0;
	head->inputs = row;
	head->n_inputs = 1;
	rig_deinit(rig);
}

static void give(struct worker *producer, const char *text)
{
	assert_int_equal(rig_push(producer, text), 0);
	rig_commit(producer);
}

static void test_what_comes_back_goes_first(void **state)
{
	struct rig rig;
	struct worker *head = begin(&rig);

	(void)state;
	give(&rig.producers[0], "new");
	give(&rig.producers[1], "back");
	give(&rig.producers[1], "again");
	assert_string_equal(rig_take(head), "back");
	assert_string_equal(rig_take(head), "again");
	assert_string_equal(rig_take(head), "new");
	assert_string_equal(rig_take(head), "-");
	end(&rig);
}

static void test_the_gate_leaves_half_of_a_lane_free(void **state)
{
	struct rig rig;
	struct worker *head = begin(&rig);
	char text[1500];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 2; i++)
		give(&rig.producers[0], text);
	assert_int_equal(strlen(rig_take(head)), 1499); /* alone it may always enter */
	assert_string_equal(rig_take(head), "-");       /* two of them are more than half of the lane */
	rig_commit(head);
	loop_begin(head);
	assert_int_equal(strlen(rig_take(head)), 1499); /* the first has left the loop again */
	end(&rig);
}

static void test_the_end_needs_closed_sources_and_an_empty_loop(void **state)
{
	struct rig rig;
	struct worker *head = begin(&rig);

	(void)state;
	give(&rig.producers[1], "back");
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
	assert_string_equal(rig_take(head), "back");
	assert_string_equal(rig_take(head), "-");       /* it is in hand here, and not done */
	assert_int_not_equal(loop_look_ns(head, 0), 0); /* so it looks again by itself */
	rig_commit(head);
	assert_string_equal(rig_take(head), "-"); /* it looks round only when it is about to sleep */
	store_relaxed(&head->segment.armed->word, 1);
	head->cursor.ledger[LEDGER_HELD] = 1; /* it keeps an item itself, and has said until when */
	head->watch.wake_ns = 1;
	assert_string_equal(rig_take(head), "-");
	assert_int_not_equal(loop_look_ns(head, 0), 0);
	head->watch.wake_ns = 0; /* until its end, which is that of those who only finish() */
	assert_string_equal(rig_take(head), ".");
	head->cursor.ledger[LEDGER_HELD] = 0;
	store_relaxed(&head->segment.armed->word, 0);
	assert_string_equal(rig_take(head), "."); /* once empty, always empty */
	assert_int_equal(loop_look_ns(head, 0), 0);
	end(&rig);
}

/* Items have come back, the head can't take them, and nothing moves: said once, until something has moved. */
static void test_a_loop_that_stands_still_is_named(void **state)
{
	struct heritage_edge ahead = { .peer_stage = (char *)(uintptr_t) "next" };
	struct output_edge output = { .heritage = &ahead };
	struct rig rig;
	struct worker *head = begin(&rig);
	struct output_edge *none = head->outputs;
	uint64_t now_ns = NS_PER_S;

	(void)state;
	head->outputs = &output;
	assert_false(loop_stands_still(head, now_ns));
	assert_false(loop_stands_still(head, now_ns += 100 * NS_PER_S)); /* nothing has come back: no loop's fault */
	give(&rig.producers[1], "back");
	assert_false(loop_stands_still(head, now_ns));
	assert_false(loop_stands_still(head, now_ns + 4 * NS_PER_S));
	assert_true(loop_stands_still(head, now_ns + 6 * NS_PER_S));
	assert_false(loop_stands_still(head, now_ns + 60 * NS_PER_S));
	give(&rig.producers[1], "again");
	assert_false(loop_stands_still(head, now_ns += 61 * NS_PER_S));
	assert_true(loop_stands_still(head, now_ns + 6 * NS_PER_S));
	head->outputs = none;
	end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes_back_goes_first),
		cmocka_unit_test(test_the_gate_leaves_half_of_a_lane_free),
		cmocka_unit_test(test_a_loop_that_stands_still_is_named),
		cmocka_unit_test(test_the_end_needs_closed_sources_and_an_empty_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
