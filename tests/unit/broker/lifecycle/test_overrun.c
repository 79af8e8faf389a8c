/* SPDX-License-Identifier: Apache-2.0 */
/* An item has overrun its deadline in the hands of one worker of the middle stage. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

#define LATE_NS (10 * NS_PER_MS) /* from when it was due to the look that finds it */

static const struct death_facts crashed = { 0 },
				left_cancelled = { .exited_zero = true, .ended = true, .cancelled = true };

static int begin_with_deadline(void **state)
{
	(void)begin(state);
	steps.stages[STAGE_MID].deadline_ns = 100 * NS_PER_MS;
	return 0;
}

static bool overrun(uint32_t seat)
{
	return steps_tell(&steps,
			  (struct event){ .kind = EVENT_OVERRUN, .seat = seat, .due_ns = steps.now_ns + 1 - LATE_NS });
}

static void run_and_overrun(void)
{
	steps_run(&steps);
	assert_true(overrun(STEPS_MID));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_OVERRUN);
}

static void come_back(uint32_t seat)
{
	steps_wait(&steps);
	assert_int_equal(life->lives[seat].state, SEAT_SPAWNED);
	steps_sit_down(&steps, seat);
}

/* SIGTERM when its grace is over, counted from when the item was due, and SIGKILL so soon behind it: it has had its time. */
static void climb_to_the_kill(uint32_t seat, uint64_t term_ns)
{
	steps_wait(&steps);
	assert_int_equal(steps.now_ns, term_ns);
	assert_string_equal(steps.did, "say-deaf:1 terminate:1 ");
	steps_wait(&steps);
	assert_int_equal(steps.now_ns, term_ns + 25 * NS_PER_MS);
	assert_string_equal(steps.did, "say-killed:1 kill:1 ");
	assert_true(seat_state_alive(life->lives[seat].state));
}

static void test_the_rungs(void **state)
{
	uint64_t term_ns;

	(void)state;
	run_and_overrun();
	term_ns = steps.now_ns - LATE_NS + STEPS_GRACE_NS;
	assert_string_equal(steps.did, "say-overrun:1 cancel:1=3 ");
	assert_int_equal(CAUSE_ITEM_DEADLINE, 3);
	for (uint32_t i = 0; i < life->n_actions; i++)
		if (life->actions[i].kind == ACTION_CANCEL)
			assert_int_equal(life->actions[i].at_ns, term_ns);
	climb_to_the_kill(STEPS_MID, term_ns);
	steps_wait(&steps);
	assert_int_equal(steps.now_ns, term_ns + 25 * NS_PER_MS + UNKILLABLE_NS);
	assert_true(steps_did(&steps, "leave-behind:1") && steps_did(&steps, "say-stage-failed:1=5") &&
		    steps_did(&steps, "order=2"));
	assert_int_equal(REASON_UNKILLABLE, 5);
	assert_false(steps_did(&steps, "repair"));
}

/* Nobody looked for a while: what is over is over. */
static void test_seen_after_its_grace_is_over(void **state)
{
	uint64_t seen_ns;

	(void)state;
	steps.stages[STAGE_MID].grace_ns = LATE_NS / 2;
	run_and_overrun();
	seen_ns = steps.now_ns;
	steps_wait(&steps);
	assert_true(steps_did(&steps, "terminate:1"));
	assert_int_equal(steps.now_ns, seen_ns + 1);
}

/* However it goes: repaired, or the item would not be blamed; told of; and the next one comes. Not one of these deaths is allowed. */
static void test_every_death_of_it_is_a_crash_that_does_not_count(void **state)
{
	static const struct {
		struct death_facts death;
		bool goodbye, failed;
	} ends[] = {
		{ .death = crashed },
		{ .death = left_cancelled, .goodbye = true },
		{ .death = { .exited_zero = true } },
		{ .death = { .exited_zero = true, .ended = true },
		  .goodbye = true }, /* the end of the stream is the next one's */
		{ .death = { .ended = true }, .goodbye = true },
		{ .death = { .exited_one = true },
		  .goodbye = true,
		  .failed = true }, /* what fails because it is cancelled */
	};

	(void)state;
	steps.stages[STAGE_MID].restart_intensity = 0;
	steps_run(&steps);
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const struct life *mid = &life->lives[STEPS_MID];

		assert_true(overrun(STEPS_MID));
		if (ends[i].goodbye)
			assert_true(steps_tell(
				&steps,
				(struct event){ .kind = EVENT_BYE, .seat = STEPS_MID, .failed = ends[i].failed }));
		steps_exit(&steps, STEPS_MID, ends[i].death);
		assert_string_equal(steps.did, "repair:1 ring:1 examine:1 say-death:1 ");
		assert_int_equal(mid->state, SEAT_BACKOFF);
		assert_int_equal(mid->failures, 0);
		assert_in_range(mid->restart_ns - steps.now_ns, STEPS_BACKOFF_NS / 5 * 4, STEPS_BACKOFF_NS / 5 * 6);
		come_back(STEPS_MID);
		assert_false(mid->overrun);
		assert_int_equal(mid->generation, i + 1);
	}
	steps_crash(&steps, STEPS_MID);
	assert_true(steps_did(&steps, "say-stage-failed:1"));
}

static void test_it_says_what_it_says_and_gets_no_more_time(void **state)
{
	uint64_t due_ns;

	(void)state;
	run_and_overrun();
	due_ns = life->lives[STEPS_MID].due_ns;
	assert_false(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID) || steps_tell_of(&steps, EVENT_READY, STEPS_MID));
	assert_true(steps_tell_of(&steps, EVENT_BYE, STEPS_MID));
	assert_false(steps_tell_of(&steps, EVENT_BYE, STEPS_MID));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_OVERRUN);
	assert_int_equal(life->lives[STEPS_MID].due_ns, due_ns);
	climb_to_the_kill(STEPS_MID, due_ns);
}

static void test_a_temporary_worker_does_not_come_back(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].restart_type = PLAN_TEMPORARY;
	run_and_overrun();
	steps_exit(&steps, STEPS_MID, left_cancelled);
	assert_true(steps_did(&steps, "repair:1") && steps_did(&steps, "say-death:1=2") &&
		    steps_did(&steps, "say-stage-failed:1=2"));
	assert_int_equal(NEXT_TEMPORARY, 2);
	assert_int_equal(REASON_TEMPORARY_DIED, 2);
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
}

/* With degrade each seat counts its deaths: these are none. */
static void test_its_seat_is_not_retired_for_it(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].degrade = true;
	steps.stages[STAGE_MID].restart_intensity = 0;
	run_and_overrun();
	steps_crash(&steps, STEPS_MID);
	assert_false(steps_did(&steps, "retire:1"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_BACKOFF);
	come_back(STEPS_MID);
	steps_crash(&steps, STEPS_MID);
	assert_true(steps_did(&steps, "retire:1"));
}

/* Once it is dead, as with any that has died; not while it may still end by itself. */
static void test_its_siblings_go_with_it(void **state)
{
	(void)state;
	steps.plan.strategy = PLAN_ONE_FOR_ALL;
	run_and_overrun();
	assert_string_equal(steps_stopping(&steps), "");
	steps_exit(&steps, STEPS_MID, left_cancelled);
	assert_string_equal(steps_stopping(&steps), "0 2 3 ");
}

static void test_a_sibling_dies_meanwhile(void **state)
{
	const struct life *mid;
	uint64_t due_ns;

	(void)state;
	steps.plan.strategy = PLAN_ONE_FOR_ALL;
	steps.stages[STAGE_MID].restart_intensity = 0;
	run_and_overrun();
	mid = &life->lives[STEPS_MID];
	due_ns = mid->due_ns;
	steps_exit(&steps, STEPS_OUT, (struct death_facts){ .progressed = true });
	assert_true(steps_did(&steps, "cancel:0") && steps_did(&steps, "cancel:2") && !steps_did(&steps, "cancel:1"));
	assert_string_equal(steps_stopping(&steps), "0 1 2 ");
	steps_exit(&steps, STEPS_IN, left_cancelled);
	steps_exit(&steps, STEPS_MID_TOO, left_cancelled);
	for (unsigned i = 0; i < 3; i++)
		steps_wait(&steps); /* the back-offs are over, and one is not down */
	assert_int_equal(mid->state, SEAT_STOPPING);
	climb_to_the_kill(STEPS_MID, due_ns);
	steps_crash(&steps, STEPS_MID);
	assert_true(steps_did(&steps, "repair:1") && steps_did(&steps, "say-returns:1"));
	steps_wait(&steps);
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		assert_int_equal(life->lives[i].state, SEAT_SPAWNED);
}

static void test_its_stage_is_cancelled_meanwhile(void **state)
{
	uint64_t due_ns;

	(void)state;
	run_and_overrun();
	due_ns = life->lives[STEPS_MID].due_ns;
	assert_true(steps_tell(&steps,
			       (struct event){ .kind = EVENT_CANCEL_STAGE, .seat = STEPS_MID, .cause = CAUSE_USER }));
	assert_true(steps_did(&steps, "cancel:2") && !steps_did(&steps, "cancel:1"));
	steps_exit(&steps, STEPS_MID_TOO, left_cancelled);
	assert_string_equal(steps_stopping(&steps), "1 ");
	assert_int_equal(life->lives[STEPS_MID].due_ns, due_ns);
	steps_exit(&steps, STEPS_MID, left_cancelled);
	assert_true(steps_did(&steps, "say-returns:1"));
	steps_wait(&steps);
	steps_wait(&steps);
	assert_true(life->lives[STEPS_MID].stands_in && life->lives[STEPS_MID_TOO].stands_in);
	steps_sit_down(&steps, STEPS_MID);
	assert_false(lifecycle_may_overrun(life, STEPS_MID)); /* it discards, and has no deadline */
	assert_false(overrun(STEPS_MID));
}

static void test_its_branch_is_dropped_meanwhile(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].drop_branch = true;
	run_and_overrun();
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID_TOO, .failed = true }));
	steps_exit(&steps, STEPS_MID_TOO, (struct death_facts){ .exited_one = true });
	assert_true(steps_did(&steps, "say-dropped:2"));
	assert_string_equal(steps_stopping(&steps), "1 ");
	steps_crash(&steps, STEPS_MID);
	assert_true(steps_did(&steps, "repair:1") && steps_did(&steps, "say-returns:1"));
	steps_wait(&steps);
	steps_wait(&steps);
	assert_true(life->lives[STEPS_MID].stands_in);
}

/* A drain may need the item: it goes on as ever. */
static void test_while_it_drains(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(steps_tell_of(&steps, EVENT_DRAIN, 0));
	assert_true(overrun(STEPS_MID));
	steps_exit(&steps, STEPS_MID, left_cancelled);
	come_back(STEPS_MID);
	assert_true(lifecycle_may_overrun(life, STEPS_MID));
	steps_finish(&steps, STEPS_MID);
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_DONE);
}

/* Its own times stand, for they are shorter; but nobody comes back, and what it leaves is no clean end. */
static void test_everybody_is_cancelled_meanwhile(void **state)
{
	uint64_t due_ns;

	(void)state;
	run_and_overrun();
	due_ns = life->lives[STEPS_MID].due_ns;
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_OVERRUN);
	steps_wait(&steps);
	assert_string_equal(steps.did, "say-deaf:1 terminate:1 ");
	assert_int_equal(steps.now_ns, due_ns);
	steps_wait(&steps);
	assert_int_equal(steps_count(&steps, "terminate"), STEPS_SEATS); /* the pipeline's rung is for all who live */
	steps_wait(&steps);
	assert_string_equal(steps.did, "say-killed:1 kill:1 ");
	assert_int_equal(steps.now_ns, due_ns + 25 * NS_PER_MS);
	steps_exit(&steps, STEPS_MID, left_cancelled);
	assert_true(steps_did(&steps, "repair:1") && steps_did(&steps, "say-death:1=4") && steps_did(&steps, "lose:1"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_LOST);
}

static void test_the_pipelines_rungs_do_not_wait_for_it(void **state)
{
	(void)state;
	steps_run(&steps);
	steps.stages[STAGE_MID].grace_ns = 3600 * NS_PER_S;
	assert_true(overrun(STEPS_MID));
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_DRAIN, .deadline_ns = steps.now_ns + NS_PER_S }));
	for (unsigned rung = RUNG_CANCEL; rung <= RUNG_KILL; rung++)
		steps_wait(&steps);
	assert_true(steps_did(&steps, "kill:1"));
	steps_wait(&steps);
	assert_true(steps_did(&steps, "leave-behind:1") && life->finished);
}

/* It drains before it ever ran: dead letters are given again then, too. A death like any other, so no start fails for it. */
static void test_before_it_ever_ran(void **state)
{
	(void)state;
	steps_start(&steps);
	steps_sit_down(&steps, STEPS_MID);
	assert_false(overrun(STEPS_MID)); /* nobody has been told to work */
	assert_true(steps_tell_of(&steps, EVENT_DRAIN, 0));
	assert_true(overrun(STEPS_MID));
	steps_exit(&steps, STEPS_MID, left_cancelled);
	assert_true(steps_did(&steps, "say-death:1"));
	assert_int_equal(life->lives[STEPS_MID].state, SEAT_BACKOFF);
}

static void refuse(uint32_t seat)
{
	struct life before = life->lives[seat];

	assert_false(lifecycle_may_overrun(life, seat));
	assert_false(overrun(seat));
	assert_string_equal(steps.did, "");
	assert_memory_equal(&before, &life->lives[seat], sizeof(before));
}

/* Of a later generation too: what its worker has in hand counts from when it is ready. */
static void test_where_nobody_has_deadlines_to_keep(void **state)
{
	(void)state;
	steps_run(&steps);
	refuse(STEPS_OUT); /* its stage has none */
	assert_true(overrun(STEPS_MID));
	refuse(STEPS_MID); /* it is being ended for that */
	steps_crash(&steps, STEPS_MID);
	refuse(STEPS_MID);
	steps_wait(&steps);
	refuse(STEPS_MID);
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID));
	refuse(STEPS_MID);
	assert_true(steps_tell_of(&steps, EVENT_READY, STEPS_MID));
	assert_true(steps_tell_of(&steps, EVENT_BYE, STEPS_MID));
	refuse(STEPS_MID);
	assert_true(lifecycle_may_overrun(life, STEPS_MID_TOO));
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	refuse(STEPS_MID_TOO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_rungs, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_seen_after_its_grace_is_over, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_every_death_of_it_is_a_crash_that_does_not_count,
						begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_it_says_what_it_says_and_gets_no_more_time, begin_with_deadline,
						end),
		cmocka_unit_test_setup_teardown(test_a_temporary_worker_does_not_come_back, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_its_seat_is_not_retired_for_it, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_its_siblings_go_with_it, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_a_sibling_dies_meanwhile, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_its_stage_is_cancelled_meanwhile, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_its_branch_is_dropped_meanwhile, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_while_it_drains, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_everybody_is_cancelled_meanwhile, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_the_pipelines_rungs_do_not_wait_for_it, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_before_it_ever_ran, begin_with_deadline, end),
		cmocka_unit_test_setup_teardown(test_where_nobody_has_deadlines_to_keep, begin_with_deadline, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
