/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/supervise/verdict.h"

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
}

static void test_a_failure_is_final(void **state)
{
	(void)state;
	expect((struct verdict_facts){ .failed = true }, VERDICT_START_FAILED);
	expect((struct verdict_facts){ .failed = true, .started = true }, VERDICT_STAGE_FAILED);
	expect((struct verdict_facts){ .failed = true, .started = true, .hung = true }, VERDICT_STAGE_FAILED);
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
		cmocka_unit_test(test_a_missing_program),
		cmocka_unit_test(test_nobody_follows_after_a_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
