/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "broker/lifecycle/verdict.h"
#include "tests/simulate/planted.h"
#undef pipeline_next
#undef restart_allowed
#undef verdict_of
#undef ladder_due
#include "tests/simulate/world.h"

uint32_t planted_now;
static bool overrun_there; /* the event is about a seat whose worker is ended for an overrun */
static bool kept[SEATS_MAX];
static uint32_t kept_resuming;

const char *planted_name(uint32_t planted)
{
	static const char *const names[] = {
		"nothing",
#define PLANTED(id_, name_, summary_) name_,
#include "tests/simulate/planted.def"
#undef PLANTED
	};

	return planted < PLANTED_COUNT ? names[planted] : "?";
}

bool planted_pipeline_next(enum pipeline_state state, enum pipeline_event event, uint32_t holding,
			   enum pipeline_state *ret_next)
{
	if (planted_now == PLANTED_STOPPED_WITHOUT_GUARD && event == PIPELINE_EVENT_ALL_ENDED)
		holding = 1u << PIPELINE_GUARD_ALL_CONFIRMED;
	return pipeline_next(state, event, holding, ret_next);
}

bool planted_restart_allowed(struct restart_history *history, const struct restart_policy *policy, uint64_t now_ns,
			     bool progressed)
{
	if (planted_now == PLANTED_OVERRUN_COUNTS && overrun_there)
		progressed = false;
	return restart_allowed(history, policy, now_ns, progressed || planted_now == PLANTED_ENDLESS_RESTARTS);
}

enum verdict planted_verdict_of(const struct verdict_facts *facts)
{
	struct verdict_facts seen = *facts;

	if (planted_now == PLANTED_EXIT_ZERO_IS_AN_END && seen.exited_zero && !seen.restarts_off)
		seen.ended = true;
	if (planted_now == PLANTED_TEMPORARY_COMES_BACK && seen.type == PLAN_TEMPORARY)
		seen.type = PLAN_TRANSIENT;
	if (planted_now == PLANTED_OVERRUN_IS_BELIEVED)
		seen.overrun = false;
	if (planted_now == PLANTED_CANCELLED_IS_AN_END)
		seen.cancelled = false;
	return verdict_of(&seen);
}

enum rung planted_ladder_due(const struct ladder *ladder, uint64_t now_ns)
{
	enum rung due = ladder_due(ladder, now_ns);

	return planted_now == PLANTED_LADDER_STOPS_AT_TERM && due == RUNG_KILL ? RUNG_TERM : due;
}

static bool no_repair(struct world *world, const struct action *action)
{
	if (action->kind == ACTION_REPAIR)
		world->answers[world->n_answers++] = (struct event){ .kind = EVENT_REPAIRED, .seat = action->seat };
	return action->kind != ACTION_REPAIR;
}

static bool is_cancel_for_overrun(const struct action *action)
{
	return action->kind == ACTION_CANCEL && action->value == (int)CAUSE_ITEM_DEADLINE;
}

bool planted_action(struct world *world, struct action *action)
{
	switch (planted_now) {
	case PLANTED_NO_REPAIR:
		return no_repair(world, action);
	case PLANTED_OVERRUN_IS_NOT_REPAIRED:
		return action->kind != ACTION_REPAIR || !overrun_there ||
		       !world->lifecycle.lives[action->seat].death.exited_zero || no_repair(world, action);
	case PLANTED_OVERRUN_IS_NOT_TOLD:
		return !is_cancel_for_overrun(action);
	case PLANTED_OVERRUN_HAS_NO_GRACE:
		if (is_cancel_for_overrun(action))
			action->kind = ACTION_TERMINATE;
		return true;
	case PLANTED_OVERRUN_BLAMES_THE_NEXT:
		return action->kind != ACTION_SAY_OVERRUN;
	case PLANTED_NO_RING:
		return action->kind != ACTION_RING;
	case PLANTED_NO_ARM:
		return action->kind != ACTION_ARM;
	case PLANTED_SIGNAL_TO_THE_DEAD:
		if (action->kind == ACTION_LOSE)
			action->kind = ACTION_TERMINATE;
		return true;
	case PLANTED_CANCEL_IS_A_KILL:
		if (action->kind == ACTION_CANCEL)
			action->kind = ACTION_KILL;
		return true;
	case PLANTED_ONE_IS_NEVER_KILLED:
		return action->kind != ACTION_KILL || world->lifecycle.lives[action->seat].state != SEAT_STOPPING;
	case PLANTED_NO_STAND_IN:
		if (action->kind == ACTION_SPAWN)
			world->lifecycle.lives[action->seat].stands_in = false;
		return true;
	case PLANTED_RELOAD_IS_NOT_TAKEN_BACK:
		return action->kind != ACTION_EXCHANGE || action->value == 0;
	case PLANTED_NEWCOMERS_ARE_LEFT:
		return action->kind != ACTION_DISMISS;
	case PLANTED_CLOSED_IS_NOT_SAID:
		return action->kind != ACTION_ANNOUNCE;
	case PLANTED_RESTING_LANES_STAY_OPEN:
		return action->kind != ACTION_CLOSE;
	case PLANTED_HOLD_WITHOUT_END:
		return action->kind != ACTION_DEAL || action->value == (int)DEALING_HELD ||
		       world->dealings[action->seat] != DEALING_HELD;
	case PLANTED_RESUME_NOT_ROLLED_BACK:
		return action->kind != ACTION_ORDER || action->value != (int)RUNG_DRAIN || world->order != BOARD_RUN ||
		       !world->lifecycle.started_ns || world->n_resumes == 0;
	default:
		return true;
	}
}

/* What is taken away for one step only. */
static void hide(struct world *world, const struct event *event)
{
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		struct life *life = &world->lifecycle.lives[i];

		if (planted_now == PLANTED_OVERRUN_HAS_TWO_GRACES && event->kind == EVENT_TIME) {
			kept[i] = life->overrun && seat_state_alive(life->state);
			life->overrun = life->overrun && !kept[i];
		} else if (planted_now == PLANTED_OVERRUN_IS_OVERLOOKED && event->kind == EVENT_OVERRUN) {
			kept[i] = !life->stands_in;
			life->stands_in = true;
		}
	}
}

static void show_again(struct world *world)
{
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		struct life *life = &world->lifecycle.lives[i];

		if (kept[i] && planted_now == PLANTED_OVERRUN_HAS_TWO_GRACES)
			life->overrun = true;
		else if (kept[i])
			life->stands_in = false;
		kept[i] = false;
	}
}

/* What memory is said to say. Events are the world's own, and none is const. */
static void lie(struct world *world, struct event *event)
{
	for (uint32_t i = 0; planted_now == PLANTED_RESTS_BEFORE_IT_IS_SEEN && event->kind == EVENT_LOOKED &&
			     i < world->stages[world->slots[event->seat].stage].workers;
	     i++) {
		event->scale.dealt = true;
		if (worker_is_idle(world, event->seat + i))
			event->scale.idle |= UINT64_C(1) << i;
	}
	if (planted_now == PLANTED_DISMISSED_WITH_WORK && event->kind == EVENT_LOOKED)
		event->scale.idle = UINT64_MAX;
	if (planted_now == PLANTED_DISMISSED_WITH_WORK && event->kind == EVENT_EXAMINED)
		event->memory.idle = true;
	if (planted_now == PLANTED_HOLD_IS_NOT_AWAITED && event->kind == EVENT_LOOKED)
		event->scale.empty = true;
}

void planted_before_step(struct world *world, const struct event *event)
{
	lie(world, (struct event *)(uintptr_t)event);
	overrun_there = event->seat < world->plan.n_slots && world->lifecycle.lives[event->seat].overrun;
	hide(world, event);
	kept_resuming = world->lifecycle.resuming;
	if (planted_now == PLANTED_RESUMED_OVER_A_CANCEL && event->kind == EVENT_CANCEL_STAGE)
		world->lifecycle.resuming = RESUME_NOT;
	else
		kept_resuming = RESUME_NOT;
	if (planted_now == PLANTED_KILL_IS_TAKEN_BACK && event->kind == EVENT_READY &&
	    world->lifecycle.lives[event->seat].state == SEAT_OPENING)
		world->lifecycle.lives[event->seat].told = TOLD_NOTHING;
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		struct life *life = &world->lifecycle.lives[i];

		if (planted_now == PLANTED_RELOAD_DOES_NOT_WAIT && event->kind == EVENT_AT_GATE)
			life->at_gate = life->newcomer;
		if (planted_now == PLANTED_FAILED_NEWCOMER_IS_RESTARTED && event->kind == EVENT_EXITED)
			life->renewed = false;
	}
	if (planted_now == PLANTED_RESUMED_OVER_AN_END && (event->kind == EVENT_BYE || event->kind == EVENT_EXITED))
		world->lifecycle.lives[event->seat].awaited = false;
	if (planted_now == PLANTED_NO_WAITING_FOR_SIBLINGS)
		world->lifecycle.n_stopping = 0;
}

void planted_after_step(struct world *world)
{
	show_again(world);
	if (kept_resuming == RESUME_ASKED || kept_resuming == RESUME_TOLD)
		world->lifecycle.resuming = kept_resuming;
	kept_resuming = RESUME_NOT;
	if (planted_now == PLANTED_NO_WAITING_FOR_SIBLINGS)
		world->lifecycle.n_stopping = 0;
	if (planted_now == PLANTED_RELOAD_HITS_OTHERS && world->lifecycle.reload.state == RELOAD_PREPARING)
		world->lifecycle.stages[0].reloads = true;
	if (planted_now == PLANTED_PROBATION_HAS_NO_END && world->lifecycle.reload.state == RELOAD_PROBATION)
		world->lifecycle.reload.due_ns = world->now_ns + NS_PER_S;
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		struct life *life = &world->lifecycle.lives[i];

		if (planted_now == PLANTED_NO_WAITING_FOR_SIBLINGS)
			world->lifecycle.n_stopping += life->state == SEAT_STOPPING && life->together;
		if (planted_now == PLANTED_GOODBYE_ENDS_THE_LADDER && life->state == SEAT_STOPPING && life->goodbye)
			life->due_ns = 0;
		if (planted_now == PLANTED_LOST_BACKOFF && life->state == SEAT_BACKOFF)
			life->due_ns = 0;
	}
}
