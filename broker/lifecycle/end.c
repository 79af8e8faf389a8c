/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end: nobody is left, so the books are closed.
 *
 *      every seat over --> sweep --> nothing left of what dead workers left behind --> count --> exit code, Stopped or Failed
 *                            ^------- 100 ms, for 5 s at most: then it is reported
 */
#include "broker/lifecycle/lifecycle_priv.h"

void end_check(struct lifecycle *lifecycle)
{
	if (lifecycle->ending || lifecycle->orphans_due_ns || lifecycle->n_over < lifecycle->plan->n_slots)
		return;
	lifecycle->ending = true;
	act(lifecycle, ACTION_SWEEP, NULL);
}

void end_swept(struct lifecycle *lifecycle, bool done, uint64_t now_ns)
{
	bool ending = lifecycle->ending;

	if (done || (ending && lifecycle->orphans_end_ns && lifecycle->orphans_end_ns <= now_ns)) {
		lifecycle->orphans_due_ns = 0;
		if (!done)
			act(lifecycle, ACTION_SAY_ORPHANS_LEFT, NULL);
		if (ending)
			act(lifecycle, ACTION_COUNT, NULL);
		return;
	}
	lifecycle->orphans_due_ns = now_ns + ORPHANS_AGAIN_NS;
	if (ending && !lifecycle->orphans_end_ns)
		lifecycle->orphans_end_ns = now_ns + UNKILLABLE_NS;
	lifecycle->ending = false; /* end_check() comes back when they are swept again */
}

/* Every sink has said that it is done; or it was cancelled, and what it had confirmed until then is in the ledger. */
static bool sinks_confirmed(const struct lifecycle *lifecycle)
{
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		const struct life *life = &lifecycle->lives[i];

		if (life_stage(lifecycle, life)->role == WEIR_SINK && life->state == SEAT_LOST &&
		    lifecycle->ladder.rung < RUNG_CANCEL)
			return false;
	}
	return true;
}

void end_counted(struct lifecycle *lifecycle, const struct outcome *counted)
{
	struct outcome *outcome = &lifecycle->outcome;
	bool confirmed;

	for (uint32_t i = 0; i < LEDGER_COUNT; i++)
		outcome->ledger[i] = counted->ledger[i];
	outcome->in_lanes = counted->in_lanes;
	outcome->letters_settled = counted->letters_settled;
	outcome->letters_held = counted->letters_held;
	outcome->corrupt |= counted->corrupt;
	confirmed = !outcome->corrupt && !outcome->start_failed && !outcome->stage_failed &&
		    outcome_balanced(outcome) && !outcome_in_flight(outcome) && sinks_confirmed(lifecycle);
	lifecycle->finished = true;
	lifecycle->exit_code = outcome_exit_code(outcome);
	pipeline_move(lifecycle, PIPELINE_EVENT_ALL_ENDED,
		      1u << (confirmed ? PIPELINE_GUARD_ALL_CONFIRMED : PIPELINE_GUARD_LEFT_OVER));
	act(lifecycle, ACTION_END, NULL)->value = lifecycle->exit_code;
}
