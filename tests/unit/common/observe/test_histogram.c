/* SPDX-License-Identifier: Apache-2.0 */
/* Each duration has its bucket, whose middle is near it; what is added is found again, by quantile too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/observe/histogram.h"

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* At most a sixteenth of what it was. */
static void assert_near(uint64_t ns)
{
	uint32_t bucket = histogram_bucket(ns);

	assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
	assert_true(histogram_lower_ns(bucket) <= ns && ns < histogram_lower_ns(bucket + 1));
	assert_true(distance(histogram_middle_ns(bucket), ns) * 16 <= ns);
}

static void test_the_error_is_bounded(void **state)
{
	(void)state;
	for (uint64_t ns = 0; ns < 1 << 16; ns++)
		assert_near(ns);
	for (unsigned exponent = 16; exponent < 42; exponent++)
		for (uint64_t part = 0; part < 256; part++) {
			uint64_t begin = UINT64_C(1) << exponent, step = begin >> 8;

			assert_near(begin + part * step);
			assert_near(begin + part * step + step - 1);
		}
	assert_near(HISTOGRAM_LIMIT_NS - 1);
}

static void test_buckets_follow_each_other(void **state)
{
	(void)state;
	assert_int_equal(histogram_lower_ns(0), 0);
	for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		assert_true(histogram_lower_ns(bucket) < histogram_lower_ns(bucket + 1));
		assert_int_equal(histogram_bucket(histogram_lower_ns(bucket)), bucket);
		assert_int_equal(histogram_bucket(histogram_lower_ns(bucket + 1) - 1), bucket);
		assert_int_equal(histogram_bucket(histogram_middle_ns(bucket)), bucket);
	}
	assert_int_equal(histogram_lower_ns(HISTOGRAM_BUCKETS), HISTOGRAM_LIMIT_NS);
}

static void test_what_takes_too_long_is_in_the_last(void **state)
{
	(void)state;
	assert_int_equal(histogram_bucket(HISTOGRAM_LIMIT_NS), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

/* Bounds that metrics tell are begins of buckets: else a count below would be a guess. */
static void test_powers_of_two_begin_buckets(void **state)
{
	(void)state;
	for (unsigned exponent = 0; exponent < 42; exponent++)
		assert_int_equal(histogram_lower_ns(histogram_bucket(UINT64_C(1) << exponent)), UINT64_C(1)
													<< exponent);
}

static void read_both(const struct segment_observed *first, const struct segment_observed *second, enum histogram_id id,
		      struct histogram *ret)
{
	const struct segment segments[] = { { .observed = (struct segment_observed *)(uintptr_t)first },
					    { .observed = (struct segment_observed *)(uintptr_t)second } };

	*ret = (struct histogram){ 0 };
	for (unsigned i = 0; i < 2; i++)
		histogram_read(&segments[i], id, ret);
}

static void test_slots_add_up(void **state)
{
	static struct segment_observed first, second;
	struct histogram sum;

	(void)state;
	histogram_add(&first.histograms[HISTOGRAM_WAITING], 5, 3);
	histogram_add(&first.histograms[HISTOGRAM_WAITING], 1 << 20, 1);
	histogram_add(&second.histograms[HISTOGRAM_WAITING], 5, 4);
	histogram_add(&second.histograms[HISTOGRAM_PROCESSING], 7, 1);
	read_both(&first, &second, HISTOGRAM_WAITING, &sum);
	assert_int_equal(sum.counts[5], 7);
	assert_int_equal(sum.sum_ns, 35 + (1 << 20));
	assert_int_equal(histogram_count(&sum), 8);
	assert_int_equal(histogram_count_below(&sum, 1 << 20), 7);
	assert_int_equal(histogram_count_below(&sum, 1 << 21), 8);
	assert_int_equal(histogram_count_below(&sum, 4), 0);
	read_both(&first, &second, HISTOGRAM_PROCESSING, &sum);
	assert_int_equal(histogram_count(&sum), 1);
	read_both(&first, &second, HISTOGRAM_END_TO_END, &sum);
	assert_int_equal(histogram_count(&sum) + sum.sum_ns, 0);
}

static void test_quantiles(void **state)
{
	static struct segment_observed observed;
	const struct segment segment = { .observed = &observed };
	struct histogram histogram = { 0 };

	(void)state;
	assert_int_equal(histogram_quantile_ns(&histogram, 500), 0);
	/* 1 to 1000 µs, one of each: the n-th of a thousand takes n µs. */
	for (uint64_t us = 1; us <= 1000; us++)
		histogram_add(&observed.histograms[HISTOGRAM_PROCESSING], us * 1000, 1);
	histogram_read(&segment, HISTOGRAM_PROCESSING, &histogram);
	for (uint32_t permille = 1; permille <= 1000; permille++)
		assert_true(distance(histogram_quantile_ns(&histogram, permille), permille * UINT64_C(1000)) * 16 <=
			    permille * UINT64_C(1000));
	assert_int_equal(histogram_quantile_ns(&histogram, 0), histogram_quantile_ns(&histogram, 1));
	/* A sample that stands for many. */
	histogram_add(&observed.histograms[HISTOGRAM_PROCESSING], 3, 999000);
	histogram = (struct histogram){ 0 };
	histogram_read(&segment, HISTOGRAM_PROCESSING, &histogram);
	assert_int_equal(histogram_quantile_ns(&histogram, 999), 3);
	assert_true(histogram_quantile_ns(&histogram, 1000) > 900000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_error_is_bounded),
		cmocka_unit_test(test_buckets_follow_each_other),
		cmocka_unit_test(test_what_takes_too_long_is_in_the_last),
		cmocka_unit_test(test_powers_of_two_begin_buckets),
		cmocka_unit_test(test_slots_add_up),
		cmocka_unit_test(test_quantiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
