/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a death: the next generation, or the end.
 *
 *      death --- progressed, or fewer than `intensity` without progress in `period` ---> back-off ---> spawn
 *            |                                                                           siblings.c stops who goes with it
 *            \-- beyond it -----> before RUN: the start has failed (75, or 1 if the spec is to blame)
 *                and temporary --> after RUN:  on_failure: degrade, and a sibling is left: this seat is retired
 *                            |-->             on_failure: drop_branch: stand-ins take its seats (failure.c), exit 3
 *                            \-->             else the stage has failed: cancel everybody (sibling_failed), exit 3
 */
#include "broker/lifecycle/lifecycle_priv.h"

void succession_back_off(struct lifecycle *lifecycle, struct life *life)
{
	life->generation++;
	life->restarts++;
	life_must_move(lifecycle, life, SEAT_EVENT_RESTART);
	life->due_ns = life->restart_ns;
}

void succession_back_off_over(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	if (lifecycle->n_stopping) {
		life->waits = true;
		lifecycle->n_waiting++;
	} else {
		life_spawn(lifecycle, life, now_ns);
	}
}

void succession_release(struct lifecycle *lifecycle, uint64_t now_ns)
{
	if (lifecycle->n_stopping)
		return;
	for (uint32_t i = 0; lifecycle->n_waiting && i < lifecycle->plan->n_slots; i++)
		if (lifecycle->lives[i].waits)
			life_spawn(lifecycle, &lifecycle->lives[i], now_ns);
}

/* Its stage can go on without it: on_failure: degrade, it has run, and a sibling is left. */
static bool may_retire(const struct lifecycle *lifecycle, const struct life *life)
{
	const struct plan_stage *stage = life_stage(lifecycle, life);

	if (!stage->degrade || !lifecycle->started_ns)
		return false;
	for (uint32_t i = 0; i < stage->workers; i++) {
		const struct life *sibling = &lifecycle->lives[stage->first_slot + i];

		if (sibling != life && !seat_state_over(sibling->state) && !sibling->retires &&
		    sibling->dealing != DEALING_CLOSED)
			return true;
	}
	return false;
}

static void give_up_for_good(struct lifecycle *lifecycle, struct life *life, enum reason reason, uint64_t now_ns)
{
	life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
	if (lifecycle->started_ns)
		failure_of_stage(lifecycle, life, reason, now_ns);
	else
		start_fail(lifecycle, life, reason, false, now_ns);
	act(lifecycle, ACTION_LOSE,
	    life); /* after the cancel: then nobody takes a cancelled pipeline for one that lost a producer */
}

void succession_give_up(struct lifecycle *lifecycle, struct life *life, const struct memory_facts *memory,
			enum reason reason, uint64_t now_ns)
{
	life->reason = reason;
	life->retires = may_retire(lifecycle, life);
	if (life->retires)
		act(lifecycle, ACTION_RETIRE, life);
	else if (!failure_abandon(lifecycle, life, memory, reason, now_ns))
		give_up_for_good(lifecycle, life, reason, now_ns);
}

void succession_retired(struct lifecycle *lifecycle, struct life *life, bool done, uint64_t now_ns)
{
	life->retires = false;
	if (!done) {
		if (!failure_abandon(lifecycle, life, &life->memory, life->reason, now_ns))
			give_up_for_good(lifecycle, life, life->reason, now_ns);
		return;
	}
	life_must_move(lifecycle, life, SEAT_EVENT_RETIRE);
	act(lifecycle, ACTION_SAY_RETIRED, life)->value = (int)life->reason;
	act(lifecycle, ACTION_RING, life);
}

void succession_restart(struct lifecycle *lifecycle, struct life *life, const struct event *event, bool progressed,
			uint64_t now_ns)
{
	struct stage_life *stage = &lifecycle->stages[life->stage];
	struct restart_history *history = life_stage(lifecycle, life)->degrade ? &life->history : &stage->history;
	uint64_t delay_ns;

	if (!restart_allowed(history, &stage->policy, now_ns, progressed)) {
		if (life->died)
			act(lifecycle, ACTION_SAY_DEATH, life)->value = (int)NEXT_NOT_RESTARTED;
		succession_give_up(lifecycle, life, &event->memory, REASON_TOO_MANY_DEATHS, now_ns);
		return;
	}
	life->failures = progressed ? 0 : life->failures + 1;
	delay_ns = restart_backoff_ns(&stage->policy, life->failures, event->chance);
	if (life->died) {
		struct action *say = act(lifecycle, ACTION_SAY_DEATH, life);

		say->value = (int)NEXT_RESTART;
		say->at_ns = delay_ns;
	}
	life->restart_ns = now_ns + delay_ns;
	succession_back_off(lifecycle, life);
	if (life->died) /* not after a failed fork: they are down already, or have come back before it */
		siblings_stop(lifecycle, life, now_ns);
}
