/* SPDX-License-Identifier: Apache-2.0 */
/* One worker is to end and the others go on, step by step: one source, an operator with two workers, one sink. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "broker/lifecycle/lifecycle.h"

#define GRACE_NS 1000u
enum { FEED, FIRST, SECOND, STORE, SEATS };

static struct lifecycle life;
static uint64_t now_ns;
static struct actions last;

/* What the actions borrow from the event is looked at after this. */
static bool tell(struct event event)
{
	static struct event kept;

	kept = event;
	last = lifecycle_step(&life, &kept, ++now_ns);
	return !last.refused;
}

static bool about(enum event_kind kind, uint32_t seat)
{
	return tell((struct event){ .kind = kind, .seat = seat });
}

static const struct action *done(enum action_kind kind, uint32_t seat)
{
	for (uint32_t i = 0; i < last.n; i++)
		if (last.actions[i].kind == kind && last.actions[i].seat == seat)
			return &last.actions[i];
	return NULL;
}

/* The clock goes to what is due next. */
static void wait_until_due(void)
{
	now_ns = lifecycle_due_ns(&life) - 1;
	about(EVENT_TIME, 0);
}

static int run(void **state)
{
	static struct plan_stage stages[] = {
		{ .name = (char *)(uintptr_t) "feed", .role = WEIR_SOURCE, .workers = 1 },
		{ .name = (char *)(uintptr_t) "work", .role = WEIR_OPERATOR, .workers = 2, .first_slot = FIRST },
		{ .name = (char *)(uintptr_t) "store", .role = WEIR_SINK, .workers = 1, .first_slot = STORE },
	};
	static struct plan_slot slots[SEATS] = {
		{ .stage = 0 }, { .stage = 1 }, { .stage = 1, .worker_index = 1 }, { .stage = 2 }
	};
	static struct plan plan = {
		.stages = stages, .slots = slots, .n_stages = 3, .n_slots = SEATS, .drain_ns = 60 * NS_PER_S
	};

	for (uint32_t i = 0; i < 3; i++) {
		stages[i].grace_ns = GRACE_NS;
		stages[i].restart_intensity = 3;
		stages[i].restart_period_ns = NS_PER_S;
		stages[i].backoff_min_ns = stages[i].backoff_max_ns = 100;
		stages[i].restart_type = PLAN_TRANSIENT;
	}
	plan.strategy = *state ? PLAN_ONE_FOR_ALL : PLAN_ONE_FOR_ONE;
	now_ns = NS_PER_S;
	assert_int_equal(lifecycle_init(&life, &plan, 0), 0);
	about(EVENT_START, 0);
	for (uint32_t i = 0; i < SEATS; i++)
		about(EVENT_SPAWNED, i);
	for (uint32_t i = 0; i < SEATS; i++)
		assert_true(about(EVENT_HELLO, i) && about(EVENT_READY, i));
	assert_int_equal(life.state, PIPELINE_RUNNING);
	return 0;
}

static int run_together(void **state)
{
	int r;

	*state = &life;
	r = run(state);
	*state = NULL;
	return r;
}

static int end(void **state)
{
	(void)state;
	lifecycle_deinit(&life);
	return 0;
}

static bool cancel_stage(uint32_t seat)
{
	return tell((struct event){
		.kind = EVENT_CANCEL_STAGE, .seat = seat, .cause = CAUSE_DOWNSTREAM_GONE, .who = "somebody" });
}

/* From the death to the verdict. */
static void die(uint32_t seat, struct death_facts facts)
{
	assert_true(tell((struct event){ .kind = EVENT_EXITED, .seat = seat, .death = facts }));
	if (done(ACTION_REPAIR, seat))
		about(EVENT_REPAIRED, seat);
	if (done(ACTION_EXAMINE, seat))
		about(EVENT_EXAMINED, seat);
}

static void leave_cancelled(uint32_t seat)
{
	die(seat, (struct death_facts){ .exited_zero = true, .ended = true, .cancelled = true });
}

static void test_the_rungs_come_one_after_the_other(void **state)
{
	const struct action *cancel;
	uint64_t told_ns;

	(void)state;
	assert_true(cancel_stage(SECOND));
	told_ns = now_ns;
	for (uint32_t seat = 0; seat < SEATS; seat++) {
		cancel = done(ACTION_CANCEL, seat);
		assert_int_equal(cancel != NULL, seat == FIRST || seat == SECOND);
		assert_null(done(ACTION_KILL, seat));
		assert_null(done(ACTION_TERMINATE, seat));
		if (!cancel)
			continue;
		assert_int_equal(cancel->value, CAUSE_DOWNSTREAM_GONE);
		assert_int_equal(cancel->at_ns, told_ns + GRACE_NS);
		assert_string_equal(cancel->who, "somebody");
	}
	wait_until_due();
	assert_int_equal(now_ns, told_ns + GRACE_NS);
	assert_non_null(done(ACTION_TERMINATE, FIRST));
	assert_non_null(done(ACTION_SAY_DEAF, FIRST));
	wait_until_due(); /* the same for the other one */
	assert_non_null(done(ACTION_TERMINATE, SECOND));
	wait_until_due();
	assert_int_equal(now_ns, told_ns + 2 * GRACE_NS);
	assert_non_null(done(ACTION_KILL, FIRST));
	die(FIRST, (struct death_facts){ 0 });
	assert_int_equal(life.lives[FIRST].state, SEAT_BACKOFF);
	assert_true(lifecycle_bounded(&life, SECOND));
}

static void test_a_stand_in_comes_as_soon_as_its_seat_is_empty(void **state)
{
	(void)state;
	cancel_stage(FIRST);
	leave_cancelled(FIRST);
	assert_int_equal(life.lives[SECOND].state, SEAT_STOPPING);
	wait_until_due();
	assert_non_null(done(ACTION_SPAWN, FIRST));
	assert_true(life.lives[FIRST].stands_in);
	assert_int_equal(life.stages[1].cause, CAUSE_DOWNSTREAM_GONE);
	assert_false(cancel_stage(SECOND)); /* the first cause counts */
}

static void test_what_it_says_meanwhile_makes_its_time_no_longer(void **state)
{
	uint64_t due_ns;

	(void)state;
	cancel_stage(FIRST);
	due_ns = life.lives[FIRST].due_ns;
	assert_true(about(EVENT_HELLO, FIRST) && about(EVENT_READY, FIRST) && about(EVENT_BYE, FIRST));
	assert_false(about(EVENT_BYE, FIRST));
	assert_int_equal(life.lives[FIRST].state, SEAT_STOPPING);
	assert_int_equal(life.lives[FIRST].due_ns, due_ns);
}

static void test_who_had_come_to_its_end_is_left_alone(void **state)
{
	(void)state;
	assert_true(about(EVENT_BYE, FIRST));
	cancel_stage(FIRST);
	assert_null(done(ACTION_CANCEL, FIRST));
	die(FIRST, (struct death_facts){ .exited_zero = true, .ended = true });
	assert_int_equal(life.lives[FIRST].state, SEAT_DONE);
	die(SECOND, (struct death_facts){ .exited_zero = true, .ended = true }); /* it was faster than the order */
	assert_int_equal(life.lives[SECOND].state, SEAT_DONE);
}

static void test_one_that_is_late_stays_on_the_rung_that_it_has_come_to(void **state)
{
	(void)state;
	die(FIRST, (struct death_facts){ .progressed = true });
	wait_until_due();
	assert_non_null(done(ACTION_SPAWN, FIRST));
	about(EVENT_SPAWNED, FIRST);
	wait_until_due(); /* it is not ready in time */
	assert_non_null(done(ACTION_TERMINATE, FIRST));
	cancel_stage(FIRST);
	assert_int_equal(done(ACTION_CANCEL, FIRST)->at_ns, now_ns);
	wait_until_due();
	assert_non_null(done(ACTION_KILL, FIRST));
}

static void test_a_stand_in_waits_for_no_back_off(void **state)
{
	(void)state;
	die(FIRST, (struct death_facts){ .progressed = true });
	assert_int_equal(life.lives[FIRST].state, SEAT_BACKOFF);
	cancel_stage(FIRST);
	assert_int_equal(life.lives[FIRST].due_ns, now_ns);
	wait_until_due();
	assert_non_null(done(ACTION_SPAWN, FIRST));
	assert_true(life.lives[FIRST].stands_in);
}

static void test_what_outlives_a_kill_has_failed(void **state)
{
	(void)state;
	cancel_stage(STORE);
	for (int rung = 0; rung < 3; rung++)
		wait_until_due();
	assert_non_null(done(ACTION_LEAVE_BEHIND, STORE));
	assert_int_equal(life.lives[STORE].state, SEAT_LOST);
	assert_int_equal(life.ladder.rung, RUNG_CANCEL);
}

/* ---- siblings ---- */

static void test_siblings_are_told_last_first_and_nobody_comes_back_before_all_are_down(void **state)
{
	uint32_t order[SEATS], n = 0;

	(void)state;
	die(FIRST, (struct death_facts){ .progressed = true });
	for (uint32_t i = 0; i < last.n; i++)
		if (last.actions[i].kind == ACTION_CANCEL) {
			assert_int_equal(last.actions[i].value, CAUSE_SIBLING_FAILED);
			assert_string_equal(last.actions[i].who, "work");
			order[n++] = last.actions[i].seat;
		}
	assert_int_equal(n, 3);
	assert_true(order[0] == STORE && order[1] == SECOND && order[2] == FEED);
	leave_cancelled(STORE);
	leave_cancelled(FEED);
	wait_until_due(); /* the back-offs are over, and SECOND still has something in hand */
	wait_until_due();
	wait_until_due();
	for (uint32_t seat = 0; seat < SEATS; seat++)
		assert_int_equal(life.lives[seat].state, seat == SECOND ? SEAT_STOPPING : SEAT_BACKOFF);
	leave_cancelled(SECOND);
	wait_until_due();
	for (uint32_t seat = 0; seat < SEATS; seat++)
		assert_int_equal(life.lives[seat].state, SEAT_SPAWNED);
}

static void test_everybody_cancelled_meanwhile_is_the_end_of_it(void **state)
{
	(void)state;
	die(FIRST, (struct death_facts){ .progressed = true });
	tell((struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER, .who = "somebody" });
	for (uint32_t seat = 0; seat < SEATS; seat++)
		if (seat != FIRST)
			leave_cancelled(seat);
	for (uint32_t seat = 0; seat < SEATS; seat++)
		assert_int_equal(life.lives[seat].state, seat == FIRST ? SEAT_LOST : SEAT_DONE);
}

static void assert_ending(uint32_t seat, enum rung rung, uint64_t next_ns)
{
	struct ending ending;

	assert_true(lifecycle_ending(&life, seat, &ending));
	assert_int_equal(ending.rung, rung);
	assert_int_equal(ending.next_ns, next_ns);
}

static bool is_ending(uint32_t seat)
{
	struct ending ending;

	return lifecycle_ending(&life, seat, &ending);
}

/* What people are told of it: how far it is, and when that goes on. */
static void test_the_next_rung_is_known_beforehand(void **state)
{
	(void)state;
	assert_false(is_ending(FIRST));
	assert_true(cancel_stage(FIRST));
	assert_false(is_ending(FEED) || is_ending(STORE));
	assert_ending(FIRST, RUNG_CANCEL, now_ns + GRACE_NS);
	wait_until_due();
	assert_ending(FIRST, RUNG_TERM, now_ns + GRACE_NS);
	wait_until_due(); /* SECOND's */
	wait_until_due();
	assert_ending(FIRST, RUNG_KILL, now_ns + UNKILLABLE_NS);
	leave_cancelled(FIRST);
	assert_false(is_ending(FIRST));
}

static void test_who_has_said_goodbye_is_being_ended(void **state)
{
	(void)state;
	assert_true(about(EVENT_BYE, STORE));
	assert_ending(STORE, RUNG_CANCEL, now_ns + GRACE_NS);
}

/* A drain is none yet; but what comes of it may come sooner than what a worker has of its own. */
static void test_who_ends_with_everybody(void **state)
{
	(void)state;
	assert_true(cancel_stage(FIRST));
	assert_true(tell((struct event){ .kind = EVENT_DRAIN, .deadline_ns = now_ns + 41, .who = "somebody" }));
	assert_int_equal(life.ladder.grace_ns, 10);
	assert_false(is_ending(FEED));
	assert_ending(FIRST, RUNG_CANCEL, life.ladder.deadline_ns - 10);
	assert_true(tell((struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER, .who = "somebody" }));
	assert_ending(FEED, RUNG_CANCEL, ladder_time_of(&life.ladder, RUNG_TERM));
	wait_until_due();
	assert_ending(FEED, RUNG_TERM, life.ladder.deadline_ns);
	wait_until_due();
	assert_ending(FEED, RUNG_KILL, life.ladder.deadline_ns + UNKILLABLE_NS);
	assert_ending(FIRST, RUNG_KILL, life.ladder.deadline_ns + UNKILLABLE_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_rungs_come_one_after_the_other, run, end),
		cmocka_unit_test_setup_teardown(test_a_stand_in_comes_as_soon_as_its_seat_is_empty, run, end),
		cmocka_unit_test_setup_teardown(test_what_it_says_meanwhile_makes_its_time_no_longer, run, end),
		cmocka_unit_test_setup_teardown(test_who_had_come_to_its_end_is_left_alone, run, end),
		cmocka_unit_test_setup_teardown(test_one_that_is_late_stays_on_the_rung_that_it_has_come_to, run, end),
		cmocka_unit_test_setup_teardown(test_a_stand_in_waits_for_no_back_off, run, end),
		cmocka_unit_test_setup_teardown(test_what_outlives_a_kill_has_failed, run, end),
		cmocka_unit_test_setup_teardown(
			test_siblings_are_told_last_first_and_nobody_comes_back_before_all_are_down, run_together, end),
		cmocka_unit_test_setup_teardown(test_everybody_cancelled_meanwhile_is_the_end_of_it, run_together, end),
		cmocka_unit_test_setup_teardown(test_the_next_rung_is_known_beforehand, run, end),
		cmocka_unit_test_setup_teardown(test_who_has_said_goodbye_is_being_ended, run, end),
		cmocka_unit_test_setup_teardown(test_who_ends_with_everybody, run, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
