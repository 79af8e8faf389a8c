/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "broker/lifecycle/restart.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define HISTORIES 10000u
#define DEATHS_PER_HISTORY 60u

static const struct restart_policy policy = { 10, 30 * S, 10 * MS, 10 * S };

static void test_one_more_than_the_intensity_fails(void **state)
{
	uint64_t deaths[10] = { 0 };
	struct restart_history history = { .deaths_ns = deaths };

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_true(restart_allowed(&history, &policy, 5 * S + i, false));
	assert_false(restart_allowed(&history, &policy, 5 * S + 10, false));
}

static void test_deaths_beyond_the_period_are_forgotten(void **state)
{
	uint64_t deaths[10] = { 0 };
	struct restart_history history = { .deaths_ns = deaths };

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_true(restart_allowed(&history, &policy, 5 * S + i * 3 * S, false));
}

static void test_progress_never_counts(void **state)
{
	uint64_t deaths[10] = { 0 };
	struct restart_history history = { .deaths_ns = deaths };

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_true(restart_allowed(&history, &policy, 5 * S + i, true));
	assert_int_equal(history.n, 0);
}

static void test_intensity_zero_allows_none(void **state)
{
	struct restart_history history = { .deaths_ns = NULL };
	const struct restart_policy never = { 0, 30 * S, 10 * MS, 10 * S };

	(void)state;
	assert_false(restart_allowed(&history, &never, S, false));
	assert_true(restart_allowed(&history, &never, S, true));
}

/* The model remembers everything and counts by hand. */
static bool model_allows(const uint64_t *deaths, unsigned n, uint64_t now_ns, const struct restart_policy *with)
{
	unsigned within = 0;

	for (unsigned i = 0; i < n; i++)
		within += now_ns - deaths[i] < with->period_ns;
	return within < with->intensity;
}

static void test_random_histories_equal_the_model(void **state)
{
	unsigned short seed[3] = { 7, 11, 13 };

	(void)state;
	for (unsigned h = 0; h < HISTORIES; h++) {
		struct restart_policy random_policy = { 1 + (uint32_t)nrand48(seed) % 8,
							(uint64_t)(1 + nrand48(seed) % 40) * S, 1, 2 };
		uint64_t ring[8] = { 0 }, all[DEATHS_PER_HISTORY], now_ns = S;
		struct restart_history history = { .deaths_ns = ring };

		for (unsigned n = 0; n < DEATHS_PER_HISTORY; n++) {
			bool expected;

			now_ns += (uint64_t)nrand48(seed) % (10 * S);
			expected = model_allows(all, n, now_ns, &random_policy);
			assert_int_equal(restart_allowed(&history, &random_policy, now_ns, false), expected);
			if (!expected)
				break;
			all[n] = now_ns;
		}
	}
}

static void test_backoff_doubles_up_to_the_cap(void **state)
{
	const uint32_t middle = UINT32_MAX / 2;
	uint64_t expected_ns = 10 * MS;

	(void)state;
	assert_in_range(restart_backoff_ns(&policy, 0, middle), 999 * MS / 100, 1001 * MS / 100);
	for (uint32_t failures = 1; failures < 40; failures++) {
		assert_in_range(restart_backoff_ns(&policy, failures, middle), expected_ns / 1000 * 999,
				expected_ns / 1000 * 1001);
		expected_ns = expected_ns * 2 < 10 * S ? expected_ns * 2 : 10 * S;
	}
	assert_in_range(restart_backoff_ns(&policy, UINT32_MAX, middle), 9 * S, 11 * S);
}

static void test_jitter_is_twenty_percent_either_way(void **state)
{
	(void)state;
	assert_int_equal(restart_backoff_ns(&policy, 1, 0), 8 * MS);
	assert_in_range(restart_backoff_ns(&policy, 1, UINT32_MAX), 1199 * MS / 100, 12 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_more_than_the_intensity_fails),
		cmocka_unit_test(test_deaths_beyond_the_period_are_forgotten),
		cmocka_unit_test(test_progress_never_counts),
		cmocka_unit_test(test_intensity_zero_allows_none),
		cmocka_unit_test(test_random_histories_equal_the_model),
		cmocka_unit_test(test_backoff_doubles_up_to_the_cap),
		cmocka_unit_test(test_jitter_is_twenty_percent_either_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
