/* SPDX-License-Identifier: Apache-2.0 */
/* How many workers a stage is to have: what looks find, at made-up times. Whoever asks carries it out at once. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/supervise/autoscale.h"
#include "common/base/clock.h"

#define TARGET (100 * NS_PER_MS)
#define COOL_DOWN (10 * NS_PER_S)
#define LOOK (25 * NS_PER_MS)

static struct autoscale_track track;
static struct autoscale_limits limits;
static uint64_t now_ns;
static uint32_t n, n_grown, n_shrunk, n_blocked, n_at_most;

static int begin(void **state)
{
	(void)state;
	track = (struct autoscale_track){ 0 };
	limits = (struct autoscale_limits){
		.workers_min = 1, .workers_max = 8, .target_age_ns = TARGET, .cool_down_ns = COOL_DOWN
	};
	now_ns = 1000 * NS_PER_S;
	n = 1;
	n_grown = n_shrunk = n_blocked = n_at_most = 0;
	return 0;
}

static struct autoscale_decision look(uint64_t age_ns, uint32_t busy, uint32_t blocked)
{
	const struct autoscale_sight sight = {
		.n_wanted = n, .settled = true, .n_dealt = n, .n_busy = busy, .n_blocked = blocked, .age_ns = age_ns
	};
	struct autoscale_decision decision;

	now_ns += LOOK;
	decision = autoscale_look(&track, &limits, &sight, now_ns);
	n = decision.n_workers;
	n_grown += decision.verdict == AUTOSCALE_GROWS;
	n_shrunk += decision.verdict == AUTOSCALE_SHRINKS;
	n_blocked += decision.verdict == AUTOSCALE_BLOCKED;
	n_at_most += decision.verdict == AUTOSCALE_AT_MOST;
	return decision;
}

static void look_for(uint64_t ns, uint64_t age_ns, uint32_t busy, uint32_t blocked)
{
	for (uint64_t end_ns = now_ns + ns; now_ns < end_ns;)
		look(age_ns, busy < n ? busy : n, blocked < n ? blocked : n);
}

static void test_looks_follow_the_target(void **state)
{
	(void)state;
	assert_int_equal(autoscale_look_ns(&limits), LOOK);
	limits.target_age_ns = NS_PER_MS;
	assert_int_equal(autoscale_look_ns(&limits), 10 * NS_PER_MS);
	limits.target_age_ns = 3600 * NS_PER_S;
	assert_int_equal(autoscale_look_ns(&limits), 100 * NS_PER_MS);
}

/* Items wait longer and longer: it is answered well within a second, and goes up to the most step by step. */
static void test_a_load_step_is_answered(void **state)
{
	uint64_t begun_ns;

	(void)state;
	look_for(NS_PER_S, 0, 0, 0);
	begun_ns = now_ns;
	while (n == 1 && now_ns < begun_ns + NS_PER_S)
		look(now_ns - begun_ns, 1, 0);
	assert_int_equal(n, 2);
	assert_true(now_ns - begun_ns <= 300 * NS_PER_MS);
	look_for(3 * NS_PER_S, 10 * TARGET, 8, 0);
	assert_int_equal(n, 8);
	assert_int_equal(n_grown, 3);
	assert_int_equal(n_at_most, 1); /* said once */
}

static void test_by_as_much_as_it_is_late_and_twofold_at_most(void **state)
{
	(void)state;
	n = 4;
	look_for(NS_PER_S, 0, 4, 0);
	assert_int_equal(look(TARGET * 3 / 2, 4, 0).verdict, AUTOSCALE_STAYS); /* one look may have seen a moment */
	assert_int_equal(look(TARGET * 3 / 2, 4, 0).n_workers, 6);
	begin(state);
	n = 3;
	look_for(NS_PER_S, 0, 3, 0);
	look(50 * TARGET, 3, 0);
	assert_int_equal(look(50 * TARGET, 3, 0).n_workers, 6);
}

static void test_what_a_change_brings_is_waited_for(void **state)
{
	(void)state;
	look_for(NS_PER_S, 0, 1, 0);
	look(5 * TARGET, 1, 0);
	look(5 * TARGET, 1, 0);
	assert_int_equal(n, 2);
	look_for(TARGET, 5 * TARGET, 2, 0);
	assert_int_equal(n, 2);
	look_for(TARGET, 5 * TARGET, 2, 0);
	assert_int_equal(n, 4);
}

/* Items are late, and half of its workers have nothing to do: it is not for want of workers. */
static void test_late_with_idle_workers_is_no_reason(void **state)
{
	(void)state;
	n = 4;
	look_for(20 * NS_PER_S, 5 * TARGET, 2, 0);
	assert_int_equal(n, 4);
	assert_int_equal(n_grown + n_shrunk + n_blocked, 0);
}

/* The stage behind is slow: now its workers wait for room, now they don't; all items are late. */
static void test_back_pressure_changes_nothing(void **state)
{
	(void)state;
	n = 4;
	look_for(2 * NS_PER_S, 0, 4, 0);
	for (unsigned i = 0; i < 200; i++) {
		look_for(8 * LOOK, 5 * TARGET, 0, 4);
		look_for(8 * LOOK, 5 * TARGET, 4, 0);
	}
	assert_int_equal(n, 4);
	assert_int_equal(n_grown + n_shrunk, 0);
	assert_int_equal(n_blocked, 1);           /* said once */
	look_for(2 * NS_PER_S, 5 * TARGET, 8, 0); /* it is over, and they are late all the same */
	assert_int_equal(n, 8);
}

static void test_fewer_only_after_a_cool_down_and_by_half_at_most(void **state)
{
	(void)state;
	n = 8;
	look_for(COOL_DOWN - NS_PER_S, 0, 0, 0);
	assert_int_equal(n, 8);
	look_for(2 * NS_PER_S, 0, 0, 0);
	assert_int_equal(n, 4);
	look_for(COOL_DOWN - 2 * NS_PER_S, 0, 0, 0);
	assert_int_equal(n, 4);
	look_for(4 * COOL_DOWN, 0, 0, 0);
	assert_int_equal(n, 1);
	assert_int_equal(n_shrunk, 3);
}

/* Two of eight are enough for two that are busy only as 2 / 0.6. */
static void test_so_many_stay_as_the_load_needs(void **state)
{
	(void)state;
	n = 8;
	look_for(10 * COOL_DOWN, 0, 2, 0);
	assert_int_equal(n, 4);
	begin(state);
	n = 3;
	look_for(10 * COOL_DOWN, 0, 2, 0); /* two would be busy all the time */
	assert_int_equal(n, 3);
}

/* A peak within the cool-down: fewer would not have done. */
static void test_a_peak_is_remembered(void **state)
{
	(void)state;
	n = 4;
	for (unsigned i = 0; i < 20; i++) {
		look_for(COOL_DOWN / 2, 0, 0, 0);
		look_for(COOL_DOWN / 2, 0, 4, 0);
	}
	assert_int_equal(n, 4);
	begin(state);
	n = 8;
	look_for(COOL_DOWN / 2, 0, 4, 0);
	look_for(COOL_DOWN, 0, 0, 0);
	assert_in_range(n, 6, 7); /* for four, busy to 60 % */
}

static void test_a_load_between_the_thresholds_changes_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) { /* 70 % busy, items nearly late */
		n = 4;
		look(TARGET - 1, i % 10 < 7 ? 4 : 0, 0);
	}
	assert_int_equal(n_grown + n_shrunk, 0);
}

static void test_items_that_wait_are_no_quiet(void **state)
{
	(void)state;
	n = 4;
	look_for(3 * COOL_DOWN, TARGET / 2, 2, 0);
	assert_int_equal(n, 4);
	look_for(3 * COOL_DOWN, TARGET / 2, 1, 0); /* a quarter is busy: each item takes its worker that long */
	assert_int_equal(n, 2);
	begin(state);
	limits.by_key = true; /* one worker has all that waits, and the others can't help it */
	n = 4;
	look_for(3 * COOL_DOWN, TARGET / 2, 1, 0);
	assert_int_equal(n, 4);
}

static void test_bounds(void **state)
{
	(void)state;
	limits.workers_min = 3;
	n = 4;
	look_for(5 * COOL_DOWN, 0, 0, 0);
	assert_int_equal(n, 3);
	limits.workers_max = 5;
	look_for(5 * NS_PER_S, 90 * TARGET, 8, 0);
	assert_int_equal(n, 5);
}

/* Somebody else has given it another number: from then on the cool-down counts. */
static void test_the_change_of_another_counts(void **state)
{
	(void)state;
	n = 4;
	look_for(COOL_DOWN - NS_PER_S, 0, 0, 0);
	n = 6;
	look_for(COOL_DOWN - NS_PER_S, 0, 0, 0);
	assert_int_equal(n, 6);
	look_for(2 * NS_PER_S, 0, 0, 0);
	assert_int_equal(n, 3);
}

/* While it grows or shrinks, is reloaded, or nobody is there: no order. */
static void test_who_is_on_the_way_is_left_alone(void **state)
{
	struct autoscale_sight sight = { .n_wanted = 2, .n_dealt = 1, .n_busy = 1, .age_ns = 9 * TARGET };

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(autoscale_look(&track, &limits, &sight, now_ns += LOOK).verdict, AUTOSCALE_STAYS);
	sight = (struct autoscale_sight){ .n_wanted = 2, .settled = true, .age_ns = 9 * TARGET };
	track.busy = 1;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(autoscale_look(&track, &limits, &sight, now_ns += LOOK).verdict, AUTOSCALE_STAYS);
}

static void test_at_rest_it_is_due_at_the_end_of_the_cool_down(void **state)
{
	uint64_t due_ns;

	(void)state;
	look(0, 0, 0);
	assert_int_equal(autoscale_due_ns(&track, &limits, now_ns), 0); /* it has its least */
	n = 4;
	look_for(COOL_DOWN, 0, 4, 0);
	assert_int_equal(autoscale_due_ns(&track, &limits, now_ns), now_ns + LOOK); /* fewer would not do yet */
	look_for(5 * NS_PER_S, 0, 0, 0);
	due_ns = autoscale_due_ns(&track, &limits, now_ns);
	assert_true(due_ns > now_ns && due_ns <= now_ns + COOL_DOWN);
	now_ns = due_ns - LOOK;
	look(0, 0, 0);
	assert_true(n < 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_looks_follow_the_target, begin),
		cmocka_unit_test_setup(test_a_load_step_is_answered, begin),
		cmocka_unit_test_setup(test_by_as_much_as_it_is_late_and_twofold_at_most, begin),
		cmocka_unit_test_setup(test_what_a_change_brings_is_waited_for, begin),
		cmocka_unit_test_setup(test_late_with_idle_workers_is_no_reason, begin),
		cmocka_unit_test_setup(test_back_pressure_changes_nothing, begin),
		cmocka_unit_test_setup(test_fewer_only_after_a_cool_down_and_by_half_at_most, begin),
		cmocka_unit_test_setup(test_so_many_stay_as_the_load_needs, begin),
		cmocka_unit_test_setup(test_a_peak_is_remembered, begin),
		cmocka_unit_test_setup(test_a_load_between_the_thresholds_changes_nothing, begin),
		cmocka_unit_test_setup(test_items_that_wait_are_no_quiet, begin),
		cmocka_unit_test_setup(test_bounds, begin),
		cmocka_unit_test_setup(test_the_change_of_another_counts, begin),
		cmocka_unit_test_setup(test_who_is_on_the_way_is_left_alone, begin),
		cmocka_unit_test_setup(test_at_rest_it_is_due_at_the_end_of_the_cool_down, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
