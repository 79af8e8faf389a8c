/* SPDX-License-Identifier: Apache-2.0 */
/* A stage that does several items at once, and hears when there will be no more of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "worker/in_flight.h"
#include "worker/turn.h"

#define AT_ONCE 4u

static struct {
	uint64_t tokens[AT_ONCE];
	unsigned n;
	bool fails;
	char batches[64]; /* how many were done at once */
} stage;

static int gather(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state, (void)item;
	if (stage.fails && stage.n == AT_ONCE - 1) {
		weir_fail(context, "it has had enough");
		return WEIR_FAILED;
	}
	stage.tokens[stage.n++] = weir_defer(context);
	assert_false(weir_has_all(context)); /* this one is not pending yet */
	return WEIR_PENDING;
}

/* It watches nothing: nobody but the runtime calls it. */
static int do_all(struct weir_context *context, void *state)
{
	size_t length = strlen(stage.batches);
	int r = 0;

	(void)state;
	if (!stage.n || !weir_has_all(context))
		return 0;
	snprintf(stage.batches + length, sizeof(stage.batches) - length, "%u ", stage.n);
	for (; stage.n && r == 0; stage.n--)
		r = weir_complete(context, stage.tokens[stage.n - 1], WEIR_OK);
	assert_false(weir_has_all(context));
	return r;
}

static const struct weir_stage several_at_once = { .role = WEIR_OPERATOR, .process = gather, .produce = do_all };

static void begin(struct rig *rig, unsigned n_items)
{
	memset(&stage, 0, sizeof(stage));
	rig_init_chain_asynchronous(rig, &several_at_once, AT_ONCE);
	for (unsigned i = 0; i < n_items; i++)
		assert_int_equal(rig_push(&rig->producers[0], "x"), 0);
	rig_commit(&rig->producers[0]);
	lane_out_close(&rig->producers[0].outputs[0].lanes[0].lane);
}

static void test_as_many_as_it_may_have_and_what_is_left_at_the_end(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 6);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(stage.batches, "4 2 ");
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 6);
	rig_deinit(&rig);
}

/* After a death it may have fewer than it knows of, until it is past those of the death. */
static void test_a_careful_one_has_all_sooner(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig, 10);
	stage.fails = true;
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	rig.board->slots[1].in_flight_limit = 2;
	memset(&stage, 0, sizeof(stage));
	rig_replace_relay(&rig, 1);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_string_equal(stage.batches, "2 2 4 2 ");
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_as_it_may_have_and_what_is_left_at_the_end),
		cmocka_unit_test(test_a_careful_one_has_all_sooner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
