/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start: one seat after the other, so that a machine which can't give more says so once. Nothing has been accepted yet, so
 * what it can't give ends the start, and is not tried again and again. Later generations are spawned here, too.
 */
#include "broker/lifecycle/lifecycle_priv.h"

/* All of them have one deadline then. */
static bool is_bounded_by_start(const struct lifecycle *lifecycle)
{
	return lifecycle->state == PIPELINE_STARTING && !lifecycle->goes_on;
}

void life_spawn(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	life->hung = life->was_ready = life->died = life->stopped = life->overrun = life->heard_drain =
		life->dismissed = false;
	life->goodbye = life->goodbye_failed = life->goodbye_blames_spec = false;
	life->death = (struct death_facts){ 0 };
	life->told = TOLD_NOTHING;
	life->stands_in = lifecycle->stages[life->stage].abandoned;
	life->makes_room = false;
	life->renewed = reload_renews(lifecycle, life);
	life->due_ns = is_bounded_by_start(lifecycle) ?
			       0 :
			       now_ns + (life->renewed ? reload_opening_ns(lifecycle) : lifecycle->start_timeout_ns);
	if (life->renewed) /* else who waits at the gate is not for this generation */
		life->newcomer = life->at_gate = false;
	resume_spawned(lifecycle, life);
	life_must_move(lifecycle, life, SEAT_EVENT_SPAWN);
	act(lifecycle, ACTION_SPAWN, life);
}

static void spawn_next(struct lifecycle *lifecycle, uint64_t now_ns)
{
	while (lifecycle->n_spawned < lifecycle->plan->n_slots && !lifecycle->restarts_off &&
	       lifecycle->lives[lifecycle->n_spawned].dealing == DEALING_CLOSED)
		life_must_move(lifecycle, &lifecycle->lives[lifecycle->n_spawned++], SEAT_EVENT_REST);
	if (lifecycle->n_spawned < lifecycle->plan->n_slots && !lifecycle->restarts_off)
		life_spawn(lifecycle, &lifecycle->lives[lifecycle->n_spawned++], now_ns);
}

void start_begin(struct lifecycle *lifecycle, uint64_t now_ns)
{
	act(lifecycle, ACTION_PHASE, NULL)->value = (int)lifecycle->state;
	if (lifecycle->goes_on) {
		legacy_begin(lifecycle, now_ns);
		return;
	}
	lifecycle->start_due_ns = now_ns + lifecycle->start_timeout_ns;
	scale_post(lifecycle);
	spawn_next(lifecycle, now_ns);
}

void start_spawned(struct lifecycle *lifecycle, uint32_t seat, uint64_t now_ns)
{
	if (seat + 1 == lifecycle->n_spawned && lifecycle->lives[seat].generation == 0)
		spawn_next(lifecycle, now_ns);
}

/* No process has been there: it counts as a death without progress, but takes no sibling with it. */
void start_spawn_failed(struct lifecycle *lifecycle, struct life *life, const struct event *event, uint64_t now_ns)
{
	life->due_ns = 0;
	life->memory = event->memory;
	life_must_move(lifecycle, life, SEAT_EVENT_DEATH);
	if (lifecycle->restarts_off) {
		life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
		return;
	}
	if (life->generation == 0 && life_number(lifecycle, life) + 1 == lifecycle->n_spawned &&
	    !lifecycle->started_ns) {
		life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
		start_fail(lifecycle, life, REASON_NOT_SPAWNED, false, now_ns);
		return;
	}
	if (scale_growth_failed(lifecycle, life, event, now_ns))
		return;
	act(lifecycle, ACTION_SAY_NOT_STARTED, life)->value = event->error;
	succession_restart(lifecycle, life, event, false, now_ns);
}

void start_fail(struct lifecycle *lifecycle, struct life *life, enum reason reason, bool spec_matter, uint64_t now_ns)
{
	if (!lifecycle->outcome.start_failed) {
		lifecycle->outcome.start_failed = true;
		lifecycle->outcome.spec_matter = spec_matter;
		act(lifecycle, ACTION_SAY_START_FAILED, life)->value = (int)reason;
	}
	stop_climb(lifecycle, RUNG_CANCEL, CAUSE_SIBLING_FAILED, "the start failed", now_ns);
}
