/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "rig.h"
#include "worker/credit.h"
#include "worker/output.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_count_from_the_push_to_the_commit_of_their_reader),
		cmocka_unit_test(test_a_dropped_item_gives_its_credit_back),
		cmocka_unit_test(test_one_item_can_not_take_more_than_there_is),
		cmocka_unit_test(test_the_next_generation_counts_what_lies_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
