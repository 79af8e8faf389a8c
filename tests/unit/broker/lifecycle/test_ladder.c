/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/lifecycle/ladder.h"

#define S UINT64_C(1000000000)

static void test_times_of_the_rungs(void **state)
{
	struct ladder ladder = { 0 };

	(void)state;
	ladder_begin(&ladder, 100 * S, 130 * S, 2 * S);
	assert_int_equal(ladder.rung, RUNG_DRAIN);
	assert_int_equal(ladder_time_of(&ladder, RUNG_CANCEL), 126 * S);
	assert_int_equal(ladder_time_of(&ladder, RUNG_TERM), 128 * S);
	assert_int_equal(ladder_time_of(&ladder, RUNG_KILL), 130 * S);
	assert_int_equal(ladder_due(&ladder, 126 * S - 1), RUNG_DRAIN);
	assert_int_equal(ladder_due(&ladder, 126 * S), RUNG_CANCEL);
	assert_int_equal(ladder_due(&ladder, 128 * S), RUNG_TERM);
	assert_int_equal(ladder_due(&ladder, 500 * S), RUNG_KILL);
}

static void test_grace_is_at_most_a_quarter(void **state)
{
	struct ladder ladder = { 0 };

	(void)state;
	ladder_begin(&ladder, 100 * S, 104 * S, 60 * S);
	assert_int_equal(ladder.grace_ns, 1 * S);
	assert_int_equal(ladder_time_of(&ladder, RUNG_CANCEL), 102 * S);
}

static void test_a_deadline_in_the_past_is_due_at_once(void **state)
{
	struct ladder ladder = { 0 };

	(void)state;
	ladder_begin(&ladder, 100 * S, 99 * S, 2 * S);
	assert_int_equal(ladder.grace_ns, 0);
	assert_int_equal(ladder_due(&ladder, 100 * S), RUNG_KILL);
}

static void test_only_earlier_deadlines_count(void **state)
{
	struct ladder ladder = { 0 };

	(void)state;
	ladder_begin(&ladder, 100 * S, 130 * S, 2 * S);
	assert_false(ladder_shorten(&ladder, 101 * S, 200 * S));
	assert_int_equal(ladder.deadline_ns, 130 * S);
	assert_true(ladder_shorten(&ladder, 101 * S, 105 * S));
	assert_int_equal(ladder.deadline_ns, 105 * S);
	assert_int_equal(ladder.grace_ns, 1 * S);
}

static void test_skipping_keeps_a_grace_between_rungs_and_never_moves_the_end_back(void **state)
{
	struct ladder ladder = { 0 };

	(void)state;
	ladder_begin(&ladder, 100 * S, 130 * S, 2 * S);
	ladder_skip(&ladder, 101 * S, RUNG_CANCEL);
	assert_int_equal(ladder.rung, RUNG_CANCEL);
	assert_int_equal(ladder_time_of(&ladder, RUNG_TERM), 103 * S);
	assert_int_equal(ladder.deadline_ns, 105 * S);
	ladder_skip(&ladder, 102 * S, RUNG_DRAIN);
	assert_int_equal(ladder.rung, RUNG_CANCEL);
	ladder_skip(&ladder, 104 * S, RUNG_TERM);
	assert_int_equal(ladder.deadline_ns, 105 * S);
	ladder_skip(&ladder, 104 * S, RUNG_KILL);
	assert_int_equal(ladder.deadline_ns, 104 * S);
	assert_int_equal(ladder_due(&ladder, 104 * S), RUNG_KILL);
}

static void test_nothing_is_due_before_the_first_order(void **state)
{
	struct ladder ladder = { 0 };

	(void)state;
	assert_int_equal(ladder_due(&ladder, 500 * S), RUNG_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_of_the_rungs),
		cmocka_unit_test(test_grace_is_at_most_a_quarter),
		cmocka_unit_test(test_a_deadline_in_the_past_is_due_at_once),
		cmocka_unit_test(test_only_earlier_deadlines_count),
		cmocka_unit_test(test_skipping_keeps_a_grace_between_rungs_and_never_moves_the_end_back),
		cmocka_unit_test(test_nothing_is_due_before_the_first_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
