/* SPDX-License-Identifier: Apache-2.0 */
/* A stage, a branch or a source has failed for good. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

static void fail_mid(void)
{
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID, .failed = true }));
	steps_exit(&steps, STEPS_MID, (struct death_facts){ .exited_one = true });
}

static void test_without_a_word_in_the_spec_everybody_is_cancelled(void **state)
{
	(void)state;
	steps_run(&steps);
	fail_mid();
	assert_true(steps_did(&steps, "order=2"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
}

/* All of its seats get stand-ins, at once; nobody is cancelled. */
static void test_a_dropped_stage_gets_stand_ins(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].drop_branch = true;
	steps_run(&steps);
	fail_mid();
	assert_true(steps_did(&steps, "say-dropped:1"));
	assert_false(steps_did(&steps, "order"));
	assert_string_equal(steps_stopping(&steps), "2 ");
	assert_int_equal(life->state, PIPELINE_RUNNING);
	steps_crash(&steps, STEPS_MID_TOO);
	steps_wait(&steps);
	steps_wait(&steps);
	assert_true(life->lives[STEPS_MID].stands_in && life->lives[STEPS_MID_TOO].stands_in);
	assert_false(life->lives[STEPS_OUT].stands_in);
	assert_true(life->outcome.stage_failed);
}

/* The deaths of those for whom they stand in are not theirs; and two of a kind that fail are the end. */
static void test_stand_ins_are_counted_from_none_on(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].drop_branch = true;
	steps_run(&steps);
	for (unsigned i = 0; i < 5; i++) {
		steps_crash(&steps, STEPS_MID);
		steps_wait(&steps);
	}
	assert_true(life->stages[STAGE_MID].abandoned);
	steps_crash(&steps, STEPS_MID_TOO);
	steps_wait(&steps);
	for (unsigned i = 0; i < 4; i++) {
		steps_crash(&steps, STEPS_MID);
		assert_int_equal(life->lives[STEPS_MID].state, SEAT_BACKOFF);
		steps_wait(&steps);
	}
	assert_true(life->lives[STEPS_MID].stands_in);
	steps_crash(&steps, STEPS_MID);
	assert_true(steps_did(&steps, "say-stage-failed:1") && steps_did(&steps, "order=2"));
}

static void test_a_stand_in_that_says_it_cannot_go_on_is_the_end(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].drop_branch = true;
	steps_run(&steps);
	fail_mid();
	steps_crash(&steps, STEPS_MID_TOO);
	steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID);
	fail_mid();
	assert_true(steps_did(&steps, "say-stage-failed:1") && steps_did(&steps, "order=2"));
}

/* What comes behind a dropped branch is dropped with it, whatever its own word. */
static void test_who_is_cut_off_is_dropped_too(void **state)
{
	(void)state;
	steps_run(&steps);
	steps.memory.cut_off = true;
	fail_mid();
	assert_true(steps_did(&steps, "say-dropped:1"));
	assert_int_equal(life->state, PIPELINE_RUNNING);
}

/* Nothing has been accepted: there is no branch that could go on. */
static void test_before_it_ran_there_is_nothing_to_drop(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].drop_branch = true;
	steps_start(&steps);
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID));
	fail_mid();
	assert_true(steps_did(&steps, "say-start-failed:1"));
	assert_false(life->stages[STAGE_MID].abandoned);
}

static void test_a_source_that_may_be_dropped_stops_nobody(void **state)
{
	(void)state;
	steps.stages[STAGE_IN].drop_branch = true;
	steps_run(&steps);
	steps.memory.closed = true;
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_IN, .failed = true }));
	steps_exit(&steps, STEPS_IN, (struct death_facts){ .exited_one = true });
	assert_true(steps_did(&steps, "say-source-failed:0"));
	assert_false(steps_did(&steps, "order"));
	assert_true(life->outcome.stage_failed);
}

static void test_a_stage_is_cancelled_once_and_the_others_go_on(void **state)
{
	(void)state;
	steps_start(&steps);
	assert_false(steps_tell_of(&steps, EVENT_CANCEL_STAGE, STEPS_MID)); /* it has not run */
	steps_deinit(&steps);
	steps_run(&steps);
	assert_true(steps_tell_of(&steps, EVENT_CANCEL_STAGE, STEPS_MID_TOO));
	assert_true(steps_did(&steps, "say-dropped:2=4"));
	assert_false(steps_did(&steps, "order"));
	assert_string_equal(steps_stopping(&steps), "1 2 ");
	assert_false(steps_tell_of(&steps, EVENT_CANCEL_STAGE, STEPS_MID));
	for (uint32_t seat = STEPS_MID; seat <= STEPS_MID_TOO; seat++)
		steps_crash(&steps, seat);
	assert_int_equal(life->stages[STAGE_MID].history.n, 0);
	steps_wait(&steps);
	steps_wait(&steps);
	assert_true(life->lives[STEPS_MID].stands_in && life->lives[STEPS_MID_TOO].stands_in);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	assert_false(steps_tell_of(&steps, EVENT_CANCEL_STAGE, STEPS_OUT)); /* everybody is */
}

static void test_who_outlives_sigkill_is_left_behind_and_its_stage_has_failed(void **state)
{
	(void)state;
	steps.plan.strategy = PLAN_ONE_FOR_ALL;
	steps_run(&steps);
	steps_crash(&steps, STEPS_MID);
	steps_crash(&steps, STEPS_IN);
	steps_crash(&steps, STEPS_MID_TOO);
	for (unsigned i = 0; i < 9 && !steps_did(&steps, "leave-behind:3"); i++) /* three back-offs, and they wait */
		steps_wait(&steps);
	assert_true(steps_did(&steps, "leave-behind:3") && steps_did(&steps, "say-stage-failed:3=5"));
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_LOST);
	assert_false(steps_did(&steps, "spawn"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without_a_word_in_the_spec_everybody_is_cancelled, begin, end),
		cmocka_unit_test_setup_teardown(test_a_dropped_stage_gets_stand_ins, begin, end),
		cmocka_unit_test_setup_teardown(test_stand_ins_are_counted_from_none_on, begin, end),
		cmocka_unit_test_setup_teardown(test_a_stand_in_that_says_it_cannot_go_on_is_the_end, begin, end),
		cmocka_unit_test_setup_teardown(test_who_is_cut_off_is_dropped_too, begin, end),
		cmocka_unit_test_setup_teardown(test_before_it_ran_there_is_nothing_to_drop, begin, end),
		cmocka_unit_test_setup_teardown(test_a_source_that_may_be_dropped_stops_nobody, begin, end),
		cmocka_unit_test_setup_teardown(test_a_stage_is_cancelled_once_and_the_others_go_on, begin, end),
		cmocka_unit_test_setup_teardown(test_who_outlives_sigkill_is_left_behind_and_its_stage_has_failed,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
