/* SPDX-License-Identifier: Apache-2.0 */
/* Who goes first at a reload: when it is outside its limits, and how soon that is said. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "broker/supervise/canary.h"

#define MS UINT64_C(1000000)

static void test_verdicts(void **state)
{
	static const struct {
		struct canary_sight sight;
		bool is_over;
		enum canary_verdict expected;
	} cases[] = {
		/* One per cent, 10 ms an item. */
		{ { 0, 0, 0 }, false, CANARY_WITHIN },
		{ { 0, 0, 0 }, true, CANARY_WITHIN },
		{ { 5, 1, 0 }, false, CANARY_WITHIN }, /* 99 good ones may follow */
		{ { 5, 1, 0 }, true, CANARY_ERRORS },
		{ { 5, 2, 0 }, false, CANARY_ERRORS }, /* whatever follows */
		{ { 100, 1, 0 }, true, CANARY_WITHIN },
		{ { 1000, 10, 0 }, false, CANARY_WITHIN },
		{ { 1000, 11, 0 }, false, CANARY_ERRORS },
		{ { 1, 0, 200 * MS }, false, CANARY_WITHIN }, /* 19 quick ones may follow */
		{ { 1, 0, 201 * MS }, false, CANARY_SLOW },
		{ { 1, 0, 11 * MS }, true, CANARY_SLOW },
		{ { 0, 0, 11 * MS }, true, CANARY_SLOW }, /* hangs in its first */
		{ { 100, 0, 1000 * MS }, true, CANARY_WITHIN },
		{ { 100, 0, 1001 * MS }, false, CANARY_SLOW },
		{ { 100, 2, 1001 * MS }, false, CANARY_ERRORS },
	};
	const struct canary_limits limits = { 10000000, 10 * MS };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (canary_verdict_of(&limits, &cases[i].sight, cases[i].is_over) != cases[i].expected)
			fail_msg("case %zu", i);
}

static void test_no_limit(void **state)
{
	const struct canary_limits none = { 0, 0 }, all = { UINT64_C(1000000000), 0 };

	(void)state;
	assert_int_equal(canary_verdict_of(&none, &(struct canary_sight){ 9, 0, 9000 * MS }, true), CANARY_WITHIN);
	assert_int_equal(canary_verdict_of(&none, &(struct canary_sight){ 9, 1, 0 }, false), CANARY_ERRORS);
	assert_int_equal(canary_verdict_of(&all, &(struct canary_sight){ 9, 9, 0 }, true), CANARY_WITHIN);
}

static void test_words(void **state)
{
	const struct canary_limits limits = { 10000000, 10 * MS };
	struct text text = TEXT_NULL;

	(void)state;
	canary_explain(CANARY_WITHIN, &limits, &(struct canary_sight){ 9, 0, 0 }, &text);
	assert_int_equal(text.length, 0);
	canary_explain(CANARY_ERRORS, &limits, &(struct canary_sight){ 200, 3, 0 }, &text);
	assert_string_equal(text_get(&text), "went first, and has failed with 3 of 200 items, more than 1 % (canary)");
	text_clear(&text);
	canary_explain(CANARY_SLOW, &limits, &(struct canary_sight){ 10, 0, 200 * MS }, &text);
	assert_non_null(strstr(text_get(&text), "took 20 ms for each of 10 items, more than 10 ms (canary)"));
	text_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
