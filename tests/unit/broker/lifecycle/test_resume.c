/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a drain back, step by step: one source with two workers, one sink. tests/simulate drives it through everything else. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broker/lifecycle/lifecycle.h"

#define SEATS 3u

static struct lifecycle life;
static uint64_t now_ns;
static unsigned n_rests, n_orders;

static bool tell(struct event event)
{
	struct actions actions = lifecycle_step(&life, &event, ++now_ns);

	for (uint32_t i = 0; i < actions.n; i++) {
		n_rests += actions.actions[i].kind == ACTION_REST;
		n_orders += actions.actions[i].kind == ACTION_ORDER;
	}
	return !actions.refused;
}

static bool about(enum event_kind kind, uint32_t seat)
{
	return tell((struct event){ .kind = kind, .seat = seat });
}

static bool acknowledge(uint32_t seat, bool runs)
{
	return tell((struct event){ .kind = EVENT_ACKNOWLEDGED, .seat = seat, .runs = runs });
}

static int begin(void **state)
{
	static struct plan_stage stages[] = {
		{ .name = (char *)(uintptr_t) "in", .role = WEIR_SOURCE, .workers = 2, .grace_ns = 1000 },
		{ .name = (char *)(uintptr_t) "out",
		  .role = WEIR_SINK,
		  .workers = 1,
		  .grace_ns = 1000,
		  .first_slot = 2 },
	};
	static struct plan_slot slots[SEATS] = { { .stage = 0 }, { .stage = 0, .worker_index = 1 }, { .stage = 1 } };
	static const struct plan plan = {
		.stages = stages, .slots = slots, .n_stages = 2, .n_slots = SEATS, .drain_ns = 60 * NS_PER_S
	};

	(void)state;
	now_ns = NS_PER_S;
	n_rests = n_orders = 0;
	assert_int_equal(lifecycle_init(&life, &plan, 0), 0);
	about(EVENT_START, 0);
	for (uint32_t i = 0; i < SEATS; i++)
		about(EVENT_SPAWNED, i);
	return 0;
}

static int run(void **state)
{
	begin(state);
	for (uint32_t i = 0; i < SEATS; i++)
		assert_true(about(EVENT_HELLO, i) && about(EVENT_READY, i));
	assert_int_equal(life.state, PIPELINE_RUNNING);
	return 0;
}

static int drain(void **state)
{
	run(state);
	assert_true(about(EVENT_DRAIN, 0));
	assert_int_equal(life.state, PIPELINE_DRAINING);
	n_orders = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	lifecycle_deinit(&life);
	return 0;
}

static void test_it_runs_when_every_source_has_heard_both_orders(void **state)
{
	(void)state;
	acknowledge(0, false);
	assert_true(about(EVENT_RESUME, 0));
	assert_int_equal(lifecycle_resume_refusal(&life), RESUME_UNDER_WAY);
	assert_int_equal(n_rests, 0);
	acknowledge(1, true); /* of the start: it is no answer */
	assert_int_equal(n_rests, 0);
	acknowledge(1, false);
	assert_int_equal(n_rests, 1);
	acknowledge(0, true);
	assert_int_equal(life.state, PIPELINE_DRAINING);
	acknowledge(1, true);
	assert_int_equal(life.state, PIPELINE_RUNNING);
	assert_int_equal(life.ladder.rung, RUNG_NONE);
	assert_int_equal(lifecycle_due_ns(&life), 0);
	assert_true(about(EVENT_DRAIN, 0)); /* and again */
	assert_int_equal(life.state, PIPELINE_DRAINING);
}

static void test_a_source_that_says_goodbye_rolls_it_back(void **state)
{
	(void)state;
	acknowledge(0, false);
	acknowledge(1, false);
	assert_true(about(EVENT_RESUME, 0));
	acknowledge(0, true);
	assert_true(about(EVENT_BYE, 1));
	assert_int_equal(life.state, PIPELINE_DRAINING);
	assert_int_equal(n_orders, 1); /* to drain, again */
	assert_false(about(EVENT_RESUME, 0));
}

static void test_silence_rolls_it_back_and_costs_the_drain_nothing(void **state)
{
	uint64_t deadline_ns = life.ladder.deadline_ns;

	(void)state;
	acknowledge(0, false);
	acknowledge(1, false);
	assert_true(about(EVENT_RESUME, 0));
	assert_in_range(lifecycle_due_ns(&life), now_ns, now_ns + RESUME_WAIT_NS);
	now_ns += RESUME_WAIT_NS;
	about(EVENT_TIME, 0);
	assert_int_equal(life.state, PIPELINE_DRAINING);
	assert_int_equal(n_orders, 1);
	assert_int_equal(lifecycle_resume_refusal(&life), RESUME_TRIED);
	assert_true(life.ladder.deadline_ns == deadline_ns);
}

static void test_a_cancel_meanwhile_counts(void **state)
{
	(void)state;
	acknowledge(0, false);
	acknowledge(1, false);
	assert_true(about(EVENT_RESUME, 0));
	assert_true(tell((struct event){ .kind = EVENT_CANCEL, .cause = CAUSE_USER }));
	acknowledge(0, true);
	acknowledge(1, true);
	assert_int_equal(life.state, PIPELINE_DRAINING);
	assert_int_equal(lifecycle_resume_refusal(&life), RESUME_TOO_LATE);
}

/* It would run, with a stand-in for a source, of a pipeline that is not to be taken back because a stage has failed. */
static void test_the_cancel_of_a_stage_rolls_it_back(void **state)
{
	for (uint32_t seat = 0; seat < SEATS; seat++)
		for (int told = 0; told < 2; told++) {
			end(state);
			drain(state);
			acknowledge(0, false);
			if (told)
				acknowledge(1, false);
			assert_true(about(EVENT_RESUME, 0));
			assert_int_equal(n_rests, told);
			assert_true(tell((struct event){
				.kind = EVENT_CANCEL_STAGE, .seat = seat, .cause = CAUSE_USER, .who = "somebody" }));
			assert_int_equal(lifecycle_resume_refusal(&life), RESUME_FAILED);
			assert_int_equal(n_orders, told); /* to drain, again: or it was never told anything else */
			acknowledge(1, false);
			acknowledge(0, true);
			acknowledge(1, true);
			assert_int_equal(life.state, PIPELINE_DRAINING);
			assert_int_equal(life.ladder.rung, RUNG_DRAIN);
			assert_int_equal(n_rests, told);
		}
}

static const struct death_facts told_to_go = { .exited_zero = true, .ended = true, .cancelled = true };

/* Not even through its stand-in, which reads the board. */
static void test_a_cancelled_source_does_not_go_on_as_its_stand_in(void **state)
{
	(void)state;
	acknowledge(0, false);
	acknowledge(1, false);
	assert_true(about(EVENT_RESUME, 0));
	assert_true(tell((struct event){ .kind = EVENT_CANCEL_STAGE, .seat = 0, .cause = CAUSE_USER, .who = "s" }));
	for (uint32_t seat = 0; seat < 2; seat++) {
		about(EVENT_BYE, seat);
		tell((struct event){ .kind = EVENT_EXITED, .seat = seat, .death = told_to_go });
		tell((struct event){ .kind = EVENT_REPAIRED, .seat = seat });
		tell((struct event){ .kind = EVENT_EXAMINED, .seat = seat });
	}
	assert_int_equal(life.state, PIPELINE_DRAINING);
	assert_true(lifecycle_due_ns(&life) != 0);
}

static void test_while_it_runs_there_is_nothing_to_take_back(void **state)
{
	(void)state;
	assert_int_equal(lifecycle_resume_refusal(&life), RESUME_NOT_DRAINING);
	assert_false(about(EVENT_RESUME, 0));
	assert_int_equal(life.state, PIPELINE_RUNNING);
}

static void test_before_it_ran_and_after_a_source_has_ended(void **state)
{
	(void)state;
	assert_true(about(EVENT_DRAIN, 0));
	assert_int_equal(lifecycle_resume_refusal(&life), RESUME_NEVER_RAN);
	end(state);
	drain(state);
	assert_true(about(EVENT_BYE, 0));
	assert_int_equal(lifecycle_resume_refusal(&life), RESUME_SOURCE_ENDED);
	for (int i = 0; i < RESUME_REFUSAL_COUNT; i++)
		assert_true(resume_refusal_sentence((enum resume_refusal)i)[0] != '\0');
}

/* What began with a signal is over with the drain: the next signal is a first one again. */
static void test_a_signal_is_forgotten_with_the_drain_that_it_began(void **state)
{
	(void)state;
	assert_true(tell((struct event){ .kind = EVENT_SIGNAL, .signal_number = 2 }));
	acknowledge(0, false);
	acknowledge(1, false);
	assert_true(about(EVENT_RESUME, 0));
	acknowledge(0, true);
	acknowledge(1, true);
	assert_int_equal(life.state, PIPELINE_RUNNING);
	assert_int_equal(life.outcome.signal_number, 0);
	assert_true(about(EVENT_DRAIN, 0));
	assert_true(tell((struct event){ .kind = EVENT_SIGNAL, .signal_number = 15 }));
	assert_int_equal(life.ladder.rung, RUNG_DRAIN);
	assert_int_equal(life.outcome.signal_number, 0);
}

/* One has died meanwhile: it goes on if its stream is open, for its next generation reads the board. */
static void test_a_source_that_is_dead_is_asked_through_its_memory(void **state)
{
	const struct death_facts crash = { .exited_one = true, .progressed = true };

	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		if (closed) {
			end(state);
			drain(state);
		}
		acknowledge(0, false);
		assert_true(tell((struct event){ .kind = EVENT_EXITED, .seat = 1, .death = crash }));
		tell((struct event){ .kind = EVENT_REPAIRED, .seat = 1 }); /* now its goodbye is waited for */
		assert_true(about(EVENT_RESUME, 0));
		assert_int_equal(n_rests, 0);
		now_ns += LAST_WORDS_WAIT_NS;
		about(EVENT_TIME, 0);
		tell((struct event){ .kind = EVENT_EXAMINED, .seat = 1, .memory = { .closed = closed } });
		assert_int_equal(n_rests, !closed);
		assert_int_equal(lifecycle_resume_refusal(&life), closed ? RESUME_TRIED : RESUME_UNDER_WAY);
	}
}

static void test_after_a_failure_nothing_is_taken_back(void **state)
{
	const struct death_facts death = { .exited_one = true };

	(void)state;
	assert_true(tell((struct event){ .kind = EVENT_BYE, .seat = 0, .failed = true }));
	tell((struct event){ .kind = EVENT_EXITED, .seat = 0, .death = death });
	tell((struct event){ .kind = EVENT_REPAIRED, .seat = 0 });
	tell((struct event){ .kind = EVENT_EXAMINED, .seat = 0, .memory = { .closed = true } });
	assert_int_equal(life.ladder.rung, RUNG_DRAIN); /* what it gave is finished */
	assert_int_equal(lifecycle_resume_refusal(&life), RESUME_FAILED);
	assert_false(about(EVENT_RESUME, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_runs_when_every_source_has_heard_both_orders, drain, end),
		cmocka_unit_test_setup_teardown(test_a_source_that_says_goodbye_rolls_it_back, drain, end),
		cmocka_unit_test_setup_teardown(test_silence_rolls_it_back_and_costs_the_drain_nothing, drain, end),
		cmocka_unit_test_setup_teardown(test_a_cancel_meanwhile_counts, drain, end),
		cmocka_unit_test_setup_teardown(test_the_cancel_of_a_stage_rolls_it_back, drain, end),
		cmocka_unit_test_setup_teardown(test_a_cancelled_source_does_not_go_on_as_its_stand_in, drain, end),
		cmocka_unit_test_setup_teardown(test_while_it_runs_there_is_nothing_to_take_back, run, end),
		cmocka_unit_test_setup_teardown(test_before_it_ran_and_after_a_source_has_ended, begin, end),
		cmocka_unit_test_setup_teardown(test_a_signal_is_forgotten_with_the_drain_that_it_began, run, end),
		cmocka_unit_test_setup_teardown(test_a_source_that_is_dead_is_asked_through_its_memory, drain, end),
		cmocka_unit_test_setup_teardown(test_after_a_failure_nothing_is_taken_back, run, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
