/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "broker/lifecycle/seat_state.h"

/* Walks the events; SEAT_STATE_COUNT: refused on the way. */
static enum seat_state walk(enum seat_state seat, const enum seat_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!seat_next(seat, events[i], &seat))
			return SEAT_STATE_COUNT;
	return seat;
}

#define WALK(from_, ...)                                      \
	walk(from_, (const enum seat_event[]){ __VA_ARGS__ }, \
	     sizeof((const enum seat_event[]){ __VA_ARGS__ }) / sizeof(enum seat_event))

static void test_one_clean_life(void **state)
{
	(void)state;
	assert_int_equal(WALK(SEAT_EMPTY, SEAT_EVENT_SPAWN, SEAT_EVENT_HELLO, SEAT_EVENT_READY, SEAT_EVENT_BYE,
			      SEAT_EVENT_DEATH, SEAT_EVENT_END),
			 SEAT_DONE);
}

static void test_death_in_any_living_state_leads_to_the_next_generation(void **state)
{
	(void)state;
	for (int i = 0; i < SEAT_STATE_COUNT; i++) {
		enum seat_state seat = (enum seat_state)i;

		assert_int_equal(WALK(seat, SEAT_EVENT_DEATH, SEAT_EVENT_RESTART, SEAT_EVENT_SPAWN),
				 seat_state_alive(seat) ? SEAT_SPAWNED : SEAT_STATE_COUNT);
	}
}

static void test_a_worker_that_speaks_out_of_turn_is_refused(void **state)
{
	(void)state;
	assert_int_equal(WALK(SEAT_SPAWNED, SEAT_EVENT_READY), SEAT_STATE_COUNT);
	assert_int_equal(WALK(SEAT_SPAWNED, SEAT_EVENT_BYE), SEAT_STATE_COUNT);
	assert_int_equal(WALK(SEAT_OPENING, SEAT_EVENT_HELLO), SEAT_STATE_COUNT);
	assert_int_equal(WALK(SEAT_READY, SEAT_EVENT_READY), SEAT_STATE_COUNT);
	assert_int_equal(WALK(SEAT_LEAVING, SEAT_EVENT_BYE), SEAT_STATE_COUNT);
	assert_int_equal(WALK(SEAT_BACKOFF, SEAT_EVENT_HELLO), SEAT_STATE_COUNT);
}

static void test_only_who_starts_or_runs_is_stopped_and_what_it_says_then_changes_nothing(void **state)
{
	enum seat_state next = SEAT_EMPTY;

	(void)state;
	for (int i = 0; i < SEAT_STATE_COUNT; i++) {
		bool starts_or_runs = i == SEAT_SPAWNED || i == SEAT_OPENING || i == SEAT_READY || i == SEAT_OVERRUN;

		assert_int_equal(seat_next((enum seat_state)i, SEAT_EVENT_STOP, &next), starts_or_runs);
		assert_true(!starts_or_runs || next == SEAT_STOPPING);
	}
	for (int event = 0; event < SEAT_EVENT_COUNT; event++) {
		bool says = event == SEAT_EVENT_HELLO || event == SEAT_EVENT_READY || event == SEAT_EVENT_BYE;

		assert_int_equal(seat_next(SEAT_STOPPING, (enum seat_event)event, &next),
				 says || event == SEAT_EVENT_DEATH || event == SEAT_EVENT_GIVE_UP);
		assert_true(!says || next == SEAT_STOPPING);
	}
	assert_true(seat_state_alive(SEAT_STOPPING) && !seat_state_over(SEAT_STOPPING));
}

/* It has said all but its goodbye; and it may be stopped for another reason, which decides then what follows. */
static void test_only_who_works_has_items_that_overrun(void **state)
{
	enum seat_state next = SEAT_EMPTY;

	(void)state;
	for (int i = 0; i < SEAT_STATE_COUNT; i++)
		assert_int_equal(seat_next((enum seat_state)i, SEAT_EVENT_OVERRUN, &next), i == SEAT_READY);
	assert_int_equal(next, SEAT_OVERRUN);
	for (int event = 0; event < SEAT_EVENT_COUNT; event++)
		assert_int_equal(seat_next(SEAT_OVERRUN, (enum seat_event)event, &next),
				 event == SEAT_EVENT_BYE || event == SEAT_EVENT_STOP || event == SEAT_EVENT_DEATH ||
					 event == SEAT_EVENT_GIVE_UP);
	assert_int_equal(WALK(SEAT_OVERRUN, SEAT_EVENT_BYE), SEAT_OVERRUN);
	assert_int_equal(WALK(SEAT_OVERRUN, SEAT_EVENT_STOP, SEAT_EVENT_DEATH), SEAT_DEAD);
	assert_true(seat_state_alive(SEAT_OVERRUN) && seat_state_works(SEAT_OVERRUN) && seat_state_works(SEAT_READY) &&
		    !seat_state_works(SEAT_STOPPING) && !seat_state_works(SEAT_LEAVING));
}

static void test_a_late_goodbye_is_heard(void **state)
{
	(void)state;
	assert_int_equal(WALK(SEAT_READY, SEAT_EVENT_DEATH, SEAT_EVENT_BYE, SEAT_EVENT_GIVE_UP), SEAT_LOST);
}

static void test_nothing_follows_the_end(void **state)
{
	enum seat_state next = SEAT_EMPTY;

	(void)state;
	for (int event = 0; event < SEAT_EVENT_COUNT; event++) {
		assert_false(seat_next(SEAT_DONE, (enum seat_event)event, &next));
		assert_false(seat_next(SEAT_LOST, (enum seat_event)event, &next));
	}
	assert_true(seat_state_over(SEAT_DONE) && seat_state_over(SEAT_LOST) && !seat_state_over(SEAT_BACKOFF));
	assert_string_equal(seat_state_name(SEAT_BACKOFF), "restarting");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_clean_life),
		cmocka_unit_test(test_death_in_any_living_state_leads_to_the_next_generation),
		cmocka_unit_test(test_a_worker_that_speaks_out_of_turn_is_refused),
		cmocka_unit_test(test_only_who_starts_or_runs_is_stopped_and_what_it_says_then_changes_nothing),
		cmocka_unit_test(test_only_who_works_has_items_that_overrun),
		cmocka_unit_test(test_a_late_goodbye_is_heard),
		cmocka_unit_test(test_nothing_follows_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
