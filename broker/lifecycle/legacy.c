/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run that another supervisor had begun, and did not live to end. Its workers are dead and repaired, so to them it is one more death, in
 * which nobody is to blame: nothing is counted against anybody, and every seat that had not been given up gets its next generation.
 *
 *      it stood on ...                   it goes on ...
 *      no rung                           STARTING -> everybody has sat down, or has ended -> RUNNING
 *      drain                             draining, with as much time as the order gave
 *      cancel, SIGTERM, SIGKILL          cancelled: nobody comes back, what is left is counted
 *
 * Who rested goes on resting; who was to come, or to go, for its stage's sake does so once more (scale.c).
 *
 * Unlike at a start, sources run from the first moment, and who can't be started again is handled as in a run: nothing that was accepted is
 * given up because one worker is slow to open its stage.
 */
#include "broker/lifecycle/lifecycle_priv.h"

#define LEGACY_WHO "as the last supervisor was told"

static void inherit_seat(struct lifecycle *lifecycle, struct life *life, const struct legacy_seat *seat)
{
	life->generation = seat->generation + 1;
	life->restarts = seat->restarts + (!seat->retired && !seat->rests);
	life->failures = seat->failures;
	life->was_ready = false;
	scale_inherit_seat(lifecycle, life, seat);
	if (seat->retired)
		life_must_move(lifecycle, life, SEAT_EVENT_RETIRE);
	else if (seat->rests)
		life_must_move(lifecycle, life, SEAT_EVENT_REST);
}

void lifecycle_inherit(struct lifecycle *lifecycle, const struct legacy *legacy)
{
	lifecycle->goes_on = true;
	lifecycle->left_on = legacy->rung;
	lifecycle->cause = legacy->cause;
	lifecycle->drain_for_ns = legacy->drain_for_ns;
	lifecycle->started_ns = legacy->started_ns;
	lifecycle->run_due_ns = legacy->run_due_ns;
	lifecycle->signalled = legacy->signal_number != 0;
	lifecycle->outcome.stage_failed = legacy->stage_failed;
	lifecycle->outcome.drain_deadline_passed = legacy->drain_deadline_passed;
	lifecycle->outcome.signal_number = legacy->signal_number;
	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++) {
		lifecycle->stages[i].abandoned = legacy->stages[i].abandoned;
		lifecycle->stages[i].cause = legacy->stages[i].cause;
		scale_inherit(lifecycle, i, &legacy->stages[i]);
	}
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		inherit_seat(lifecycle, &lifecycle->lives[i], &legacy->seats[i]);
}

void legacy_begin(struct lifecycle *lifecycle, uint64_t now_ns)
{
	enum rung left_on = lifecycle->left_on;

	scale_post(lifecycle);
	lifecycle->n_spawned = lifecycle->plan->n_slots;
	lifecycle->left_on = RUNG_NONE; /* from here on the ladder says where it stands */
	if (left_on >= RUNG_CANCEL) {
		stop_climb(lifecycle, RUNG_CANCEL, lifecycle->cause, LEGACY_WHO, now_ns);
		return;
	}
	if (left_on == RUNG_DRAIN)
		stop_drain(lifecycle, lifecycle->drain_for_ns ? now_ns + lifecycle->drain_for_ns : 0, LEGACY_WHO,
			   now_ns);
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		if (lifecycle->lives[i].state == SEAT_EMPTY)
			life_spawn(lifecycle, &lifecycle->lives[i], now_ns);
}

void legacy_check_ready(struct lifecycle *lifecycle)
{
	if (!lifecycle->goes_on || lifecycle->state != PIPELINE_STARTING || !lifecycle->n_spawned)
		return;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		const struct life *life = &lifecycle->lives[i];

		if (!life->was_ready && !seat_state_over(life->state) && life->state != SEAT_RESTING && !life->grows)
			return;
	}
	act(lifecycle, ACTION_RUN, NULL)->at_ns = lifecycle->run_due_ns;
	pipeline_move(lifecycle, PIPELINE_EVENT_ALL_READY, 1u << PIPELINE_GUARD_EVERY_SEAT_READY);
}
