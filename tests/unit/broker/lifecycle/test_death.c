/* SPDX-License-Identifier: Apache-2.0 */
/* From the kernel's word that a worker is dead to what follows. What follows from which death: test_verdict.c. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

static void test_the_dead_are_repaired_first(void **state)
{
	(void)state;
	steps_run(&steps);
	steps_crash(&steps, STEPS_MID);
	assert_string_equal(steps.did, "repair:1 ring:1 examine:1 say-death:1 ");
}

/* Its last turn was the one that closed its lanes: nothing can be half done. */
static void test_a_clean_end_needs_no_repair(void **state)
{
	(void)state;
	steps_run(&steps);
	steps_finish(&steps, STEPS_OUT);
	assert_string_equal(steps.did, "ring:3 examine:3 ");
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_DONE);
}

static void test_exit_0_alone_is_no_end(void **state)
{
	(void)state;
	steps_run(&steps);
	steps_exit(&steps, STEPS_MID, (struct death_facts){ .exited_zero = true });
	assert_true(steps_did(&steps, "repair:1"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_BACKOFF);
	steps_exit(&steps, STEPS_OUT, (struct death_facts){ .ended = true }); /* nor is the word alone */
	assert_true(steps_did(&steps, "repair:3"));
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_BACKOFF);
}

static void test_senseless_memory_is_looked_at_no_more(void **state)
{
	(void)state;
	steps_run(&steps);
	steps.repair = REPAIR_SENSELESS;
	steps_crash(&steps, STEPS_MID);
	assert_false(steps_did(&steps, "examine") || steps_did(&steps, "ring"));
	assert_true(steps_did(&steps, "say-stage-failed:1=6") && steps_did(&steps, "order=2"));
	assert_true(life->outcome.corrupt && life->lives[STEPS_MID].quarantined);
	steps.repair = REPAIR_UNMAPPABLE;
	steps_crash(&steps, STEPS_OUT);
	assert_true(steps_did(&steps, "say-stage-failed:3=7"));
	assert_true(life->lives[STEPS_OUT].quarantined && !life->lives[STEPS_IN].quarantined);
}

/* Stopped for a sibling's sake: no crash, and nothing in its count. */
static void test_one_that_was_stopped_comes_back_uncounted(void **state)
{
	(void)state;
	steps.plan.strategy = PLAN_ONE_FOR_ALL;
	steps.stages[STAGE_OUT].restart_intensity = 0;
	steps_run(&steps);
	steps_crash(&steps, STEPS_MID);
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_STOPPING);
	assert_int_equal(life->lives[STEPS_OUT].stopped_for, STEPS_MID);
	steps_crash(&steps, STEPS_OUT);
	assert_true(life->lives[STEPS_OUT].stopped);
	assert_true(steps_did(&steps, "say-returns:3"));
	assert_int_equal(life->lives[STEPS_OUT].restart_ns, life->lives[STEPS_MID].restart_ns);
}

/* A source that fails after handing on all that it had: the others finish that. */
static void test_a_source_that_fails_at_its_end(void **state)
{
	(void)state;
	steps_run(&steps);
	steps.memory.closed = true;
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_IN, .failed = true }));
	steps_exit(&steps, STEPS_IN, (struct death_facts){ .exited_one = true });
	assert_true(steps_did(&steps, "say-source-failed:0") && steps_did(&steps, "order=1"));
	assert_int_equal(life->lives[STEPS_IN].state, SEAT_DONE);
	assert_int_equal(life->ladder.rung, RUNG_DRAIN);
	assert_true(life->outcome.stage_failed);
}

static void test_a_source_that_fails_before_its_end(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_IN, .failed = true }));
	steps_exit(&steps, STEPS_IN, (struct death_facts){ .exited_one = true });
	assert_true(steps_did(&steps, "say-stage-failed:0") && steps_did(&steps, "order=2") &&
		    steps_did(&steps, "lose:0"));
}

static void test_what_ends_a_start(void **state)
{
	(void)state;
	steps_start(&steps);
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_IN));
	assert_true(steps_tell_of(&steps, EVENT_BYE, STEPS_IN));
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID));
	assert_true(steps_tell(
		&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID, .failed = true, .blames_spec = true }));
	steps_exit(&steps, STEPS_MID, (struct death_facts){ .exited_one = true });
	assert_true(steps_did(&steps, "say-start-failed:1") && life->outcome.spec_matter);
	/* What others do of it, be it never so bad, is not the reason. */
	for (unsigned i = 0; i < 9 && !steps_did(&steps, "leave-behind:0"); i++) {
		steps_wait(&steps);
		assert_false(steps_did(&steps, "say-start-failed"));
	}
	assert_true(steps_did(&steps, "leave-behind:0") && life->outcome.spec_matter);
}

static void test_a_missing_program_ends_it_at_once(void **state)
{
	(void)state;
	steps_start(&steps);
	steps_exit(&steps, STEPS_MID, (struct death_facts){ .not_run = true, .no_program = true });
	assert_true(steps_did(&steps, "say-start-failed:1=9"));
	assert_false(life->outcome.spec_matter);
}

/* Killed by us, or gone by itself: expected. Else somebody should know that it died. */
static void test_the_dead_of_a_cancel(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	steps_exit(&steps, STEPS_IN, (struct death_facts){ .exited_zero = true });
	assert_true(steps_did(&steps, "say-death:0=4"));
	steps_crash(&steps, STEPS_MID);
	assert_true(steps_did(&steps, "say-death:1=3"));
	steps_wait(&steps);
	assert_int_equal(life->ladder.rung, RUNG_TERM);
	steps_crash(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "say-death:2=4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_dead_are_repaired_first, begin, end),
		cmocka_unit_test_setup_teardown(test_a_clean_end_needs_no_repair, begin, end),
		cmocka_unit_test_setup_teardown(test_exit_0_alone_is_no_end, begin, end),
		cmocka_unit_test_setup_teardown(test_senseless_memory_is_looked_at_no_more, begin, end),
		cmocka_unit_test_setup_teardown(test_one_that_was_stopped_comes_back_uncounted, begin, end),
		cmocka_unit_test_setup_teardown(test_a_source_that_fails_at_its_end, begin, end),
		cmocka_unit_test_setup_teardown(test_a_source_that_fails_before_its_end, begin, end),
		cmocka_unit_test_setup_teardown(test_what_ends_a_start, begin, end),
		cmocka_unit_test_setup_teardown(test_a_missing_program_ends_it_at_once, begin, end),
		cmocka_unit_test_setup_teardown(test_the_dead_of_a_cancel, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
