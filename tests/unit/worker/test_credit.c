/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "rig.h"
#include "worker/credit.h"
#include "worker/output.h"
#include "worker/window.h"

static struct output_edge *begin(struct rig *rig, uint32_t n_consumers, uint32_t credit)
{
	struct output_edge *edge;

	rig_init(rig, 1, n_consumers, HERITAGE_ORDER_NONE, HERITAGE_ROUND_ROBIN, false);
	rig->producers[0].heritage.outputs[0].credit = credit;
	edge = &rig->producers[0].outputs[0];
	edge->plain = rig->producers[0].plain_output = false;
	credit_attach(edge);
	return edge;
}

static void test_items_count_from_the_push_to_the_commit_of_their_reader(void **state)
{
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 3);

	(void)state;
	assert_int_equal(credit_left(edge), 3);
	assert_int_equal(rig_push(&rig.producers[0], "a"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "longer than a"), 0);
	assert_int_equal(credit_left(edge), 1);
	rig_commit(&rig.producers[0]);
	assert_int_equal(rig_push(&rig.producers[0], "c"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "d"), OUTPUT_E_FULL);
	assert_false(output_room(&rig.producers[0], 1));
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	assert_int_equal(credit_left(edge), 0); /* taken, not done */
	rig_commit(&rig.consumers[0]);
	assert_int_equal(credit_left(edge), 1);
	assert_true(output_room(&rig.producers[0], 1));
	assert_int_equal(rig_push(&rig.producers[0], "d"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "e"), OUTPUT_E_FULL);
	rig_deinit(&rig);
}

static void test_a_dropped_item_gives_its_credit_back(void **state)
{
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 3);

	(void)state;
	assert_int_equal(rig_push(&rig.producers[0], "kept"), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, "dropped", 7), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, "too", 3), 0);
	assert_int_equal(credit_left(edge), 0);
	assert_true(output_possible(&rig.producers[0], 40));
	output_item_drop(&rig.producers[0]);
	assert_int_equal(credit_left(edge), 2);
	rig_commit(&rig.producers[0]);
	assert_int_equal(credit_left(edge), 2);
	rig_deinit(&rig);
}

static void test_one_item_can_not_take_more_than_there_is(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 1, 2);
	assert_int_equal(output_push(&rig.producers[0], 0, "1", 1), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, "2", 1), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, "3", 1), OUTPUT_E_FULL);
	assert_false(output_possible(&rig.producers[0], 40));
	rig_deinit(&rig);
}

static void test_the_next_generation_counts_what_lies_there(void **state)
{
	struct rig rig;
	struct output_edge *edge = begin(&rig, 2, 10);

	(void)state;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(rig_push(&rig.producers[0], "item"), 0);
		rig_commit(&rig.producers[0]);
	}
	assert_string_equal(rig_take(&rig.consumers[1]), "item");
	rig_commit(&rig.consumers[1]);
	credit_detach(edge);
	assert_int_equal(credit_left(edge), UINT32_MAX);
	credit_attach(edge);
	assert_int_equal(credit_left(edge), 5);
	rig_deinit(&rig);
}

static int no_flush(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

/* Inline emits don't count items: so the window is no longer than the smallest ones that may still go. */
static void test_the_window_reaches_as_far_as_the_credit(void **state)
{
	struct rig rig;
	struct worker *producer = &rig.producers[0];

	(void)state;
	begin(&rig, 1, 3);
	producer->plain_output = true;
	for (uint64_t left = 3;; left--) {
		window_open(producer);
		assert_int_equal(producer->context.limit - producer->context.next, left * sizeof(struct item_header));
		window_shut(producer);
		if (!left)
			break;
		producer->plain_output = false;
		assert_int_equal(rig_push(producer, "an item"), 0);
		producer->plain_output = true;
	}
	rig_deinit(&rig);

	begin(&rig, 1, 3);
	producer->plain_output = true;
	producer->stage.flush = no_flush; /* an item ends the turn */
	window_open(producer);
	assert_ptr_equal(producer->context.limit, producer->context.next);
	window_shut(producer);
	producer->stage.flush = NULL;
	rig_deinit(&rig);
}

static uint64_t word_of_reader(const struct rig *rig)
{
	return load_relaxed(&rig->consumers[0].segment.readers[0].done);
}

static void set_word_of_reader(struct rig *rig, uint64_t done)
{
	store_relaxed(&rig->consumers[0].segment.readers[0].done, done);
}

static void test_ends_are_remembered_however_often_the_ring_goes_round(void **state)
{
	static const char *const texts[] = { "", "1234567", "a text that takes several words", "12345678" };
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 3);

	(void)state;
	for (unsigned i = 0; i < 300; i++) { /* the lane goes round too */
		uint32_t waiting = i < 2 ? i : 2;

		assert_int_equal(rig_push(&rig.producers[0], texts[i % 4]), 0);
		rig_commit(&rig.producers[0]);
		assert_int_equal(credit_left_of(edge, 3), 2 - waiting);
		assert_int_equal(edge->credit[0].n, waiting + 1);
		if (i < 2)
			continue;
		assert_string_equal(rig_take(&rig.consumers[0]), texts[(i - 2) % 4]);
		rig_commit(&rig.consumers[0]);
		assert_int_equal(credit_left_of(edge, 3), 1);
		assert_int_equal(edge->credit[0].from, word_of_reader(&rig));
	}
	rig_deinit(&rig);
}

static void test_a_full_ring_has_an_end_for_each_item(void **state)
{
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 4);

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(rig_push(&rig.producers[0], "item"), 0);
	assert_int_equal(credit_left_of(edge, 1), 0);
	assert_int_equal(edge->credit[0].n, edge->credit[0].mask + 1);
	rig_commit(&rig.producers[0]);
	for (uint32_t i = 0; i < 4; i++) {
		assert_string_equal(rig_take(&rig.consumers[0]), "item");
		rig_commit(&rig.consumers[0]);
		assert_int_equal(credit_left_of(edge, 4), i + 1);
	}
	rig_deinit(&rig);
}

/* A stray pointer has made one record look like many: no more is noted than there is room for, and it passes. */
static void test_records_that_make_no_sense_are_not_noted_beyond_the_ring(void **state)
{
	static const char zeros[256];
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 2);
	struct lane_out *lane = &edge->lanes[0].lane;

	(void)state;
	assert_int_equal(output_push(&rig.producers[0], 0, zeros, sizeof(zeros)), 0);
	output_item_end(&rig.producers[0]);
	memset(lane->data + (lane->tail & (lane->capacity_bytes - 1)), 0, sizeof(struct item_header));
	assert_int_equal(credit_left_of(edge, 2), 0);
	assert_int_equal(edge->credit[0].n, 2);
	assert_int_equal(edge->credit[0].to, lane->built);
	set_word_of_reader(&rig, lane->built);
	assert_int_equal(credit_left_of(edge, 2), 2);
	rig_deinit(&rig);
}

static void test_the_readers_line_is_read_only_when_it_matters(void **state)
{
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 4);

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(rig_push(&rig.producers[0], "item"), 0);
	rig_commit(&rig.producers[0]);
	for (int i = 0; i < 2; i++)
		assert_string_equal(rig_take(&rig.consumers[0]), "item");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(credit_left_of(edge, 2), 2); /* enough, as far as is known */
	assert_int_equal(credit_left_of(edge, 3), 4);
	assert_int_equal(credit_left_of(edge, 1), 4); /* known now */
	rig_deinit(&rig);
}

static void test_the_end_of_a_dropped_item_is_forgotten(void **state)
{
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 4);

	(void)state;
	assert_int_equal(rig_push(&rig.producers[0], "kept"), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, "dropped", 7), 0);
	assert_int_equal(output_push(&rig.producers[0], 0, "too", 3), 0);
	assert_int_equal(credit_left(edge), 1);
	output_item_drop(&rig.producers[0]);
	assert_int_equal(rig_push(&rig.producers[0], "longer than what was there before"), 0);
	rig_commit(&rig.producers[0]);
	assert_int_equal(credit_left_of(edge, 4), 2);
	assert_string_equal(rig_take(&rig.consumers[0]), "kept");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(credit_left_of(edge, 4), 3);
	assert_string_equal(rig_take(&rig.consumers[0]), "longer than what was there before");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(credit_left_of(edge, 4), 4);
	rig_deinit(&rig);
}

static void test_after_a_restart_ends_are_found_again(void **state)
{
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 4);

	(void)state;
	assert_int_equal(rig_push(&rig.producers[0], "done before"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "1"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "a longer second one"), 0);
	rig_commit(&rig.producers[0]);
	assert_string_equal(rig_take(&rig.consumers[0]), "done before");
	rig_commit(&rig.consumers[0]);
	credit_detach(edge);
	credit_attach(edge);
	assert_int_equal(credit_left_of(edge, 4), 2);
	assert_string_equal(rig_take(&rig.consumers[0]), "1");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(credit_left_of(edge, 4), 3);
	assert_string_equal(rig_take(&rig.consumers[0]), "a longer second one");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(credit_left_of(edge, 4), 4);
	rig_deinit(&rig);
}

/* Who asks for room finds the lane broken; here it is only not believed. */
static void test_a_done_that_makes_no_sense_gives_no_credit(void **state)
{
	struct rig rig;
	struct output_edge *edge = begin(&rig, 1, 2);
	const struct lane_out *lane = &edge->lanes[0].lane;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(rig_push(&rig.producers[0], "item"), 0);
	rig_commit(&rig.producers[0]);
	set_word_of_reader(&rig, lane->tail + ITEM_ALIGNMENT);
	assert_int_equal(credit_left_of(edge, 2), 0);
	credit_detach(edge);
	credit_attach(edge); /* nor are bytes read that it points at */
	assert_int_equal(credit_left_of(edge, 2), 2);
	assert_int_equal(edge->credit[0].from, lane->tail);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_count_from_the_push_to_the_commit_of_their_reader),
		cmocka_unit_test(test_a_dropped_item_gives_its_credit_back),
		cmocka_unit_test(test_one_item_can_not_take_more_than_there_is),
		cmocka_unit_test(test_the_next_generation_counts_what_lies_there),
		cmocka_unit_test(test_the_window_reaches_as_far_as_the_credit),
		cmocka_unit_test(test_ends_are_remembered_however_often_the_ring_goes_round),
		cmocka_unit_test(test_a_full_ring_has_an_end_for_each_item),
		cmocka_unit_test(test_records_that_make_no_sense_are_not_noted_beyond_the_ring),
		cmocka_unit_test(test_the_readers_line_is_read_only_when_it_matters),
		cmocka_unit_test(test_the_end_of_a_dropped_item_is_forgotten),
		cmocka_unit_test(test_after_a_restart_ends_are_found_again),
		cmocka_unit_test(test_a_done_that_makes_no_sense_gives_no_credit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
