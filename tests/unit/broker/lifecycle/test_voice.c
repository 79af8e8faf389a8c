/* SPDX-License-Identifier: Apache-2.0 */
/* What workers say, out of turn too, and how long they are waited for. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

static void test_who_speaks_out_of_turn_is_refused(void **state)
{
	(void)state;
	steps_start(&steps);
	assert_false(steps_tell_of(&steps, EVENT_READY, STEPS_IN)); /* before hello */
	assert_false(steps_tell_of(&steps, EVENT_BYE, STEPS_IN));
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_IN));
	assert_false(steps_tell_of(&steps, EVENT_HELLO, STEPS_IN));
	assert_true(steps_tell_of(&steps, EVENT_READY, STEPS_IN));
	assert_true(steps_did(&steps, "greet:0"));
	assert_false(steps_tell_of(&steps, EVENT_READY, STEPS_IN));
	assert_string_equal(steps.did, "");
	assert_true(steps_tell_of(&steps, EVENT_BYE, STEPS_IN));
	assert_false(steps_tell_of(&steps, EVENT_BYE, STEPS_IN));
}

/* It comes through a socket: the kernel may be quicker, and the first one is the one that counts. */
static void test_a_goodbye_of_the_dead_is_heard_once(void **state)
{
	(void)state;
	steps_run(&steps);
	steps_exit(&steps, STEPS_MID, (struct death_facts){ .exited_one = true });
	assert_string_equal(steps.did, "repair:1 ring:1 ");
	assert_int_equal(lifecycle_due_ns(life), steps.now_ns + LAST_WORDS_WAIT_NS);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID, .failed = true }));
	assert_true(steps_did(&steps, "examine:1") && steps_did(&steps, "say-stage-failed:1"));
	assert_int_equal(steps_count(&steps, "examine"), 1);
	assert_false(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID, .failed = true }));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
}

static void test_a_goodbye_that_never_comes(void **state)
{
	(void)state;
	steps_run(&steps);
	steps_exit(&steps, STEPS_MID, (struct death_facts){ .exited_one = true });
	steps_wait(&steps);
	assert_true(steps_did(&steps, "examine:1"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_BACKOFF); /* a death like any other */
}

/* What the last generation said is not said of the next one. */
static void test_the_next_generation_speaks_for_itself(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].restart_type = PLAN_PERMANENT;
	steps_run(&steps);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID, .failed = true }));
		steps_exit(&steps, STEPS_MID, (struct death_facts){ .exited_one = true });
		assert_int_equal(life->lives[STEPS_MID].state, SEAT_BACKOFF);
		steps_wait(&steps);
		steps_sit_down(&steps, STEPS_MID);
	}
	steps_finish(&steps, STEPS_MID);
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_DONE);
}

/* SIGTERM, its grace, SIGKILL, five seconds; then nobody waits any more. */
static void test_a_later_generation_that_is_not_ready(void **state)
{
	const struct life *mid;

	(void)state;
	steps_run(&steps);
	mid = &life->lives[STEPS_MID];
	steps_crash(&steps, STEPS_MID);
	steps_wait(&steps);
	assert_int_equal(mid->due_ns, steps.now_ns + START_TIMEOUT_DEFAULT_NS);
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID));
	steps_wait(&steps);
	assert_string_equal(steps.did, "say-not-ready:1 terminate:1 ");
	assert_int_equal(mid->due_ns, steps.now_ns + STEPS_GRACE_NS);
	steps_wait(&steps);
	assert_string_equal(steps.did, "say-killed:1 kill:1 ");
	assert_int_equal(mid->due_ns, steps.now_ns + UNKILLABLE_NS);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "leave-behind:1") && steps_did(&steps, "say-stage-failed:1"));
	assert_false(steps_did(&steps, "repair")); /* never the memory of one that may still write there */
	assert_int_equal(mid->state, SEAT_LOST);
}

static void test_a_start_that_takes_too_long(void **state)
{
	(void)state;
	steps_start(&steps);
	steps_sit_down(&steps, STEPS_IN);
	assert_int_equal(lifecycle_due_ns(life), life->start_due_ns);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "say-start-failed") && steps_did(&steps, "order=2"));
	assert_true(life->outcome.start_failed);
	assert_int_equal(life->started_ns, 0);
}

static void test_who_is_ready_is_waited_for_no_more(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_int_equal(lifecycle_due_ns(life), 0);
	steps_crash(&steps, STEPS_MID);
	steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID);
	assert_int_equal(lifecycle_due_ns(life), 0);
}

/* It was told to end for that, and has outlived it: it works, and an end that is decided later is bounded like anybody's. */
static void test_one_that_was_late_is_on_no_ladder_when_it_is_ready(void **state)
{
	const struct life *mid;

	(void)state;
	steps_run(&steps);
	mid = &life->lives[STEPS_MID];
	steps_crash(&steps, STEPS_MID);
	steps_wait(&steps);
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID));
	steps_wait(&steps);
	assert_true(steps_did(&steps, "terminate:1"));
	assert_true(steps_tell_of(&steps, EVENT_READY, STEPS_MID));
	assert_int_equal(mid->state, SEAT_READY);
	assert_true(steps_tell_of(&steps, EVENT_CANCEL_STAGE, STEPS_MID));
	assert_int_equal(mid->due_ns, steps.now_ns + STEPS_GRACE_NS);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "terminate:1") && !steps_did(&steps, "kill:1"));
}

static void kill_one_that_is_late(void)
{
	steps_run(&steps);
	steps_crash(&steps, STEPS_MID);
	steps_wait(&steps);
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID));
	steps_wait(&steps);
	steps_wait(&steps);
	assert_string_equal(steps.did, "say-killed:1 kill:1 ");
}

static void assert_left_behind_in_time(uint64_t killed_ns)
{
	assert_true(lifecycle_bounded(life, STEPS_MID));
	assert_int_equal(lifecycle_due_ns(life), killed_ns + UNKILLABLE_NS);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "leave-behind:1") && steps_did(&steps, "say-stage-failed:1"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
}

/* It was said before SIGKILL and is heard behind it. If it is stuck in the kernel nothing else would ever bound it. */
static void test_one_that_was_killed_is_never_ready(void **state)
{
	uint64_t killed_ns;

	(void)state;
	kill_one_that_is_late();
	killed_ns = steps.now_ns;
	assert_false(steps_tell_of(&steps, EVENT_READY, STEPS_MID));
	assert_string_equal(steps.did, "");
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_OPENING);
	assert_false(life->lives[STEPS_MID].was_ready);
	assert_left_behind_in_time(killed_ns);
}

/* Why it could not open is worth to be known, but it has no more time for that. */
static void test_the_goodbye_of_one_that_was_killed_costs_no_time(void **state)
{
	uint64_t killed_ns;

	(void)state;
	kill_one_that_is_late();
	killed_ns = steps.now_ns;
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID, .failed = true }));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LEAVING);
	assert_true(life->lives[STEPS_MID].goodbye_failed);
	assert_left_behind_in_time(killed_ns);
}

static void test_a_goodbye_after_sigterm_costs_no_time_either(void **state)
{
	(void)state;
	steps_run(&steps);
	steps_crash(&steps, STEPS_MID);
	steps_wait(&steps);
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID));
	steps_wait(&steps);
	assert_string_equal(steps.did, "say-not-ready:1 terminate:1 ");
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID, .failed = true }));
	steps_wait(&steps);
	assert_string_equal(steps.did, "say-killed:1 kill:1 ");
}

/* What the simulator asks of each seat after each event: it sees who stands on a ladder that has no next rung. */
static void test_who_is_ready_and_on_a_ladder_is_not_bounded(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(lifecycle_bounded(life, STEPS_MID));
	life->lives[STEPS_MID].told = TOLD_KILL;
	assert_false(lifecycle_bounded(life, STEPS_MID));
	life->lives[STEPS_MID].told = TOLD_NOTHING;
	steps_crash(&steps, STEPS_MID);
	steps_wait(&steps);
	assert_true(lifecycle_bounded(life, STEPS_MID));
	life->lives[STEPS_MID].told = TOLD_TERM;
	life->lives[STEPS_MID].due_ns = 0;
	life->ladder_due_ns = steps.now_ns + 1; /* everybody's end is no rung of its own */
	assert_false(lifecycle_bounded(life, STEPS_MID));
}

/* It has done all that it had to do: to have to be killed then is no crash. */
static void test_one_that_does_not_exit_after_its_goodbye(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell_of(&steps, EVENT_BYE, STEPS_OUT));
	assert_int_equal(lifecycle_due_ns(life), steps.now_ns + STEPS_GRACE_NS);
	steps_wait(&steps);
	assert_string_equal(steps.did, "say-hangs:3 terminate:3 ");
	steps_exit(&steps, STEPS_OUT, (struct death_facts){ .ended = true });
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_DONE);
}

static void test_the_run_begins_when_the_last_one_is_ready(void **state)
{
	(void)state;
	steps.plan.deadline_ns = 7 * NS_PER_S;
	steps_start(&steps);
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		assert_true(steps_tell_of(&steps, EVENT_HELLO, i));
	for (uint32_t i = 0; i < STEPS_SEATS; i++) {
		assert_int_equal(life->state, PIPELINE_STARTING);
		assert_true(steps_tell_of(&steps, EVENT_READY, i));
	}
	assert_true(steps_did(&steps, "run") && steps_did(&steps, "phase=1"));
	assert_int_equal(lifecycle_due_ns(life), steps.now_ns + 7 * NS_PER_S); /* from now on, not from the start on */
	steps_wait(&steps);
	assert_int_equal(life->cause, CAUSE_RUN_DEADLINE);
	assert_int_equal(life->ladder.rung, RUNG_CANCEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who_speaks_out_of_turn_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_a_goodbye_of_the_dead_is_heard_once, begin, end),
		cmocka_unit_test_setup_teardown(test_a_goodbye_that_never_comes, begin, end),
		cmocka_unit_test_setup_teardown(test_the_next_generation_speaks_for_itself, begin, end),
		cmocka_unit_test_setup_teardown(test_a_later_generation_that_is_not_ready, begin, end),
		cmocka_unit_test_setup_teardown(test_a_start_that_takes_too_long, begin, end),
		cmocka_unit_test_setup_teardown(test_who_is_ready_is_waited_for_no_more, begin, end),
		cmocka_unit_test_setup_teardown(test_one_that_was_late_is_on_no_ladder_when_it_is_ready, begin, end),
		cmocka_unit_test_setup_teardown(test_one_that_was_killed_is_never_ready, begin, end),
		cmocka_unit_test_setup_teardown(test_the_goodbye_of_one_that_was_killed_costs_no_time, begin, end),
		cmocka_unit_test_setup_teardown(test_a_goodbye_after_sigterm_costs_no_time_either, begin, end),
		cmocka_unit_test_setup_teardown(test_who_is_ready_and_on_a_ladder_is_not_bounded, begin, end),
		cmocka_unit_test_setup_teardown(test_one_that_does_not_exit_after_its_goodbye, begin, end),
		cmocka_unit_test_setup_teardown(test_the_run_begins_when_the_last_one_is_ready, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
