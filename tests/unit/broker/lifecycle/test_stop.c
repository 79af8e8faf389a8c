/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder as a person climbs it, and who is on it. Its times: test_ladder.c. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

static bool tell_signal(int number)
{
	return steps_tell(&steps, (struct event){ .kind = EVENT_SIGNAL, .signal_number = number });
}

static void test_a_signal_drains_and_the_next_ones_climb(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(tell_signal(2));
	assert_true(steps_did(&steps, "order=1"));
	assert_int_equal(life->outcome.signal_number, 2);
	assert_true(tell_signal(15));
	assert_true(steps_did(&steps, "order=2"));
	assert_int_equal(life->cause, CAUSE_USER);
	assert_true(tell_signal(15));
	assert_int_equal(steps_count(&steps, "terminate"), STEPS_SEATS);
	assert_true(tell_signal(15));
	assert_int_equal(steps_count(&steps, "kill"), STEPS_SEATS);
	assert_true(tell_signal(15));
	assert_string_equal(steps.did, "");
	assert_int_equal(life->outcome.signal_number, 2); /* the first one did it */
}

/* Somebody's hand was quicker than the one that hit ^C: that is no second one. */
static void test_the_first_signal_after_a_drain_skips_nothing(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell_of(&steps, EVENT_DRAIN, 0));
	assert_true(tell_signal(2));
	assert_string_equal(steps.did, "say-stopping-already ");
	assert_int_equal(life->ladder.rung, RUNG_DRAIN);
	assert_int_equal(life->outcome.signal_number, 0);
	assert_true(tell_signal(2));
	assert_int_equal(life->ladder.rung, RUNG_CANCEL);
}

/* On the way to a cancel nobody is told to drain, and what says how much time is left is there before the order. */
static void test_a_cancel_is_one_order(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_CONFIG }));
	assert_string_equal(steps.did, "phase=2 say-climbed=2 grace order=2 ask grace ");
	assert_int_equal(life->cause, CAUSE_CONFIG);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	assert_string_equal(steps.did, "");
	for (unsigned i = 0; i < 2; i++)
		assert_true(tell_signal(2));
	assert_int_equal(life->ladder.rung, RUNG_TERM);
	assert_int_equal(life->cause, CAUSE_CONFIG); /* the first one counts */
}

static void test_after_a_cancel_nobody_is_started(void **state)
{
	(void)state;
	steps_run(&steps);
	steps_crash(&steps, STEPS_MID);
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_BACKOFF);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
	assert_int_equal(life->lives[STEPS_MID].due_ns, 0);
	steps_crash(&steps, STEPS_OUT);
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_LOST);
	assert_true(steps_did(&steps, "repair:3") && steps_did(&steps, "say-death:3=3") && steps_did(&steps, "lose:3"));
}

static void test_a_cancel_in_the_middle_of_the_start(void **state)
{
	(void)state;
	assert_int_equal(lifecycle_init(life, &steps.plan, 0), 0);
	lifecycle_step(life, &(struct event){ .kind = EVENT_START }, ++steps.now_ns);
	lifecycle_step(life, &(struct event){ .kind = EVENT_SPAWNED, .seat = STEPS_IN }, ++steps.now_ns);
	lifecycle_step(life, &(struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }, ++steps.now_ns);
	assert_true(steps_tell_of(&steps, EVENT_SPAWNED, STEPS_MID));
	assert_false(steps_did(&steps, "spawn"));
	assert_int_equal(life->lives[STEPS_OUT].state, SEAT_LOST);
}

/* A drain may still need those who die: they come back. */
static void test_while_it_drains_who_dies_comes_back(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell_of(&steps, EVENT_DRAIN, 0));
	steps_crash(&steps, STEPS_MID);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "spawn:1"));
}

/* A later deadline counts for nothing, an earlier one at once; the graces are those of the most patient stage. */
static void test_the_deadline_only_comes_nearer(void **state)
{
	uint64_t deadline_ns;

	(void)state;
	steps.stages[STAGE_OUT].grace_ns = 5 * STEPS_GRACE_NS;
	steps_run(&steps);
	assert_true(steps_tell_of(&steps, EVENT_DRAIN, 0));
	deadline_ns = life->ladder.deadline_ns;
	assert_int_equal(deadline_ns, steps.now_ns + steps.plan.drain_ns);
	assert_int_equal(life->ladder.grace_ns, 5 * STEPS_GRACE_NS);
	assert_int_equal(lifecycle_due_ns(life), deadline_ns - 2 * 5 * STEPS_GRACE_NS);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_DRAIN, .deadline_ns = deadline_ns + 1 }));
	assert_int_equal(life->ladder.deadline_ns, deadline_ns);
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_DRAIN, .deadline_ns = steps.now_ns + NS_PER_S }));
	assert_true(steps_did(&steps, "grace"));
	assert_true(life->ladder.deadline_ns < deadline_ns);
	assert_int_equal(lifecycle_due_ns(life), life->ladder.deadline_ns - 2 * life->ladder.grace_ns);
}

/* Every rung in its turn, and an end for whoever does not even die of SIGKILL. */
static void test_the_whole_way_up(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell_of(&steps, EVENT_DRAIN, 0));
	steps_finish(&steps, STEPS_IN);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "order=2"));
	assert_int_equal(life->cause, CAUSE_DRAIN_DEADLINE);
	assert_true(life->outcome.drain_deadline_passed);
	steps_wait(&steps);
	assert_int_equal(steps_count(&steps, "terminate"), 3); /* not to the one that has ended */
	steps_wait(&steps);
	assert_int_equal(steps_count(&steps, "kill"), 3);
	assert_int_equal(steps.now_ns, life->ladder.deadline_ns);
	steps_crash(&steps, STEPS_MID);
	assert_int_equal(lifecycle_due_ns(life), life->ladder.deadline_ns + UNKILLABLE_NS);
	steps_wait(&steps);
	assert_int_equal(steps_count(&steps, "leave-behind"), 2);
	assert_false(steps_did(&steps, "repair"));
	assert_true(life->finished);
}

/* Its cause is the clock's only if the clock did it. */
static void test_a_cancel_before_the_deadline_is_nobodys_deadline(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell_of(&steps, EVENT_DRAIN, 0));
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	steps_wait(&steps);
	steps_wait(&steps);
	assert_int_equal(life->ladder.rung, RUNG_KILL);
	assert_int_equal(life->cause, CAUSE_USER);
	assert_false(life->outcome.drain_deadline_passed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_signal_drains_and_the_next_ones_climb, begin, end),
		cmocka_unit_test_setup_teardown(test_the_first_signal_after_a_drain_skips_nothing, begin, end),
		cmocka_unit_test_setup_teardown(test_a_cancel_is_one_order, begin, end),
		cmocka_unit_test_setup_teardown(test_after_a_cancel_nobody_is_started, begin, end),
		cmocka_unit_test_setup_teardown(test_a_cancel_in_the_middle_of_the_start, begin, end),
		cmocka_unit_test_setup_teardown(test_while_it_drains_who_dies_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(test_the_deadline_only_comes_nearer, begin, end),
		cmocka_unit_test_setup_teardown(test_the_whole_way_up, begin, end),
		cmocka_unit_test_setup_teardown(test_a_cancel_before_the_deadline_is_nobodys_deadline, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
