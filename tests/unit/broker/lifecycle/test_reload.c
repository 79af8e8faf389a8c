/* SPDX-License-Identifier: Apache-2.0 */
/* A change to another plan, step by step: only the middle stage, which has two workers, has other options. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tests/unit/broker/lifecycle/steps_fixture.h"

#define PROBATION_NS (10 * NS_PER_S)
#define CANARY_NS (5 * NS_PER_S)
#define OPENING_NS (7 * NS_PER_S)

static bool reload(void)
{
	static const bool changed[STEPS_STAGES] = { [STAGE_MID] = true };

	return steps_tell(&steps,
			  (struct event){ .kind = EVENT_RELOAD,
					  .changed = changed,
					  .terms = { .opening_ns = OPENING_NS, .probation_ns = PROBATION_NS } });
}

/* Told to leave, and gone. */
static void leave(uint32_t seat)
{
	steps_exit(&steps, seat, (struct death_facts){ .exited_zero = true, .ended = true, .cancelled = true });
}

/* Both newcomers wait: the old ones are told, leave, and the new ones sit down when their time has come. */
static void switch_over(void)
{
	assert_true(reload());
	assert_true(steps_tell_of(&steps, EVENT_AT_GATE, STEPS_MID));
	assert_false(steps_did(&steps, "exchange"));
	assert_true(steps_tell_of(&steps, EVENT_AT_GATE, STEPS_MID_TOO));
	assert_true(steps_did(&steps, "exchange"));
	assert_string_equal(steps_stopping(&steps), "1 2 ");
	leave(STEPS_MID);
	leave(STEPS_MID_TOO);
	while (life->lives[STEPS_MID].state == SEAT_BACKOFF || life->lives[STEPS_MID_TOO].state == SEAT_BACKOFF)
		steps_wait(&steps);
}

static void sit_down(void)
{
	steps_sit_down(&steps, STEPS_MID);
	assert_int_equal(life->reload.state, RELOAD_SWITCHING);
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_int_equal(life->reload.state, RELOAD_PROBATION);
}

static void test_done(void **state)
{
	(void)state;
	steps_run(&steps);
	switch_over();
	sit_down();
	assert_false(reload()); /* one at a time */
	assert_false(steps_tell_of(&steps, EVENT_RELOAD_ABANDONED, 0));
	steps_wait(&steps);
	assert_true(steps_did(&steps, "reload-over"));
	assert_int_equal(life->reload.state, RELOAD_NONE);
	assert_int_equal(life->lives[STEPS_IN].generation + life->lives[STEPS_OUT].generation, 0);
	assert_int_equal(life->lives[STEPS_MID].generation, 1);
	assert_true(reload());
}

static void test_nothing_changes_before_the_switch(void **state)
{
	(void)state;
	steps_start(&steps);
	assert_false(reload()); /* it does not run yet */
	for (uint32_t seat = 0; seat < STEPS_SEATS; seat++)
		steps_sit_down(&steps, seat);
	assert_true(reload());
	assert_true(steps_tell_of(&steps, EVENT_AT_GATE, STEPS_MID));
	steps_tell_of(&steps, EVENT_NEWCOMER_GONE, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "reload-over") && steps_did(&steps, "dismiss"));
	assert_false(steps_did(&steps, "exchange"));
	assert_true(reload());
	assert_true(steps_tell_of(&steps, EVENT_RELOAD_ABANDONED, 0));
	assert_false(steps_tell_of(&steps, EVENT_AT_GATE, STEPS_MID)); /* it is not wanted any more */
	assert_true(reload());
	steps_wait(&steps); /* nobody gets there in time */
	assert_true(steps_did(&steps, "reload-over"));
	assert_string_equal(steps_stopping(&steps), "");
}

static void test_rolled_back(void **state)
{
	(void)state;
	steps_run(&steps);
	switch_over();
	steps_sit_down(&steps, STEPS_MID);
	steps_crash(&steps, STEPS_MID_TOO); /* before it was ready */
	assert_true(steps_did(&steps, "exchange"));
	assert_int_equal(life->reload.state, RELOAD_REVERTING);
	assert_true(steps_did(&steps, "cancel:1"));
	leave(STEPS_MID);
	while (life->lives[STEPS_MID].state == SEAT_BACKOFF || life->lives[STEPS_MID_TOO].state == SEAT_BACKOFF)
		steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID);
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "reload-over"));
	assert_int_equal(life->reload.state, RELOAD_NONE);
	assert_false(life->outcome.stage_failed);
}

/* Who hangs while it opens is killed when its time is over, and so is the other one; who is ready is told to leave. */
static void test_one_hangs(void **state)
{
	uint64_t switched_ns;

	(void)state;
	steps_run(&steps);
	switch_over();
	switched_ns = steps.now_ns;
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID));
	steps_wait(&steps);
	assert_true(steps.now_ns <= switched_ns + OPENING_NS);
	assert_true(steps_did(&steps, "exchange") && steps_did(&steps, "kill:1") && steps_did(&steps, "kill:2"));
	assert_false(steps_tell_of(&steps, EVENT_READY, STEPS_MID)); /* too late */
	steps_crash(&steps, STEPS_MID);
	steps_crash(&steps, STEPS_MID_TOO);
	/* one may have been ready after all, and have taken an item: we have killed it, and not the item */
	assert_true(life->lives[STEPS_MID].stopped && life->lives[STEPS_MID_TOO].stopped);
	while (life->lives[STEPS_MID].state == SEAT_BACKOFF || life->lives[STEPS_MID_TOO].state == SEAT_BACKOFF)
		steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID);
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "reload-over"));
	assert_false(life->outcome.stage_failed);
	assert_int_equal(life->stages[STAGE_MID].history.n, 0);
}

/* The other one had said that it can't go on before the first was dead: that is the same failure, and not its stage's. */
static void test_both_fail(void **state)
{
	(void)state;
	steps_run(&steps);
	switch_over();
	assert_true(steps_tell_of(&steps, EVENT_HELLO, STEPS_MID_TOO));
	assert_true(steps_tell(&steps, (struct event){ .kind = EVENT_BYE, .seat = STEPS_MID_TOO, .failed = true }));
	steps_crash(&steps, STEPS_MID);
	assert_int_equal(life->reload.state, RELOAD_REVERTING);
	steps_exit(&steps, STEPS_MID_TOO, (struct death_facts){ .exited_one = true });
	assert_true(steps_did(&steps, "forgive:2"));
	while (life->lives[STEPS_MID].state == SEAT_BACKOFF || life->lives[STEPS_MID_TOO].state == SEAT_BACKOFF)
		steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID);
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "reload-over"));
	assert_false(life->outcome.stage_failed);
	assert_int_equal(life->stages[STAGE_MID].history.n, 0);
}

/* One death after some work may be the fault of whoever kills; two are the plan's. */
static void test_two_deaths(void **state)
{
	const struct death_facts worked = { .progressed = true };
	(void)state;
	steps_run(&steps);
	switch_over();
	sit_down();
	steps_exit(&steps, STEPS_MID, worked);
	assert_false(steps_did(&steps, "exchange"));
	steps_exit(&steps, STEPS_MID_TOO, worked);
	assert_true(steps_did(&steps, "exchange"));
}

/* A temporary worker that makes room for another one is no temporary worker that has died. */
static void test_temporary(void **state)
{
	(void)state;
	steps.stages[STAGE_MID].restart_type = PLAN_TEMPORARY;
	steps_run(&steps);
	switch_over();
	sit_down();
}

/* The last worker of the stage goes first, and is ready. */
static void begin_canary(void)
{
	steps.stages[STAGE_MID].canary_ns = CANARY_NS;
	steps_run(&steps);
	assert_true(reload());
	steps_tell_of(&steps, EVENT_AT_GATE, STEPS_MID);
	steps_tell_of(&steps, EVENT_AT_GATE, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "exchange"));
	assert_string_equal(steps_stopping(&steps), "2 ");
	leave(STEPS_MID_TOO);
	while (life->lives[STEPS_MID_TOO].state == SEAT_BACKOFF)
		steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "canary:2"));
}

static void test_a_canary_keeps_within_its_limits(void **state)
{
	uint64_t begun_ns;

	(void)state;
	begin_canary();
	begun_ns = steps.now_ns;
	while (life->reload.state == RELOAD_CANARY)
		steps_wait(&steps);
	assert_true(steps.now_ns >= begun_ns + CANARY_NS && steps.now_ns < begun_ns + CANARY_NS + NS_PER_S);
	assert_string_equal(steps_stopping(&steps), "1 ");
	leave(STEPS_MID);
	while (life->lives[STEPS_MID].state == SEAT_BACKOFF)
		steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID);
	assert_int_equal(life->reload.state, RELOAD_PROBATION);
	steps_wait(&steps);
	assert_true(steps_did(&steps, "reload-over"));
	assert_int_equal(life->lives[STEPS_MID_TOO].generation, 1);
}

static void test_a_canary_is_outside_its_limits(void **state)
{
	(void)state;
	begin_canary();
	steps_wait(&steps);
	assert_true(steps_did(&steps, "judge"));
	assert_int_equal(life->reload.state, RELOAD_CANARY);
	steps.outside = STEPS_MID_TOO;
	steps_wait(&steps);
	assert_true(steps_did(&steps, "exchange:2=1"));
	assert_string_equal(steps_stopping(&steps), "2 ");
	leave(STEPS_MID_TOO);
	while (life->lives[STEPS_MID_TOO].state == SEAT_BACKOFF)
		steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "reload-over"));
	assert_int_equal(life->lives[STEPS_MID].generation, 0);
}

/* Most work by the plan before: that one it is. */
static void test_a_stop_while_a_canary_is_tried(void **state)
{
	(void)state;
	begin_canary();
	steps_tell(&steps, (struct event){ .kind = EVENT_DRAIN });
	assert_true(steps_did(&steps, "exchange=1") && steps_did(&steps, "reload-over"));
	assert_int_equal(life->reload.state, RELOAD_NONE);
}

static void test_a_stop_ends_it(void **state)
{
	(void)state;
	steps_run(&steps);
	assert_true(reload());
	steps_tell(&steps, (struct event){ .kind = EVENT_DRAIN });
	assert_true(steps_did(&steps, "reload-over"));
	assert_false(steps_did(&steps, "exchange"));
	assert_false(reload());
}

static void test_words(void **state)
{
	(void)state;
	for (int i = 0; i < RELOAD_END_COUNT; i++) {
		assert_true(strlen(reload_end_name((enum reload_end)i)) > 3);
		assert_true(strlen(reload_end_sentence((enum reload_end)i)) > 10);
	}
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_done),
		TEST(test_nothing_changes_before_the_switch),
		TEST(test_rolled_back),
		TEST(test_one_hangs),
		TEST(test_a_canary_keeps_within_its_limits),
		TEST(test_a_canary_is_outside_its_limits),
		TEST(test_a_stop_while_a_canary_is_tried),
		TEST(test_both_fail),
		TEST(test_two_deaths),
		TEST(test_temporary),
		TEST(test_a_stop_ends_it),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
