/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/lifecycle/verdict.h"

static void expect(struct verdict_facts facts, enum verdict expected)
{
	assert_int_equal(verdict_of(&facts), expected);
}

static void test_the_clean_end_needs_both_words(void **state)
{
	(void)state;
	expect((struct verdict_facts){ .exited_zero = true, .ended = true, .started = true }, VERDICT_DONE);
	expect((struct verdict_facts){ .exited_zero = true, .started = true }, VERDICT_RESTART);
	expect((struct verdict_facts){ .ended = true, .started = true }, VERDICT_RESTART);
	expect((struct verdict_facts){ .ended = true, .hung = true, .started = true }, VERDICT_DONE);
	for (int type = PLAN_TRANSIENT; type <= PLAN_TEMPORARY; type++)
		expect(
			(struct verdict_facts){
				.exited_zero = true, .ended = true, .started = true, .type = (enum plan_restart)type },
			VERDICT_DONE);
}

static void test_a_failure_is_final(void **state)
{
	(void)state;
	expect((struct verdict_facts){ .failed = true }, VERDICT_START_FAILED);
	expect((struct verdict_facts){ .failed = true, .started = true }, VERDICT_STAGE_FAILED);
	expect((struct verdict_facts){ .failed = true, .started = true, .hung = true }, VERDICT_STAGE_FAILED);
}

static void test_a_permanent_worker_is_not_believed(void **state)
{
	(void)state;
	expect((struct verdict_facts){ .failed = true, .started = true, .type = PLAN_PERMANENT }, VERDICT_RESTART);
	expect((struct verdict_facts){ .failed = true, .type = PLAN_PERMANENT }, VERDICT_START_FAILED);
	/* Its stream is over: the next generation could only say the same. */
	expect((struct verdict_facts){ .failed = true, .closed = true, .started = true, .type = PLAN_PERMANENT },
	       VERDICT_STAGE_FAILED);
}

static void test_a_temporary_worker_has_no_successor(void **state)
{
	(void)state;
	expect((struct verdict_facts){ .started = true, .type = PLAN_TEMPORARY }, VERDICT_GIVEN_UP);
	expect((struct verdict_facts){ .type = PLAN_TEMPORARY }, VERDICT_START_FAILED);
	expect((struct verdict_facts){ .failed = true, .started = true, .type = PLAN_TEMPORARY }, VERDICT_STAGE_FAILED);
	expect((struct verdict_facts){ .stopped = true, .started = true, .type = PLAN_TEMPORARY }, VERDICT_GIVEN_UP);
}

static void test_who_was_stopped_for_a_sibling_comes_back(void **state)
{
	(void)state;
	expect((struct verdict_facts){ .stopped = true, .started = true }, VERDICT_AGAIN);
	expect((struct verdict_facts){ .stopped = true, .started = true, .failed = true }, VERDICT_AGAIN);
	expect((struct verdict_facts){ .stopped = true, .started = true, .type = PLAN_PERMANENT }, VERDICT_AGAIN);
	/* It had closed everything already. A cancel looks the same, and closes nothing. */
	expect((struct verdict_facts){ .stopped = true, .started = true, .ended = true }, VERDICT_DONE);
	expect((struct verdict_facts){ .stopped = true, .started = true, .ended = true, .restarts_off = true },
	       VERDICT_LOST);
}

static void test_who_left_because_it_was_told_to_has_ended_nothing(void **state)
{
	const struct verdict_facts left = { .exited_zero = true, .ended = true, .cancelled = true, .started = true };
	struct verdict_facts facts = left;

	(void)state;
	facts.stopped = true;
	expect(facts, VERDICT_AGAIN);
	facts.type = PLAN_TEMPORARY;
	expect(facts, VERDICT_GIVEN_UP);
	facts.restarts_off = true;
	expect(facts, VERDICT_DONE);
	facts = left;
	facts.restarts_off = true;
	expect(facts, VERDICT_DONE);
	expect(left, VERDICT_RESTART); /* nobody has told it: no end, whatever it says */
}

/* Whatever it says: it was made to go, and the next generation will find out whether it was right. */
static void test_an_item_has_overrun_there(void **state)
{
	struct verdict_facts facts = {
		.overrun = true, .exited_zero = true, .ended = true, .cancelled = true, .started = true
	};

	(void)state;
	expect(facts, VERDICT_RESTART);
	facts.cancelled = false;
	expect(facts, VERDICT_RESTART);
	facts.stopped = true;
	expect(facts, VERDICT_AGAIN);
	facts.restarts_off = true;
	expect(facts, VERDICT_LOST);
	expect((struct verdict_facts){ .overrun = true, .started = true, .failed = true }, VERDICT_RESTART);
	expect((struct verdict_facts){ .overrun = true, .failed = true, .closed = true }, VERDICT_RESTART);
	expect((struct verdict_facts){ .overrun = true, .started = true, .failed = true, .type = PLAN_TEMPORARY },
	       VERDICT_GIVEN_UP);
	expect((struct verdict_facts){ .overrun = true, .started = true, .stopped = true, .type = PLAN_TEMPORARY },
	       VERDICT_GIVEN_UP);
}

static void test_a_missing_program(void **state)
{
	(void)state;
	expect((struct verdict_facts){ .no_program = true }, VERDICT_START_FAILED);
	expect((struct verdict_facts){ .no_program = true, .started = true }, VERDICT_RESTART);
}

static void test_nobody_follows_after_a_cancel(void **state)
{
	(void)state;
	expect((struct verdict_facts){ .restarts_off = true, .started = true }, VERDICT_LOST);
	expect((struct verdict_facts){ .restarts_off = true, .started = true, .failed = true }, VERDICT_LOST);
	expect((struct verdict_facts){ .restarts_off = true, .exited_zero = true, .ended = true }, VERDICT_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_clean_end_needs_both_words),
		cmocka_unit_test(test_a_failure_is_final),
		cmocka_unit_test(test_a_permanent_worker_is_not_believed),
		cmocka_unit_test(test_a_temporary_worker_has_no_successor),
		cmocka_unit_test(test_who_was_stopped_for_a_sibling_comes_back),
		cmocka_unit_test(test_who_left_because_it_was_told_to_has_ended_nothing),
		cmocka_unit_test(test_an_item_has_overrun_there),
		cmocka_unit_test(test_a_missing_program),
		cmocka_unit_test(test_nobody_follows_after_a_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
