/* SPDX-License-Identifier: Apache-2.0 */
/* Overruns, judged from one look to the next, at made-up times. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/supervise/overrun.h"

#define DEADLINE 100u
#define SLACK 5u

static struct overrun_track track;
static struct overrun_item item;

static int begin(void **state)
{
	(void)state;
	track = (struct overrun_track){ 0 };
	item = (struct overrun_item){ 0 };
	return 0;
}

static bool look(const struct overrun_sight *sight, uint64_t now)
{
	const struct overrun_limits limits = { DEADLINE, SLACK };

	return overrun_look(&track, sight, &limits, now, &item);
}

static bool look_at_item(uint64_t position, uint64_t waited, uint64_t now)
{
	const struct overrun_sight sight = {
		.in_hand = true, .lane = 1, .position = position, .sequence = position / 8, .waited_ns = waited
	};

	return look(&sight, now);
}

static void test_an_item_that_stays_overruns(void **state)
{
	(void)state;
	assert_false(look_at_item(80, 0, 1000));
	assert_false(look_at_item(80, 0, 1000 + DEADLINE));
	assert_false(look_at_item(80, 0, 1000 + DEADLINE + SLACK - 1));
	assert_true(look_at_item(80, 0, 1000 + DEADLINE + SLACK));
	assert_int_equal(item.lane, 1);
	assert_int_equal(item.position, 80);
	assert_int_equal(item.sequence, 10);
	assert_int_equal(item.over_ns, SLACK);
	assert_false(item.pending);
}

static void test_items_that_follow_each_other_do_not(void **state)
{
	(void)state;
	for (uint64_t now = 0; now < 100 * DEADLINE; now += DEADLINE)
		assert_false(look_at_item(80 + now, 0, now));
}

static void test_the_same_position_of_another_lane_is_another_item(void **state)
{
	struct overrun_sight sight = { .in_hand = true, .lane = 1, .position = 80 };

	(void)state;
	assert_false(look(&sight, 0));
	sight.lane = 2;
	assert_false(look(&sight, DEADLINE + SLACK));
	assert_true(look(&sight, 2 * (DEADLINE + SLACK)));
	assert_int_equal(item.lane, 2);
}

static void test_a_look_without_an_item_begins_anew(void **state)
{
	const struct overrun_sight nothing = { 0 };

	(void)state;
	assert_false(look_at_item(80, 0, 0));
	assert_false(look(&nothing, 50));
	assert_int_equal(overrun_due_ns(&track, &nothing, DEADLINE), 0);
	assert_false(look_at_item(80, 0, DEADLINE + SLACK));
}

/* Position 0 of lane 0, with nothing remembered: all zeros are no item that was seen before. */
static void test_the_first_item_is_new(void **state)
{
	const struct overrun_sight sight = { .in_hand = true };

	(void)state;
	assert_false(look(&sight, 10 * DEADLINE));
}

static void test_sleep_for_room_is_not_the_items(void **state)
{
	const struct overrun_sight sight = { .in_hand = true, .lane = 1, .position = 80, .waited_ns = 7000 + 60 };

	(void)state;
	assert_false(look_at_item(80, 7000, 1000));
	assert_false(look_at_item(80, 7000 + 60, 1000 + DEADLINE + SLACK));
	assert_int_equal(overrun_due_ns(&track, &sight, DEADLINE), 1000 + DEADLINE + 60);
	assert_false(look_at_item(80, 7000 + 60, 1000 + DEADLINE + SLACK + 59));
	assert_true(look_at_item(80, 7000 + 60, 1000 + DEADLINE + SLACK + 60));
}

static void test_time_in_which_nobody_ran_is_forgiven(void **state)
{
	(void)state;
	assert_false(look_at_item(80, 0, 1000));
	overrun_forgive(&track, 5000);
	assert_false(look_at_item(80, 0, 6000 + DEADLINE));
	assert_true(look_at_item(80, 0, 6000 + DEADLINE + SLACK));
}

/* ---- items put aside ---- */

static struct overrun_sight pending(uint64_t due, uint64_t waited)
{
	return (struct overrun_sight){ .waited_ns = waited,
				       .pending_due_ns = due,
				       .pending_lane = 3,
				       .pending_position = 24,
				       .pending_sequence = 3 };
}

static void test_a_pending_item_overruns_by_its_stamp(void **state)
{
	struct overrun_sight sight = pending(500, 0);

	(void)state;
	assert_false(look(&sight, 500 + SLACK - 1));
	assert_true(look(&sight, 500 + SLACK));
	assert_int_equal(item.lane, 3);
	assert_int_equal(item.position, 24);
	assert_true(item.pending);
	sight = pending(500, 100); /* which stood still for a while */
	assert_false(look(&sight, 599 + SLACK));
	assert_true(look(&sight, 600 + SLACK));
}

/* The stage sits on another item and could not end the pending one if it wanted to: that one is judged first. */
/* What was given before that has so much more time; what is given afterwards has not. */
static void test_time_in_which_nobody_ran_is_forgiven_to_pending_items_too(void **state)
{
	struct overrun_sight before = pending(1000 + DEADLINE, 300), after = pending(6100 - 300 + DEADLINE, 300);

	(void)state;
	assert_false(look(&before, 1300));
	overrun_forgive(&track, 5000);
	assert_false(look(&before, 6400));
	assert_false(look(&before, 6300 + DEADLINE + SLACK - 1));
	assert_false(look_at_item(80, 300, 6300 + DEADLINE)); /* which changes nothing */
	assert_true(look(&before, 6300 + DEADLINE + SLACK));
	assert_int_equal(item.over_ns, SLACK);
	begin(state);
	overrun_forgive(&track, 5000);
	assert_false(look(&before, 6050));
	assert_false(look(&after, 6100 + DEADLINE + SLACK - 1));
	assert_true(look(&after, 6100 + DEADLINE + SLACK));
}

static void test_a_pending_item_is_not_blamed_for_the_one_in_hand(void **state)
{
	struct overrun_sight sight = pending(500, 0);

	(void)state;
	sight.in_hand = true;
	sight.lane = 3;
	sight.position = 96;
	assert_false(look(&sight, 490));
	assert_false(look(&sight, 550));
	assert_true(look(&sight, 490 + DEADLINE + SLACK));
	assert_int_equal(item.position, 96);
	assert_false(item.pending);
}

static void test_a_stage_that_is_only_busy_may_be_late(void **state)
{
	struct overrun_sight sight = pending(500, 0);

	(void)state;
	sight.in_hand = true;
	sight.lane = 3;
	for (uint64_t now = 400; now < 500 + SLACK; now += SLACK, sight.position += 40)
		assert_false(look(&sight, now));
	assert_true(look(&sight, 500 + SLACK)); /* never the same one twice in hand: it had the time */
	assert_int_equal(item.position, 24);
}

static void test_the_pending_item_itself_may_be_in_hand(void **state)
{
	struct overrun_sight sight = pending(500, 0);

	(void)state;
	sight.in_hand = true;
	sight.lane = 3;
	sight.position = 24;
	assert_false(look(&sight, 480));
	assert_true(look(&sight, 500 + SLACK));
	assert_int_equal(item.position, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_item_that_stays_overruns, begin),
		cmocka_unit_test_setup(test_items_that_follow_each_other_do_not, begin),
		cmocka_unit_test_setup(test_the_same_position_of_another_lane_is_another_item, begin),
		cmocka_unit_test_setup(test_a_look_without_an_item_begins_anew, begin),
		cmocka_unit_test_setup(test_the_first_item_is_new, begin),
		cmocka_unit_test_setup(test_sleep_for_room_is_not_the_items, begin),
		cmocka_unit_test_setup(test_time_in_which_nobody_ran_is_forgiven, begin),
		cmocka_unit_test_setup(test_a_pending_item_overruns_by_its_stamp, begin),
		cmocka_unit_test_setup(test_time_in_which_nobody_ran_is_forgiven_to_pending_items_too, begin),
		cmocka_unit_test_setup(test_a_pending_item_is_not_blamed_for_the_one_in_hand, begin),
		cmocka_unit_test_setup(test_a_stage_that_is_only_busy_may_be_late, begin),
		cmocka_unit_test_setup(test_the_pending_item_itself_may_be_in_hand, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
