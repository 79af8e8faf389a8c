/* SPDX-License-Identifier: Apache-2.0 */
/* A run that another supervisor had begun: who comes back, on which rung it stands, and when it counts as running. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

static struct legacy_seat seats[STEPS_SEATS];
static struct legacy_stage stages[STEPS_STAGES];

static struct legacy running(void)
{
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		seats[i] = (struct legacy_seat){ .generation = 5 + i, .restarts = 3, .failures = 1 };
	for (uint32_t i = 0; i < STEPS_STAGES; i++)
		stages[i] = (struct legacy_stage){ 0 };
	return (struct legacy){ .started_ns = 7, .seats = seats, .stages = stages };
}

static void go_on(const struct legacy *legacy)
{
	assert_int_equal(lifecycle_init(life, &steps.plan, 0), 0);
	lifecycle_inherit(life, legacy);
	steps_tell_of(&steps, EVENT_START, NO_SEAT);
}

static void test_everybody_comes_back_at_once(void **state)
{
	struct legacy legacy = running();

	(void)state;
	legacy.run_due_ns = steps.now_ns + 50 * NS_PER_S;
	go_on(&legacy);
	for (uint32_t i = 0; i < STEPS_SEATS; i++) {
		assert_int_equal(life->lives[i].state, SEAT_SPAWNED);
		assert_int_equal(life->lives[i].generation, 6 + i);
		assert_int_equal(life->lives[i].restarts, 4);
		assert_int_equal(life->lives[i].failures, 1);
	}
	assert_int_equal(life->state, PIPELINE_STARTING);
	assert_int_equal(life->started_ns, 7);
	for (uint32_t i = 0; i < STEPS_SEATS; i++) {
		assert_false(steps_did(&steps, "run"));
		steps_sit_down(&steps, i);
	}
	assert_true(steps_did(&steps, "run"));
	assert_int_equal(life->state, PIPELINE_RUNNING);
	assert_int_equal(life->run_due_ns, legacy.run_due_ns);
	assert_int_equal(life->started_ns, 7);
}

static void test_who_had_ended_ends_again_and_is_not_waited_for(void **state)
{
	struct legacy legacy = running();

	(void)state;
	go_on(&legacy);
	steps_sit_down(&steps, STEPS_IN);
	steps_finish(&steps, STEPS_IN);
	steps_sit_down(&steps, STEPS_MID);
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_int_equal(life->state, PIPELINE_STARTING);
	steps_sit_down(&steps, STEPS_OUT);
	assert_int_equal(life->state, PIPELINE_RUNNING);
}

static void test_a_death_on_the_way_is_one_of_a_run(void **state)
{
	struct legacy legacy = running();

	(void)state;
	go_on(&legacy);
	steps_crash(&steps, STEPS_OUT);
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_BACKOFF);
	assert_false(life->outcome.start_failed);
	steps_wait(&steps);
	assert_int_equal(life->lives[STEPS_OUT].generation, 5 + STEPS_OUT + 2);
}

static void test_a_fork_that_fails_is_tried_again(void **state)
{
	struct legacy legacy = running();

	(void)state;
	steps.no_forks = true;
	go_on(&legacy);
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		assert_int_equal(life->lives[i].state, SEAT_BACKOFF);
	assert_false(life->outcome.start_failed);
}

static void test_who_was_retired_stays_so(void **state)
{
	struct legacy legacy = running();

	(void)state;
	seats[STEPS_MID].retired = true;
	go_on(&legacy);
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_RETIRED);
	assert_int_equal(life->lives[STEPS_MID].restarts, 3);
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		if (i != STEPS_MID)
			steps_sit_down(&steps, i);
	assert_int_equal(life->state, PIPELINE_RUNNING);
}

static void test_a_stage_that_was_dropped_has_stand_ins(void **state)
{
	struct legacy legacy = running();

	(void)state;
	stages[STAGE_MID] = (struct legacy_stage){ .abandoned = true, .cause = CAUSE_USER };
	go_on(&legacy);
	assert_true(life->lives[STEPS_MID].stands_in);
	assert_true(life->lives[STEPS_MID_TOO].stands_in);
	assert_false(life->lives[STEPS_OUT].stands_in);
	assert_int_equal(life->stages[STAGE_MID].cause, CAUSE_USER);
}

static void test_it_goes_on_draining_with_the_time_that_was_given(void **state)
{
	struct legacy legacy = running();

	(void)state;
	legacy.rung = RUNG_DRAIN;
	legacy.drain_for_ns = 7 * NS_PER_S;
	legacy.signal_number = 15;
	go_on(&legacy);
	assert_int_equal(life->state, PIPELINE_DRAINING);
	assert_int_equal(life->ladder.rung, RUNG_DRAIN);
	assert_int_equal(life->ladder.deadline_ns, steps.now_ns + 7 * NS_PER_S);
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_SPAWNED);
	assert_int_equal(life->outcome.signal_number, 15);
	assert_int_equal(life->left_on, RUNG_NONE);
}

static void test_a_cancelled_run_has_nobody_come_back(void **state)
{
	struct legacy legacy = running();

	(void)state;
	legacy.rung = RUNG_TERM;
	legacy.cause = CAUSE_SIBLING_FAILED;
	legacy.stage_failed = true;
	steps.counted.in_lanes = steps.counted.ledger[LEDGER_EMITTED] = 5;
	go_on(&legacy);
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		assert_int_equal(life->lives[i].state, SEAT_LOST);
	assert_true(life->finished);
	assert_int_equal(life->cause, CAUSE_SIBLING_FAILED);
	assert_int_equal(life->exit_code, EXIT_LOSSES);
}

/* mid is to have `wanted` workers, and deals to the seats of these bits; the second of them rests, or has something to do. */
static struct legacy scaled(uint32_t wanted, uint64_t open, uint64_t open_before, bool rests)
{
	struct legacy legacy = running();

	stages[STAGE_MID] = (struct legacy_stage){
		.wanted = wanted, .scaling = open != open_before, .open = open, .open_before = open_before
	};
	seats[STEPS_MID_TOO].rests = rests;
	seats[STEPS_MID_TOO].dealing = DEALING_CLOSED;
	return legacy;
}

static void sit_down_but(uint32_t but)
{
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		if (i != but)
			steps_sit_down(&steps, i);
}

static void look(struct scale_facts facts)
{
	steps_wait(&steps);
	assert_true(steps_did(&steps, "look:1"));
	steps_tell(&steps, (struct event){ .kind = EVENT_LOOKED, .seat = STEPS_MID, .scale = facts });
}

static void test_who_rested_goes_on_resting(void **state)
{
	struct legacy legacy = scaled(1, 1, 1, true);

	(void)state;
	go_on(&legacy);
	assert_true(steps_did(&steps, "deal:2=1") && steps_did(&steps, "deal:1") && steps_did(&steps, "announce:0"));
	assert_int_equal(life->lives[STEPS_MID_TOO].state, SEAT_RESTING);
	assert_int_equal(life->lives[STEPS_MID_TOO].restarts, 3);
	assert_true(lifecycle_leaves_resting(life, STEPS_MID_TOO));
	sit_down_but(STEPS_MID_TOO);
	assert_int_equal(life->state, PIPELINE_RUNNING);
	assert_int_equal(scale_open(&life->stages[STAGE_MID]), 1);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_SCALE, .seat = STEPS_MID, .n_workers = 2 }));
	assert_true(steps_did(&steps, "spawn:2"));
	assert_true(lifecycle_leaves_resting(life, STEPS_MID_TOO)); /* nothing was dealt to it yet */
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_false(lifecycle_leaves_resting(life, STEPS_MID_TOO));
	assert_int_equal(life->lives[STEPS_MID_TOO].generation, 5 + STEPS_MID_TOO + 1);
}

static void test_a_stage_goes_on_growing(void **state)
{
	struct legacy legacy = scaled(2, 3, 1, true);

	(void)state;
	go_on(&legacy);
	assert_int_equal(life->lives[STEPS_MID_TOO].state, SEAT_SPAWNED);
	sit_down_but(STEPS_MID_TOO);
	assert_int_equal(life->state, PIPELINE_RUNNING); /* it is not waited for */
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "deal:2") && steps_did(&steps, "say-scaled:1=2"));
}

static void test_a_stage_goes_on_shrinking(void **state)
{
	struct legacy legacy = scaled(1, 1, 3, false);

	(void)state;
	go_on(&legacy);
	assert_int_equal(life->lives[STEPS_MID_TOO].state, SEAT_SPAWNED); /* something may lie there */
	assert_true(steps_did(&steps, "deal:2=1"));
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		steps_sit_down(&steps, i);
	look((struct scale_facts){ .dealt = true });
	assert_false(steps_did(&steps, "cancel:2"));
	look((struct scale_facts){ .dealt = true, .idle = 2 });
	assert_true(steps_did(&steps, "cancel:2"));
}

/* What lies in the lanes was dealt by the map before the hold: it is dealt by that, and held once more. */
static void test_a_hold_begins_once_more(void **state)
{
	struct legacy legacy = scaled(1, 1, 3, false);

	(void)state;
	seats[STEPS_MID].dealing = seats[STEPS_MID_TOO].dealing = DEALING_HELD;
	steps.stages[STAGE_MID].balance = HERITAGE_BALANCE_KEY;
	go_on(&legacy);
	assert_true(steps_did(&steps, "deal:1") && steps_did(&steps, "deal:2"));
	assert_true(steps_did(&steps, "deal:1=2") && steps_did(&steps, "deal:2=2"));
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		steps_sit_down(&steps, i);
	look((struct scale_facts){ .dealt = true });
	assert_false(steps_did(&steps, "deal:1"));
	look((struct scale_facts){ .dealt = true, .empty = true });
	assert_true(steps_did(&steps, "deal:1") && steps_did(&steps, "deal:2=1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_everybody_comes_back_at_once, begin, end),
		cmocka_unit_test_setup_teardown(test_who_had_ended_ends_again_and_is_not_waited_for, begin, end),
		cmocka_unit_test_setup_teardown(test_a_death_on_the_way_is_one_of_a_run, begin, end),
		cmocka_unit_test_setup_teardown(test_a_fork_that_fails_is_tried_again, begin, end),
		cmocka_unit_test_setup_teardown(test_who_was_retired_stays_so, begin, end),
		cmocka_unit_test_setup_teardown(test_a_stage_that_was_dropped_has_stand_ins, begin, end),
		cmocka_unit_test_setup_teardown(test_it_goes_on_draining_with_the_time_that_was_given, begin, end),
		cmocka_unit_test_setup_teardown(test_a_cancelled_run_has_nobody_come_back, begin, end),
		cmocka_unit_test_setup_teardown(test_who_rested_goes_on_resting, begin, end),
		cmocka_unit_test_setup_teardown(test_a_stage_goes_on_growing, begin, end),
		cmocka_unit_test_setup_teardown(test_a_stage_goes_on_shrinking, begin, end),
		cmocka_unit_test_setup_teardown(test_a_hold_begins_once_more, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
