/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a successor, when, and what becomes of a seat that gets none. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

static void test_the_back_off_ends_at_a_time_of_its_own(void **state)
{
	const struct life *mid;

	(void)state;
	steps_run(&steps);
	mid = &life->lives[STEPS_MID];
	for (uint64_t expected_ns = STEPS_BACKOFF_NS; expected_ns <= 8 * STEPS_BACKOFF_NS; expected_ns *= 2) {
		steps_crash(&steps, STEPS_MID);
		assert_int_equal(mid->state, SEAT_BACKOFF);
		assert_in_range(mid->restart_ns - steps.now_ns, expected_ns / 5 * 4, expected_ns / 5 * 6);
		assert_int_equal(lifecycle_due_ns(life), mid->restart_ns);
		assert_false(steps_did(&steps, "spawn"));
		steps_wait(&steps);
		assert_true(steps_did(&steps, "spawn:1"));
		steps_sit_down(&steps, STEPS_MID);
	}
	assert_int_equal(mid->generation, 4);
	assert_int_equal(mid->restarts, 4);
}

static void test_progress_begins_the_count_anew(void **state)
{
	const struct life *mid;

	(void)state;
	steps_run(&steps);
	mid = &life->lives[STEPS_MID];
	for (unsigned i = 0; i < 20; i++) {
		steps_exit(&steps, STEPS_MID, (struct death_facts){ .progressed = i % 3 == 2 });
		assert_int_equal(mid->state, SEAT_BACKOFF);
		assert_int_equal(mid->failures, i % 3 == 2 ? 0 : i % 3 + 1);
		assert_in_range(mid->restart_ns - steps.now_ns, STEPS_BACKOFF_NS / 5 * 4, STEPS_BACKOFF_NS / 5 * 12);
		steps.now_ns += 10 * NS_PER_S; /* so the intensity is never reached */
		steps_wait(&steps);
		steps_sit_down(&steps, STEPS_MID);
	}
}

static void die_until_given_up(uint32_t seat)
{
	for (unsigned i = 0; i < 4; i++) {
		steps_crash(&steps, seat);
		steps_wait(&steps);
	}
	steps_crash(&steps, seat);
}

static void test_beyond_the_intensity_the_stage_has_failed(void **state)
{
	(void)state;
	steps_run(&steps);
	die_until_given_up(STEPS_MID);
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
	assert_true(steps_did(&steps, "say-death:1=1"));
	assert_true(steps_did(&steps, "say-stage-failed:1=1"));
	assert_true(steps_did(&steps, "order=2"));
	assert_int_equal(life->cause, CAUSE_SIBLING_FAILED);
	assert_true(life->outcome.stage_failed);
	/* After the cancel: else somebody takes a cancelled pipeline for one that lost a producer. */
	assert_true(strstr(steps.did, "order=2") < strstr(steps.did, "lose:1"));
}

/* on_failure: degrade counts each seat for itself. */
static void test_the_deaths_of_one_seat_are_not_the_others(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].degrade = true;
	steps_run(&steps);
	for (unsigned i = 0; i < 4; i++)
		for (uint32_t seat = STEPS_MID; seat <= STEPS_MID_TOO; seat++) {
			steps_crash(&steps, seat);
			assert_int_equal(life->lives[seat].state, SEAT_BACKOFF);
			steps_wait(&steps);
		}
	steps_crash(&steps, STEPS_MID);
	assert_true(steps_did(&steps, "retire:1") && steps_did(&steps, "say-retired:1=1") &&
		    steps_did(&steps, "ring:1"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_RETIRED);
	assert_int_equal(life->lives[STEPS_MID_TOO].state, SEAT_SPAWNED);
	assert_int_equal(life->state, PIPELINE_RUNNING);
}

/* ... and of a stage without it all together. */
static void test_the_deaths_of_a_stage_are_counted_together(void **state)
{
	(void)state;
	steps_run(&steps);
	for (unsigned i = 0; i < 4; i++) {
		steps_crash(&steps, i % 2 ? STEPS_MID : STEPS_MID_TOO);
		steps_wait(&steps);
	}
	steps_crash(&steps, STEPS_MID);
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
}

static void test_the_last_seat_is_not_retired(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].degrade = true;
	steps_run(&steps);
	die_until_given_up(STEPS_MID);
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_RETIRED);
	die_until_given_up(STEPS_MID_TOO);
	assert_false(steps_did(&steps, "retire"));
	assert_int_equal(life->lives[STEPS_MID_TOO].state, SEAT_LOST);
	assert_true(life->outcome.stage_failed);
}

/* Both can't be forked again in the same moment: the second one is given up while the first is being retired. */
static void test_of_two_at_once_the_last_is_not_retired(void **state)
{
	(void)state;
	steps.plan.strategy = PLAN_REST_FOR_ONE;
	steps.stages[STAGE_MID].degrade = true;
	steps.stages[STAGE_MID].restart_intensity = 0;
	steps_run(&steps);
	steps_crash(&steps, STEPS_IN);
	steps_wait(&steps);
	steps_crash(&steps, STEPS_MID);
	steps_crash(&steps, STEPS_MID_TOO);
	for (unsigned i = 0; i < 2; i++) /* their back-offs */
		steps_wait(&steps);
	assert_int_equal(life->n_waiting, 3);
	steps.no_forks = true;
	steps_crash(&steps, STEPS_OUT); /* nobody is being stopped any more: all of them */
	assert_int_equal(life->lives[STEPS_MID_TOO].state, SEAT_LOST);
	assert_true(life->outcome.stage_failed);
}

static void test_who_can_not_be_retired_is_the_end_of_its_stage(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].degrade = true;
	steps.no_retiring = true;
	steps_run(&steps);
	die_until_given_up(STEPS_MID);
	assert_true(steps_did(&steps, "retire:1"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
	assert_true(steps_did(&steps, "say-stage-failed:1=1"));
}

/* There is no work yet that a sibling could go on with. */
static void test_before_it_ran_nobody_is_retired(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].degrade = true;
	steps_start(&steps);
	die_until_given_up(STEPS_MID);
	assert_false(steps_did(&steps, "retire"));
	assert_true(steps_did(&steps, "say-start-failed:1=1"));
}

/* Nobody comes back while one is still being stopped: then all do. */
static void test_all_are_down_before_one_comes_back(void **state)
{
	(void)state;
	steps.plan.strategy = PLAN_REST_FOR_ONE;
	steps_run(&steps);
	steps_crash(&steps, STEPS_IN);
	assert_string_equal(steps_stopping(&steps), "1 2 3 ");
	steps_wait(&steps); /* the back-off of the first */
	assert_false(steps_did(&steps, "spawn"));
	steps_crash(&steps, STEPS_MID);
	steps_crash(&steps, STEPS_OUT);
	for (unsigned i = 0; i < 2; i++) { /* theirs */
		steps_wait(&steps);
		assert_false(steps_did(&steps, "spawn"));
	}
	assert_int_equal(life->n_waiting, 3);
	steps_crash(&steps, STEPS_MID_TOO);
	assert_string_equal(steps.did, "repair:2 spawn:0 spawn:1 spawn:3 ring:2 examine:2 say-returns:2 ");
	assert_int_equal(life->n_waiting, 0);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "spawn:2"));
	assert_int_equal(life->stages[STAGE_MID].history.n + life->stages[STAGE_OUT].history.n, 0);
}

/* ... but for those who were not stopped there is nothing to wait for. */
static void test_who_lives_on_holds_up_nobody(void **state)
{
	(void)state;
	steps.plan.strategy = PLAN_REST_FOR_ONE;
	steps_run(&steps);
	steps_crash(&steps, STEPS_MID);
	assert_string_equal(steps_stopping(&steps), "3 ");
	steps_wait(&steps);
	assert_false(steps_did(&steps, "spawn"));
	steps_crash(&steps, STEPS_OUT);
	assert_true(steps_did(&steps, "spawn:1"));
	steps_wait(&steps);
	assert_true(steps_did(&steps, "spawn:3"));
}

/* A machine that can't fork: tried again as after a death, but nobody else is stopped for it. */
static void test_a_fork_that_fails_takes_nobody_with_it(void **state)
{
	(void)state;
	steps.plan.strategy = PLAN_ONE_FOR_ALL;
	steps_run(&steps);
	steps_crash(&steps, STEPS_OUT);
	for (uint32_t seat = STEPS_IN; seat <= STEPS_MID_TOO; seat++)
		steps_crash(&steps, seat);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "spawn:0"));
	steps.no_forks = true;
	steps_wait(&steps);
	assert_string_equal(steps.did, "spawn:1 say-not-started:1 ");
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_BACKOFF);
	assert_int_equal(life->lives[STEPS_MID].failures, 1);
	steps.no_forks = false;
	for (unsigned i = 0; i < STEPS_SEATS - 1; i++) {
		steps_wait(&steps);
		assert_false(steps_did(&steps, "say-death"));
		assert_string_equal(steps_stopping(&steps), "");
	}
	assert_int_equal(life->n_live, STEPS_SEATS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_back_off_ends_at_a_time_of_its_own, begin, end),
		cmocka_unit_test_setup_teardown(test_progress_begins_the_count_anew, begin, end),
		cmocka_unit_test_setup_teardown(test_beyond_the_intensity_the_stage_has_failed, begin, end),
		cmocka_unit_test_setup_teardown(test_the_deaths_of_one_seat_are_not_the_others, begin, end),
		cmocka_unit_test_setup_teardown(test_the_deaths_of_a_stage_are_counted_together, begin, end),
		cmocka_unit_test_setup_teardown(test_the_last_seat_is_not_retired, begin, end),
		cmocka_unit_test_setup_teardown(test_of_two_at_once_the_last_is_not_retired, begin, end),
		cmocka_unit_test_setup_teardown(test_who_can_not_be_retired_is_the_end_of_its_stage, begin, end),
		cmocka_unit_test_setup_teardown(test_before_it_ran_nobody_is_retired, begin, end),
		cmocka_unit_test_setup_teardown(test_all_are_down_before_one_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(test_who_lives_on_holds_up_nobody, begin, end),
		cmocka_unit_test_setup_teardown(test_a_fork_that_fails_takes_nobody_with_it, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
