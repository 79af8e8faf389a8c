/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "broker/lifecycle/pipeline_state.h"

#define GUARD(id_) (1u << PIPELINE_GUARD_##id_)
#define ANY_GUARD UINT32_MAX

static void expect(enum pipeline_state from, enum pipeline_event event, uint32_t holding, enum pipeline_state to)
{
	enum pipeline_state next = PIPELINE_STATE_COUNT;

	assert_true(pipeline_next(from, event, holding, &next));
	assert_int_equal(next, to);
}

static void expect_none(enum pipeline_state from, enum pipeline_event event, uint32_t holding)
{
	enum pipeline_state next = PIPELINE_STATE_COUNT;

	assert_false(pipeline_next(from, event, holding, &next));
	assert_int_equal(next, PIPELINE_STATE_COUNT);
}

static void test_the_good_way(void **state)
{
	(void)state;
	expect(PIPELINE_STARTING, PIPELINE_EVENT_ALL_READY, GUARD(EVERY_SEAT_READY), PIPELINE_RUNNING);
	expect(PIPELINE_RUNNING, PIPELINE_EVENT_ALL_ENDED, GUARD(ALL_CONFIRMED), PIPELINE_STOPPED);
	expect(PIPELINE_RUNNING, PIPELINE_EVENT_STOP_ORDERED, 0, PIPELINE_DRAINING);
	expect(PIPELINE_DRAINING, PIPELINE_EVENT_ALL_ENDED, GUARD(ALL_CONFIRMED), PIPELINE_STOPPED);
}

static void test_the_other_ways(void **state)
{
	(void)state;
	expect(PIPELINE_STARTING, PIPELINE_EVENT_STOP_ORDERED, 0, PIPELINE_DRAINING);
	expect(PIPELINE_STARTING, PIPELINE_EVENT_ALL_ENDED, GUARD(LEFT_OVER), PIPELINE_FAILED);
	expect(PIPELINE_RUNNING, PIPELINE_EVENT_ALL_ENDED, GUARD(LEFT_OVER), PIPELINE_FAILED);
	expect(PIPELINE_DRAINING, PIPELINE_EVENT_ALL_ENDED, GUARD(LEFT_OVER), PIPELINE_FAILED);
}

static void test_guards_hold_the_state(void **state)
{
	(void)state;
	expect_none(PIPELINE_STARTING, PIPELINE_EVENT_ALL_READY, 0);
	expect_none(PIPELINE_DRAINING, PIPELINE_EVENT_RESUMED, 0);
	expect(PIPELINE_DRAINING, PIPELINE_EVENT_RESUMED, GUARD(SOURCES_GO_ON), PIPELINE_RUNNING);
	expect_none(PIPELINE_DRAINING, PIPELINE_EVENT_ALL_ENDED, 0);
}

static void test_the_end_is_the_end(void **state)
{
	(void)state;
	for (int event = 0; event < PIPELINE_EVENT_COUNT; event++) {
		expect_none(PIPELINE_STOPPED, (enum pipeline_event)event, ANY_GUARD);
		expect_none(PIPELINE_FAILED, (enum pipeline_event)event, ANY_GUARD);
	}
	expect_none(PIPELINE_DRAINING, PIPELINE_EVENT_ALL_READY, ANY_GUARD);
	expect_none(PIPELINE_DRAINING, PIPELINE_EVENT_STOP_ORDERED, ANY_GUARD);
}

static void test_every_state_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < PIPELINE_STATE_COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(pipeline_state_name((enum pipeline_state)i),
						pipeline_state_name((enum pipeline_state)j));
	assert_string_equal(pipeline_state_name(PIPELINE_STATE_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_good_way),           cmocka_unit_test(test_the_other_ways),
		cmocka_unit_test(test_guards_hold_the_state),  cmocka_unit_test(test_the_end_is_the_end),
		cmocka_unit_test(test_every_state_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
