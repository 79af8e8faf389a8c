/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody is left: the sweep, the count, and what it all amounts to. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

static void finish_all(void)
{
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		steps_finish(&steps, i);
}

static void test_everybody_has_ended(void **state)
{
	(void)state;
	steps_run(&steps);
	finish_all();
	assert_string_equal(steps.did, "ring:3 examine:3 sweep count phase=3 end ");
	assert_true(life->finished && life->exit_code == EXIT_DONE);
	assert_int_equal(lifecycle_due_ns(life), 0);
	assert_false(steps_tell_of(&steps, EVENT_DRAIN, 0)); /* it is over */
	assert_string_equal(steps.did, "");
}

/* What the dead have left behind may still write: it goes first, and if it does not go that is said. */
static void test_orphans_are_waited_for_and_then_told_of(void **state)
{
	uint64_t from_ns;
	unsigned n = 0;

	(void)state;
	steps_run(&steps);
	steps.orphans = true;
	finish_all();
	assert_false(life->finished);
	from_ns = steps.now_ns;
	while (!life->finished && n++ < 1000) {
		assert_in_range(lifecycle_due_ns(life) - steps.now_ns, 1, ORPHANS_AGAIN_NS);
		steps_wait(&steps);
		assert_int_equal(steps_count(&steps, "sweep"), 1);
	}
	assert_true(life->finished);
	assert_int_equal(steps_count(&steps, "say-orphans-left"), 1);
	assert_int_equal(steps_count(&steps, "count"), 1);
	assert_in_range(steps.now_ns - from_ns, UNKILLABLE_NS, UNKILLABLE_NS + 2 * ORPHANS_AGAIN_NS);
}

static void test_orphans_that_go(void **state)
{
	(void)state;
	steps_run(&steps);
	steps.orphans = true;
	finish_all();
	steps_wait(&steps);
	assert_false(life->finished);
	steps.orphans = false;
	steps_wait(&steps);
	assert_true(life->finished);
	assert_false(steps_did(&steps, "say-orphans-left"));
}

static void expect(enum pipeline_state state, int exit_code)
{
	assert_true(life->finished);
	assert_int_equal(life->state, state);
	assert_int_equal(life->exit_code, exit_code);
}

static void test_items_that_are_left(void **state)
{
	(void)state;
	steps.counted.in_lanes = 3;
	steps.counted.ledger[LEDGER_EMITTED] = 3;
	steps_run(&steps);
	finish_all();
	expect(PIPELINE_FAILED, EXIT_LOSSES);
}

static void test_books_that_do_not_balance(void **state)
{
	(void)state;
	steps.counted.ledger[LEDGER_EMITTED] = 3;
	steps_run(&steps);
	finish_all();
	expect(PIPELINE_FAILED, EXIT_STATE_CORRUPT);
}

static void test_memory_that_could_not_be_counted(void **state)
{
	(void)state;
	steps.counted.corrupt = true;
	steps_run(&steps);
	finish_all();
	expect(PIPELINE_FAILED, EXIT_STATE_CORRUPT);
}

static void test_a_cancel_with_nothing_left_is_a_stop(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		steps_exit(&steps, i, (struct death_facts){ .exited_zero = true });
	expect(PIPELINE_STOPPED, EXIT_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_everybody_has_ended, begin, end),
		cmocka_unit_test_setup_teardown(test_orphans_are_waited_for_and_then_told_of, begin, end),
		cmocka_unit_test_setup_teardown(test_orphans_that_go, begin, end),
		cmocka_unit_test_setup_teardown(test_items_that_are_left, begin, end),
		cmocka_unit_test_setup_teardown(test_books_that_do_not_balance, begin, end),
		cmocka_unit_test_setup_teardown(test_memory_that_could_not_be_counted, begin, end),
		cmocka_unit_test_setup_teardown(test_a_cancel_with_nothing_left_is_a_stop, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
