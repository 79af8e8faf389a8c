/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/broker/lifecycle/steps.h"

#define ANSWERS_MAX 32u

struct answers {
	struct event events[ANSWERS_MAX];
	unsigned n;
};

static struct plan_stage stage_of(const char *name, enum weir_role role, uint32_t first_slot, uint32_t workers)
{
	return (struct plan_stage){ .name = (char *)(uintptr_t)name,
				    .role = role,
				    .workers = workers,
				    .first_slot = first_slot,
				    .grace_ns = STEPS_GRACE_NS,
				    .restart_intensity = 4,
				    .restart_period_ns = 30 * NS_PER_S,
				    .backoff_min_ns = STEPS_BACKOFF_NS,
				    .backoff_max_ns = 10 * STEPS_BACKOFF_NS };
}

void steps_init(struct steps *steps)
{
	*steps = (struct steps){
		.stages = { stage_of("in", WEIR_SOURCE, STEPS_IN, 1), stage_of("mid", WEIR_OPERATOR, STEPS_MID, 2),
			    stage_of("out", WEIR_SINK, STEPS_OUT, 1) },
		.edges = { { .from = STAGE_IN, .to = STAGE_MID }, { .from = STAGE_MID, .to = STAGE_OUT } },
		.slots = { { .stage = STAGE_IN },
			   { .stage = STAGE_MID },
			   { .stage = STAGE_MID, .worker_index = 1 },
			   { .stage = STAGE_OUT } },
		.now_ns = 1000 * NS_PER_S,
		.outside = NO_SEAT,
	};
	steps->plan = (struct plan){ .stages = steps->stages,
				     .n_stages = STEPS_STAGES,
				     .edges = steps->edges,
				     .n_edges = 2,
				     .slots = steps->slots,
				     .n_slots = STEPS_SEATS,
				     .drain_ns = 60 * NS_PER_S };
}

void steps_deinit(struct steps *steps)
{
	lifecycle_deinit(&steps->lifecycle);
}

static void note(struct steps *steps, const struct action *action)
{
	size_t length = strlen(steps->did);

	if (action->kind == ACTION_ARM)
		return;
	assert_true(length + 64 < sizeof(steps->did));
	length += (size_t)sprintf(steps->did + length, "%s", action_name(action->kind));
	if (action->seat != NO_SEAT)
		length += (size_t)sprintf(steps->did + length, ":%u", action->seat);
	if (action->value)
		length += (size_t)sprintf(steps->did + length, "=%d", action->value);
	strcpy(steps->did + length, " ");
}

/* What whoever performs the action says to it. */
static bool answer(const struct steps *steps, const struct action *action, struct event *ret_event)
{
	*ret_event = (struct event){ .seat = action->seat, .memory = steps->memory, .repair = steps->repair };
	switch (action->kind) {
	case ACTION_SPAWN:
		ret_event->kind = steps->no_forks ? EVENT_SPAWN_FAILED : EVENT_SPAWNED;
		return true;
	case ACTION_REPAIR:
		ret_event->kind = EVENT_REPAIRED;
		return true;
	case ACTION_EXAMINE:
		ret_event->kind = EVENT_EXAMINED;
		return true;
	case ACTION_RETIRE:
		ret_event->kind = EVENT_RETIRED;
		ret_event->done = !steps->no_retiring;
		return true;
	case ACTION_SWEEP:
		ret_event->kind = EVENT_SWEPT;
		ret_event->done = !steps->orphans;
		return true;
	case ACTION_JUDGE:
		ret_event->kind = EVENT_JUDGED;
		ret_event->seat = steps->outside;
		ret_event->done = action->value != 0;
		return true;
	case ACTION_COUNT:
		ret_event->kind = EVENT_COUNTED;
		ret_event->counted = &steps->counted;
		return true;
	default:
		return false;
	}
}

static bool step(struct steps *steps, const struct event *event, struct answers *answers)
{
	struct actions actions = lifecycle_step(&steps->lifecycle, event, steps->now_ns);

	for (uint32_t i = 0; i < actions.n; i++) {
		assert_true(answers->n < ANSWERS_MAX);
		note(steps, &actions.actions[i]);
		answers->n += answer(steps, &actions.actions[i], &answers->events[answers->n]);
	}
	return !actions.refused;
}

static void check_bounds(const struct steps *steps)
{
	for (uint32_t i = 0; i < STEPS_SEATS && !steps->lifecycle.finished; i++)
		if (!lifecycle_bounded(&steps->lifecycle, i))
			fail_msg("nothing bounds how long seat %u is '%s'", i,
				 seat_state_name(steps->lifecycle.lives[i].state));
}

bool steps_tell(struct steps *steps, struct event event)
{
	struct answers answers = { .n = 0 };
	bool taken;

	steps->now_ns++;
	steps->did[0] = '\0';
	taken = step(steps, &event, &answers);
	for (unsigned i = 0; i < answers.n; i++) {
		struct event next = answers.events[i];

		(void)step(steps, &next, &answers);
	}
	check_bounds(steps);
	return taken;
}

bool steps_tell_of(struct steps *steps, enum event_kind kind, uint32_t seat)
{
	return steps_tell(steps, (struct event){ .kind = kind, .seat = seat });
}

void steps_start(struct steps *steps)
{
	assert_int_equal(lifecycle_init(&steps->lifecycle, &steps->plan, 0), 0);
	assert_true(steps_tell_of(steps, EVENT_START, 0));
}

void steps_sit_down(struct steps *steps, uint32_t seat)
{
	assert_true(steps_tell_of(steps, EVENT_HELLO, seat));
	assert_true(steps_tell_of(steps, EVENT_READY, seat));
}

void steps_run(struct steps *steps)
{
	steps_start(steps);
	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		steps_sit_down(steps, i);
	assert_int_equal(steps->lifecycle.state, PIPELINE_RUNNING);
}

void steps_exit(struct steps *steps, uint32_t seat, struct death_facts death)
{
	assert_true(steps_tell(steps, (struct event){ .kind = EVENT_EXITED, .seat = seat, .death = death }));
}

void steps_crash(struct steps *steps, uint32_t seat)
{
	steps_exit(steps, seat, (struct death_facts){ 0 });
}

void steps_finish(struct steps *steps, uint32_t seat)
{
	assert_true(steps_tell_of(steps, EVENT_BYE, seat));
	steps_exit(steps, seat, (struct death_facts){ .exited_zero = true, .ended = true });
}

void steps_wait(struct steps *steps)
{
	uint64_t due_ns = lifecycle_due_ns(&steps->lifecycle);

	assert_true(due_ns != 0);
	if (due_ns > steps->now_ns)
		steps->now_ns = due_ns - 1; /* telling adds one */
	assert_true(steps_tell_of(steps, EVENT_TIME, 0));
}

unsigned steps_count(const struct steps *steps, const char *what)
{
	size_t length = strlen(what);
	unsigned n = 0;

	for (const char *at = steps->did; (at = strstr(at, what)); at += length)
		n += (at == steps->did || at[-1] == ' ') &&
		     (at[length] == ' ' || at[length] == ':' || at[length] == '=');
	return n;
}

const char *steps_stopping(const struct steps *steps)
{
	static char seats[STEPS_SEATS * 2 + 1];
	size_t length = 0;

	for (uint32_t i = 0; i < STEPS_SEATS; i++)
		if (steps->lifecycle.lives[i].state == SEAT_STOPPING)
			length += (size_t)sprintf(seats + length, "%u ", i);
	seats[length] = '\0';
	return seats;
}

bool steps_did(const struct steps *steps, const char *what)
{
	return steps_count(steps, what) > 0;
}
