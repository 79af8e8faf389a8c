/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/rates.h"
#include "tests/unit/broker/cli/sample_view.h"

#define assert_near(a_, b_) assert_true((a_) - (b_) < 0.01 && (b_) - (a_) < 0.01)

static void test_first_value_counts_whole(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	rate_update(&rate, 500, 5);
	assert_near(rate.per_second, 100);
	rate_update(&rate, 900, 2); /* 200/s, for as long as the smoothing: half of it */
	assert_near(rate.per_second, 150);
	rate_update(&rate, 100, 2); /* a number that shrinks is no speed */
	assert_near(rate.per_second, 75);
}

static void test_a_slow_start_is_soon_made_up_for(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	rate_update(&rate, 0, 0.2);
	rate_update(&rate, 800, 0.2);
	assert_near(rate.per_second, 2000); /* the mean of the 0.4 s */
	rate_update(&rate, 3000, 0.6);
	assert_near(rate.per_second, 3000);
}

static void test_steady_input_converges(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	rate_update(&rate, 0, 1);
	for (int i = 1; i <= 400; i++)
		rate_update(&rate, i * 1000.0 / 8, 1.0 / 8);
	assert_true(rate.per_second > 990 && rate.per_second < 1010);
}

static void test_view(void **state)
{
	struct rates rates = RATES_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	rates_update(&rates, &s.view);
	assert_int_equal(rates.n_stages, 3);
	assert_near(rates.stages[0].per_second, 100); /* 1,000 in the 10 s since the start */
	assert_near(rates.stages[1].per_second, 90);
	assert_near(rates.accepted.per_second, 100);
	assert_near(rates.delivered.per_second, 60);
	/* 42 % in 10 s: the other 58 % take 13.8 s */
	assert_int_equal(rates_left_ns(&rates, &s.view) / NS_PER_S, 13);
	rates_update(&rates, &s.view); /* no time has passed: nothing changes */
	assert_near(rates.accepted.per_second, 100);
	rates_deinit(&rates);
}

static void test_fraction(void **state)
{
	struct rates rates = RATES_NULL;
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_near(view_fraction(&s.view), 0.42);
	s.stages[0].progress_position = 200; /* the file has grown */
	assert_near(view_fraction(&s.view), 1);
	s.stages[1].role = "source"; /* a second source that does not know */
	assert_true(view_fraction(&s.view) < 0);
	assert_true(rates_left_ns(&rates, &s.view) == UINT64_MAX);
	s.stages[1].progress_total = 10;
	s.stages[1].progress_position = 5;
	assert_near(view_fraction(&s.view), 0.75);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_value_counts_whole),
		cmocka_unit_test(test_a_slow_start_is_soon_made_up_for),
		cmocka_unit_test(test_steady_input_converges),
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_fraction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
