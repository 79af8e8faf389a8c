/* SPDX-License-Identifier: Apache-2.0 */
/* A drain gets on when something has moved: more time is asked for then, and not else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/drain_pace.h"
#include "tests/unit/broker/cli/sample_view.h"

static void test_what_moves(void **state)
{
	struct plan plan = { 0 };
	struct drain_pace pace;
	struct sample s;

	(void)state;
	sample_init(&s);
	drain_pace_begin(&pace, &plan);
	assert_true(drain_pace_moves(&pace, &s.view)); /* it has begun */
	assert_false(drain_pace_moves(&pace, &s.view));
	s.stages[2].ledger[LEDGER_DELIVERED]++;
	assert_true(drain_pace_moves(&pace, &s.view));
	s.stages[0].ledger[LEDGER_CANCELLED]++;
	assert_true(drain_pace_moves(&pace, &s.view));
	s.stages[1].n_live--;
	assert_true(drain_pace_moves(&pace, &s.view));
	s.view.stop_deadline_ns = 7;
	assert_true(drain_pace_moves(&pace, &s.view));
	s.view.cause = "drain_deadline";
	assert_true(drain_pace_moves(&pace, &s.view));
	s.view.now_ns += NS_PER_S;
	s.stages[1].restarts++; /* it dies of the same item again and again: that is no way on */
	s.stages[1].queue_bytes++;
	assert_false(drain_pace_moves(&pace, &s.view));
}

static void test_the_window(void **state)
{
	struct plan_stage stages[2] = { { .deadline_ns = 0 }, { .deadline_ns = 30 * NS_PER_S } };
	struct plan plan = { .n_stages = 2, .stages = stages };
	struct drain_pace pace;

	(void)state;
	drain_pace_begin(&pace, &plan);
	assert_int_equal(pace.window_ns, 45 * NS_PER_S);
	stages[1].deadline_ns = 100 * NS_PER_S;
	drain_pace_begin(&pace, &plan);
	assert_int_equal(pace.window_ns, 115 * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_moves),
		cmocka_unit_test(test_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
