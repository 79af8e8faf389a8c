/* SPDX-License-Identifier: Apache-2.0 */
/* mid has seats 1 and 2, and the second rests at first. tests/simulate does the same with random pipelines, faults and times. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/broker/lifecycle/steps.h"

static uint32_t edge_in[1] = { 0 }, edge_out[1] = { 1 };

static void begin_with(struct steps *steps, enum heritage_balance balance)
{
	steps_init(steps);
	steps->stages[STAGE_MID].workers_resting = 1;
	steps->stages[STAGE_MID].workers_min = 1;
	steps->stages[STAGE_MID].balance = balance;
	steps->stages[STAGE_MID].inputs = edge_in;
	steps->stages[STAGE_MID].n_inputs = 1;
	steps->stages[STAGE_OUT].inputs = edge_out;
	steps->stages[STAGE_OUT].n_inputs = 1;
	steps->stages[STAGE_IN].unscalable = "a source has one worker";
	steps->memory.idle = true;
	steps_start(steps);
	assert_true(steps_did(steps, "deal:2=1"));
	steps_sit_down(steps, STEPS_IN);
	steps_sit_down(steps, STEPS_MID);
	steps_sit_down(steps, STEPS_OUT);
	assert_int_equal(steps->lifecycle.state, PIPELINE_RUNNING);
	assert_int_equal(steps->lifecycle.lives[STEPS_MID_TOO].state, SEAT_RESTING);
}

static void begin(struct steps *steps)
{
	begin_with(steps, HERITAGE_LEAST_LOADED);
}

static bool scale(struct steps *steps, uint32_t n)
{
	return steps_tell(steps, (struct event){ .kind = EVENT_SCALE, .seat = STEPS_MID, .n_workers = n });
}

/* The next look is due, and this is what is seen. */
static void look(struct steps *steps, struct scale_facts facts)
{
	steps_wait(steps);
	assert_true(steps_did(steps, "look:1"));
	steps_tell(steps, (struct event){ .kind = EVENT_LOOKED, .seat = STEPS_MID, .scale = facts });
}

static enum dealing dealing(const struct steps *steps, uint32_t seat)
{
	return steps->lifecycle.lives[seat].dealing;
}

static void grow(struct steps *steps)
{
	assert_true(scale(steps, 2));
	assert_true(steps_did(steps, "spawn:2"));
	assert_false(steps_did(steps, "deal:2"));
	steps_sit_down(steps, STEPS_MID_TOO);
}

static const struct scale_facts seen = { .dealt = true }, idle = { .dealt = true, .idle = 3 },
				empty = { .dealt = true, .empty = true, .idle = 3 };

static void leave(struct steps *steps, uint32_t seat)
{
	steps_exit(steps, seat, (struct death_facts){ .exited_zero = true, .ended = true, .cancelled = true });
}

static void test_it_grows_when_the_new_one_is_ready(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	grow(&steps);
	assert_true(steps_did(&steps, "deal:2"));
	assert_true(steps_did(&steps, "announce:1"));
	assert_true(steps_did(&steps, "say-scaled:1=2"));
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_READY);
	steps_deinit(&steps);
}

static void test_it_shrinks_when_all_is_done(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	grow(&steps);
	assert_true(scale(&steps, 1));
	assert_true(steps_did(&steps, "deal:2=1"));
	look(&steps, (struct scale_facts){ .idle = 3 }); /* idle, but somebody may still deal to it */
	assert_false(steps_did(&steps, "cancel:2"));
	look(&steps, seen); /* nobody does, and it has something to do */
	assert_false(steps_did(&steps, "cancel:2"));
	look(&steps, idle);
	assert_true(steps_did(&steps, "cancel:2"));
	assert_false(steps_did(&steps, "cancel:1"));
	leave(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "say-rests:2"));
	assert_true(steps_did(&steps, "say-scaled:1=1"));
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_RESTING);
	grow(&steps); /* and comes back as another generation */
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].generation, 1);
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].restarts, 0);
	steps_deinit(&steps);
}

static void test_who_is_killed_on_the_way_comes_back(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	grow(&steps);
	assert_true(scale(&steps, 1));
	look(&steps, seen);
	steps_crash(&steps, STEPS_MID_TOO);
	assert_true(steps_did(&steps, "repair:2"));
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state,
			 SEAT_BACKOFF); /* what he had begun lies in no lane */
	while (!steps_did(&steps, "spawn:2"))
		steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID_TOO);
	look(&steps, idle);
	assert_true(steps_did(&steps, "cancel:2"));
	steps.memory.idle = false; /* against all that was seen: it is believed */
	leave(&steps, STEPS_MID_TOO);
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_BACKOFF);
	steps_deinit(&steps);
}

static void test_the_newest_order_counts(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	grow(&steps);
	assert_true(scale(&steps, 1));
	assert_true(scale(&steps, 2));
	assert_true(steps_did(&steps, "deal:2"));
	assert_true(steps_did(&steps, "say-scaled:1=2"));
	assert_true(scale(&steps, 1));
	look(&steps, idle);
	assert_true(scale(&steps, 2)); /* too late: it goes, and comes back */
	leave(&steps, STEPS_MID_TOO);
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_BACKOFF);
	steps_deinit(&steps);
}

static void test_by_key_the_edge_is_held(void **state)
{
	struct steps steps;

	(void)state;
	begin_with(&steps, HERITAGE_BALANCE_KEY);
	grow(&steps);
	assert_true(steps_did(&steps, "deal:1=2"));
	assert_true(steps_did(&steps, "deal:2=2"));
	look(&steps, (struct scale_facts){ .empty = true });
	assert_false(steps_did(&steps, "deal"));
	look(&steps, idle);
	assert_false(steps_did(&steps, "deal"));
	look(&steps, empty);
	assert_int_equal(dealing(&steps, STEPS_MID), DEALING_DEALT);
	assert_int_equal(dealing(&steps, STEPS_MID_TOO), DEALING_DEALT);
	assert_true(steps_did(&steps, "say-scaled:1=2"));
	assert_true(scale(&steps, 1));
	assert_true(steps_did(&steps, "deal:1=2"));
	look(&steps, empty);
	assert_int_equal(dealing(&steps, STEPS_MID), DEALING_DEALT);
	assert_true(steps_did(&steps, "deal:2=1"));
	look(&steps, idle);
	assert_true(steps_did(&steps, "cancel:2"));
	steps_deinit(&steps);
}

static void test_a_hold_has_an_end(void **state)
{
	struct steps steps;
	uint64_t begun_ns;

	(void)state;
	begin_with(&steps, HERITAGE_BALANCE_KEY);
	grow(&steps);
	begun_ns = steps.now_ns;
	while (!steps_did(&steps, "say-not-scaled:1=1"))
		look(&steps, seen);
	assert_in_range(steps.now_ns - begun_ns, SCALE_HOLD_NS, SCALE_HOLD_NS + NS_PER_S);
	assert_int_equal(dealing(&steps, STEPS_MID), DEALING_DEALT);
	assert_true(steps_did(&steps, "deal:2=1"));
	look(&steps, idle);
	leave(&steps, STEPS_MID_TOO);
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_RESTING);
	assert_int_equal(steps.lifecycle.stages[STAGE_MID].wanted, 1);
	steps_deinit(&steps);
}

static void test_a_stage_that_can_not_grow_goes_on(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	assert_true(scale(&steps, 2));
	steps_crash(&steps, STEPS_MID_TOO);
	for (unsigned i = 0; i < 4; i++) { /* as often as the intensity says */
		assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_BACKOFF);
		steps_wait(&steps);
		steps_crash(&steps, STEPS_MID_TOO);
	}
	assert_true(steps_did(&steps, "say-not-grown:2"));
	assert_true(steps_did(&steps, "say-scaled:1=1"));
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_RESTING);
	assert_int_equal(steps.lifecycle.state, PIPELINE_RUNNING);
	assert_int_equal(steps.lifecycle.stages[STAGE_MID].history.n, 0); /* no death of a stage that works */
	steps_deinit(&steps);
}

static void test_who_rests_ends_with_those_who_dealt(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	steps_finish(&steps, STEPS_IN);
	assert_true(steps_did(&steps, "close:2"));
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_DONE);
	steps_finish(&steps, STEPS_MID);
	steps_finish(&steps, STEPS_OUT);
	assert_true(steps.lifecycle.finished);
	assert_int_equal(steps.lifecycle.exit_code, 0);
	steps_deinit(&steps);
}

static void test_refusals(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	assert_int_equal(lifecycle_scale_refusal(&steps.lifecycle, STEPS_IN, 1), SCALE_FIXED);
	assert_int_equal(lifecycle_scale_refusal(&steps.lifecycle, STEPS_MID, 0), SCALE_TOO_FEW);
	assert_int_equal(lifecycle_scale_refusal(&steps.lifecycle, STEPS_MID, 3), SCALE_TOO_MANY);
	assert_false(scale(&steps, 3));
	assert_string_equal(steps.did, "");
	steps_tell_of(&steps, EVENT_DRAIN, 0);
	assert_int_equal(lifecycle_scale_refusal(&steps.lifecycle, STEPS_MID, 2), SCALE_ENDING);
	assert_false(scale(&steps, 2));
	steps_deinit(&steps);
}

static bool reload(struct steps *steps)
{
	static const bool changed[STEPS_STAGES] = { [STAGE_MID] = true };

	return steps_tell(
		steps,
		(struct event){ .kind = EVENT_RELOAD, .changed = changed, .terms = { .probation_ns = NS_PER_S } });
}

static void test_a_reload_and_a_change_are_not_at_once(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	assert_true(scale(&steps, 2));
	assert_false(reload(&steps));
	steps_sit_down(&steps, STEPS_MID_TOO);
	assert_true(reload(&steps));
	assert_int_equal(lifecycle_scale_refusal(&steps.lifecycle, STEPS_MID, 1), SCALE_RELOADING);
	assert_false(scale(&steps, 1));
	assert_true(steps_tell_of(&steps, EVENT_RELOAD_ABANDONED, 0));
	assert_true(scale(&steps, 1));
	steps_deinit(&steps);
}

static void test_a_reload_leaves_who_rests_alone(void **state)
{
	struct steps steps;

	(void)state;
	begin(&steps);
	assert_true(reload(&steps));
	assert_true(steps_did(&steps, "rehearse:1"));
	assert_false(steps_did(&steps, "rehearse:2"));
	assert_true(steps_tell_of(&steps, EVENT_AT_GATE, STEPS_MID));
	assert_true(steps_did(&steps, "exchange"));
	leave(&steps, STEPS_MID);
	while (steps.lifecycle.lives[STEPS_MID].state == SEAT_BACKOFF)
		steps_wait(&steps);
	steps_sit_down(&steps, STEPS_MID);
	assert_int_equal(steps.lifecycle.reload.state, RELOAD_PROBATION); /* it is not waited for */
	assert_int_equal(steps.lifecycle.lives[STEPS_MID_TOO].state, SEAT_RESTING);
	assert_int_equal(scale_open(&steps.lifecycle.stages[STAGE_MID]), 1);
	steps_wait(&steps);
	assert_int_equal(steps.lifecycle.reload.state, RELOAD_NONE);
	grow(&steps);
	assert_true(steps_did(&steps, "deal:2"));
	steps_deinit(&steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_grows_when_the_new_one_is_ready),
		cmocka_unit_test(test_it_shrinks_when_all_is_done),
		cmocka_unit_test(test_who_is_killed_on_the_way_comes_back),
		cmocka_unit_test(test_the_newest_order_counts),
		cmocka_unit_test(test_by_key_the_edge_is_held),
		cmocka_unit_test(test_a_hold_has_an_end),
		cmocka_unit_test(test_a_stage_that_can_not_grow_goes_on),
		cmocka_unit_test(test_who_rests_ends_with_those_who_dealt),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_a_reload_and_a_change_are_not_at_once),
		cmocka_unit_test(test_a_reload_leaves_who_rests_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
