/* SPDX-License-Identifier: Apache-2.0 */
/* The age of the oldest item of a lane, from looks at its positions, at made-up times. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/supervise/lane_age.h"

static struct lane_age age;

static int begin(void **state)
{
	(void)state;
	age = (struct lane_age){ 0 };
	return 0;
}

static void test_an_empty_lane_has_no_age(void **state)
{
	(void)state;
	assert_int_equal(lane_age_look(&age, 0, 0, 10), 0);
	assert_int_equal(lane_age_look(&age, 64, 64, 1000), 0);
}

static void test_what_stays_gets_older(void **state)
{
	(void)state;
	assert_int_equal(lane_age_look(&age, 64, 0, 10), 0);
	assert_int_equal(lane_age_look(&age, 64, 0, 30), 20);
	assert_int_equal(lane_age_look(&age, 128, 0, 50), 40);
	assert_int_equal(lane_age_look(&age, 128, 64, 70),
			 20); /* the first is gone, the second came between 30 and 50 */
	assert_int_equal(lane_age_look(&age, 128, 128, 90), 0);
}

/* In a lane that always holds four looks' worth the oldest is four looks old, however long that goes on. */
static void test_what_moves_keeps_its_age(void **state)
{
	(void)state;
	for (uint64_t now = 1; now <= 4; now++)
		lane_age_look(&age, now * 64, 0, now * 10);
	for (uint64_t now = 5; now < 100; now++)
		assert_int_equal(lane_age_look(&age, now * 64, (now - 4) * 64, now * 10), 30);
}

/* More looks than are remembered: what is forgotten makes nothing older than it is. */
static void test_age_is_never_more_than_true(void **state)
{
	(void)state;
	for (uint64_t now = 1; now <= 40; now++)
		assert_int_equal(lane_age_look(&age, now * 64, 0, now * 10), (now - 1) * 10);
	for (uint64_t done = 1; done <= 40; done++) {
		uint64_t oldest = lane_age_look(&age, 40 * 64, done * 64, 400 + done);

		assert_true(done == 40 ? oldest == 0 : oldest <= 400 + done - done * 10);
	}
}

static void test_positions_wrap(void **state)
{
	uint64_t from = UINT64_MAX - 63;

	(void)state;
	lane_age_look(&age, from + 32, from, 10);
	lane_age_look(&age, from + 96, from, 20); /* past the largest */
	assert_int_equal(lane_age_look(&age, from + 96, from + 32, 30), 10);
	assert_int_equal(lane_age_look(&age, from + 96, from + 96, 40), 0);
}

/* Its reader was given up, and what lay there was moved: the tail goes back. */
static void test_a_tail_that_goes_back_takes_the_age_along(void **state)
{
	(void)state;
	lane_age_look(&age, 64, 0, 10);
	lane_age_look(&age, 128, 0, 20);
	assert_int_equal(lane_age_look(&age, 0, 0, 30), 0);
	assert_int_equal(lane_age_look(&age, 64, 0, 40), 0);
	assert_int_equal(lane_age_look(&age, 64, 0, 50), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_empty_lane_has_no_age, begin),
		cmocka_unit_test_setup(test_what_stays_gets_older, begin),
		cmocka_unit_test_setup(test_what_moves_keeps_its_age, begin),
		cmocka_unit_test_setup(test_age_is_never_more_than_true, begin),
		cmocka_unit_test_setup(test_positions_wrap, begin),
		cmocka_unit_test_setup(test_a_tail_that_goes_back_takes_the_age_along, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
