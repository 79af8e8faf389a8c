/* SPDX-License-Identifier: Apache-2.0 */
/* Which traces are in a sample: none, all, and by their low 56 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/trace/otlp_spans.h"

#define HALF (UINT64_C(1) << 55)
#define LAST (2 * HALF - 1)

static const struct trace_names names;

static bool is_wanted(uint64_t trace_low, uint32_t flags, double share)
{
	const struct timeline_slice item = {
		.kind = TIMELINE_ITEM, .trace = { .trace_high = 1, .trace_low = trace_low, .parent = 1, .flags = flags }
	};

	return otlp_span_is_wanted(&names, &item, share);
}

static void test_a_share_goes_by_the_low_bits(void **state)
{
	(void)state;
	assert_true(is_wanted(HALF - 1, TRACEPARENT_SAMPLED, 0.5));
	assert_false(is_wanted(HALF, TRACEPARENT_SAMPLED, 0.5));
	assert_true(is_wanted(UINT64_C(0xff) << 56, TRACEPARENT_SAMPLED, 0.5));
	assert_false(is_wanted(0, TRACEPARENT_SAMPLED, 0));
}

/* As doubles the highest of them are 2^56. */
static void test_all_of_them_are_all(void **state)
{
	(void)state;
	for (uint64_t below = 0; below < 64; below++)
		assert_true(is_wanted(LAST - below, TRACEPARENT_SAMPLED, 1));
	assert_true(is_wanted(0, TRACEPARENT_SAMPLED, 1));
}

static void test_who_is_not_to_be_sampled_is_in_no_sample(void **state)
{
	(void)state;
	assert_false(is_wanted(0, 0, 1));
	assert_false(is_wanted(0, 0, 0.5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_share_goes_by_the_low_bits),
		cmocka_unit_test(test_all_of_them_are_all),
		cmocka_unit_test(test_who_is_not_to_be_sampled_is_in_no_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
