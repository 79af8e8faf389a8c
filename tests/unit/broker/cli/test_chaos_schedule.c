/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/chaos_schedule.h"
#include "common/base/clock.h"

#define SEED 2026

static void test_nothing_is_due_unasked(void **state)
{
	struct chaos_schedule schedule;
	uint64_t due_ns = 7;

	(void)state;
	chaos_schedule_init(&schedule, SEED);
	assert_int_equal(chaos_schedule_next(&schedule, &due_ns), CHAOS_COUNT);
	assert_int_equal(due_ns, 7);
}

static void test_the_mean_is_what_was_asked_for(void **state)
{
	const uint64_t period_ns = 100 * NS_PER_MS, n = 2000;
	struct chaos_schedule schedule;
	uint64_t now_ns = NS_PER_S, begun_ns = now_ns;

	(void)state;
	chaos_schedule_init(&schedule, SEED);
	chaos_schedule_every(&schedule, CHAOS_KILL, period_ns, now_ns);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t due_ns = 0;

		assert_int_equal(chaos_schedule_next(&schedule, &due_ns), CHAOS_KILL);
		assert_in_range(due_ns - now_ns, period_ns / 2, period_ns * 3 / 2);
		now_ns = due_ns;
		chaos_schedule_done(&schedule, CHAOS_KILL, now_ns);
	}
	assert_in_range((now_ns - begun_ns) / n, period_ns * 95 / 100, period_ns * 105 / 100);
}

static void test_the_earliest_comes_first(void **state)
{
	struct chaos_schedule schedule;
	uint64_t now_ns = NS_PER_S, due_ns = 0, last_ns = 0, n_pauses = 0;

	(void)state;
	chaos_schedule_init(&schedule, SEED);
	chaos_schedule_every(&schedule, CHAOS_FILL, NS_PER_S, now_ns);
	chaos_schedule_every(&schedule, CHAOS_PAUSE, 10 * NS_PER_MS, now_ns);
	for (int i = 0; i < 1000; i++) {
		enum chaos_act act = chaos_schedule_next(&schedule, &due_ns);

		assert_true(due_ns >= last_ns);
		n_pauses += act == CHAOS_PAUSE;
		chaos_schedule_done(&schedule, act, due_ns);
		last_ns = due_ns;
	}
	assert_in_range(n_pauses, 950, 999);
}

static void test_the_same_seed_does_the_same(void **state)
{
	struct chaos_schedule a, b, other;
	uint64_t n_different = 0;

	(void)state;
	chaos_schedule_init(&a, SEED);
	chaos_schedule_init(&b, SEED);
	chaos_schedule_init(&other, SEED + 1);
	for (int i = 0; i < 100; i++) {
		uint64_t choice = chaos_schedule_choose(&a, 1000);

		assert_int_equal(chaos_schedule_choose(&b, 1000), choice);
		n_different += chaos_schedule_choose(&other, 1000) != choice;
	}
	assert_true(n_different > 90);
}

static void test_every_side_of_the_dice_comes(void **state)
{
	struct chaos_schedule schedule;
	unsigned n[5] = { 0 };

	(void)state;
	chaos_schedule_init(&schedule, 0); /* no seed is a bad one */
	for (int i = 0; i < 5000; i++) {
		uint64_t side = chaos_schedule_choose(&schedule, 5);

		assert_true(side < 5);
		n[side]++;
	}
	for (int i = 0; i < 5; i++)
		assert_in_range(n[i], 850, 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_due_unasked),
		cmocka_unit_test(test_the_mean_is_what_was_asked_for),
		cmocka_unit_test(test_the_earliest_comes_first),
		cmocka_unit_test(test_the_same_seed_does_the_same),
		cmocka_unit_test(test_every_side_of_the_dice_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
