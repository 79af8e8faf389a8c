/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "rig.h"
#include "worker/dealing.h"
#include "worker/output.h"
#include "worker/retire.h"

static void say(struct rig *rig, uint32_t consumer, enum board_dealing dealing)
{
	store_release(&rig->board->slots[rig->n_producers + consumer].dealing, (uint32_t)dealing);
	store_release(&rig->board->dealings, load_relaxed(&rig->board->dealings) + 1);
}

static uint32_t seen(const struct rig *rig)
{
	return load_relaxed(&rig->producers[0].segment.status->seen_dealings);
}

/* So many items, one a commit. Returns how many lie before that consumer then. */
static unsigned fill(struct rig *rig, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(rig_push(&rig->producers[0], "item"), 0);
		rig_commit(&rig->producers[0]);
	}
	return n;
}

static unsigned taken_by(struct rig *rig, uint32_t consumer)
{
	unsigned n = 0;

	while (strcmp(rig_take(&rig->consumers[consumer]), "item") == 0)
		n++;
	rig_commit(&rig->consumers[consumer]);
	return n;
}

static void test_closed_lanes_get_nothing_and_open_again(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, 3, HERITAGE_ORDER_NONE, HERITAGE_ROUND_ROBIN, false);
	assert_int_equal(seen(&rig), 0);
	fill(&rig, 9);
	say(&rig, 0, BOARD_CLOSED);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	assert_int_equal(seen(&rig), 1);
	assert_int_equal(rig.producers[0].outputs[0].n_lanes, 2);
	assert_int_equal(taken_by(&rig, 0), 3); /* what lay there is still for it */
	fill(&rig, 8);
	assert_int_equal(taken_by(&rig, 0), 0);
	assert_int_equal(taken_by(&rig, 1), 3 + 4);
	assert_int_equal(taken_by(&rig, 2), 3 + 4);
	say(&rig, 0, BOARD_DEALT);
	say(&rig, 2, BOARD_CLOSED);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	assert_int_equal(seen(&rig), 3);
	fill(&rig, 8);
	assert_int_equal(taken_by(&rig, 0), 4);
	assert_int_equal(taken_by(&rig, 1), 4);
	assert_int_equal(taken_by(&rig, 2), 0);
	rig_deinit(&rig);
}

static void test_lanes_stand_in_the_order_of_their_seats(void **state)
{
	static const uint32_t order[] = { 1, 2, 0, 3 }; /* those dealt to, the retired one, the closed one */
	struct rig rig;
	const struct output_edge *edge;

	(void)state;
	rig_init(&rig, 1, 4, HERITAGE_ORDER_NONE, HERITAGE_ROUND_ROBIN, false);
	edge = &rig.producers[0].outputs[0];
	say(&rig, 1, BOARD_CLOSED);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	say(&rig, 1, BOARD_DEALT);
	say(&rig, 0, BOARD_RETIRED);
	say(&rig, 3, BOARD_CLOSED);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	assert_int_equal(edge->n_lanes, 2);
	assert_int_equal(edge->n_retired, 1);
	assert_int_equal(edge->n_closed, 1);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(edge->lanes[i].lane.index, order[i]);
	rig_deinit(&rig);
}

static void test_an_open_run_is_ended_first(void **state)
{
	struct rig rig;
	uint32_t target;

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_DEAL, HERITAGE_LEAST_LOADED, false);
	rig.producers[0].heritage.outputs[0].run_records = 100; /* it does not end by itself */
	fill(&rig, 3);
	target = rig.producers[0].cursor.outputs[0].target;
	assert_int_equal(rig.producers[0].cursor.outputs[0].run_records, 3);
	say(&rig, target, BOARD_CLOSED);
	assert_int_equal(retire_check(&rig.producers[0]), 0);
	assert_int_equal(rig.producers[0].cursor.outputs[0].run_records, 0);
	assert_int_equal(seen(&rig), 1);
	assert_int_equal(taken_by(&rig, target), 3);
	assert_string_equal(rig_take(&rig.consumers[target]), "-"); /* the end of the run was behind them */
	fill(&rig, 2);
	assert_int_equal(rig.producers[0].cursor.outputs[0].target, 1 - target);
	assert_int_equal(taken_by(&rig, 1 - target), 2);
	rig_deinit(&rig);
}

static void test_a_held_edge_looks_full_until_it_is_let_go(void **state)
{
	struct rig rig;
	struct worker *producer = &rig.producers[0];

	(void)state;
	rig_init(&rig, 1, 2, HERITAGE_ORDER_NONE, HERITAGE_ROUND_ROBIN, false);
	say(&rig, 0, BOARD_HELD);
	say(&rig, 1, BOARD_HELD);
	assert_int_equal(retire_check(producer), 0);
	assert_int_equal(seen(&rig), 2);
	assert_int_equal(rig_push(producer, "item"), OUTPUT_E_FULL);
	assert_false(output_room(producer, 64));
	assert_true(output_possible(producer, 64));
	assert_false(dealing_may_let_go(producer));
	say(&rig, 0, BOARD_DEALT);
	assert_true(dealing_may_let_go(producer));
	dealing_let_go(producer); /* in the middle of an item: half of the words, so it is held still */
	assert_false(dealing_may_let_go(producer));
	assert_int_equal(rig_push(producer, "item"), OUTPUT_E_FULL);
	say(&rig, 1, BOARD_CLOSED);
	dealing_let_go(producer);
	assert_int_equal(rig_push(producer, "item"), 0);
	assert_int_equal(seen(&rig), 2); /* that is said between two turns */
	rig_commit(producer);
	assert_int_equal(retire_check(producer), 0);
	assert_int_equal(seen(&rig), 4);
	assert_int_equal(taken_by(&rig, 0), 1);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_lanes_get_nothing_and_open_again),
		cmocka_unit_test(test_lanes_stand_in_the_order_of_their_seats),
		cmocka_unit_test(test_an_open_run_is_ended_first),
		cmocka_unit_test(test_a_held_edge_looks_full_until_it_is_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
