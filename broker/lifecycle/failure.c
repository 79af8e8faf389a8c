/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage has failed for good. Everybody else is cancelled; or, with on_failure: drop_branch, goes on:
 *
 *      the one that died        restarting ------------> starting          all of its seats get stand-ins (worker/stand_in.c): they
 *      its stage's others       stopping -> restarting -> starting         leave the inputs, discard what comes, and end with them;
 *                               (cancel, grace, SIGTERM, ...)              each comes as soon as its own seat is empty
 *
 * No lane loses its reader, so no producer has to learn of a failure: it sees a reader that has left, as behind a `take`. Downstream
 * a stand-in's lanes close as lost when its inputs have ended: a stage that reads from it says, once it has done all that it was
 * given, that it can't go on, and is abandoned in turn, whatever its own on_failure. So no stage takes for an end what is none.
 *
 * That a stage has failed stands in the outcome: exit 3. A stand-in is counted like any other worker, from none on; if it fails, too,
 * the pipeline does.
 */
#include "broker/lifecycle/lifecycle_priv.h"

/* For good, or cancelled. A drain is not taken back then (resume_refusal.def), nor is one that is being taken back. */
static void note_failure(struct lifecycle *lifecycle, const struct life *of)
{
	lifecycle->outcome.stage_failed = true;
	resume_roll_back(lifecycle, of);
}

static bool may_be_stopped(const struct life *life)
{
	return life->state == SEAT_SPAWNED || life->state == SEAT_OPENING || seat_state_works(life->state);
}

/* Why a stage gets stand-ins. */
struct abandonment {
	const struct life *dead; /* one that needs no stopping; NULL: all do */
	bool cut_off;
	enum reason reason;
	enum cause cause;
	const char *who;
};

static void abandon_stage(struct lifecycle *lifecycle, const struct life *of, const struct abandonment *why,
			  uint64_t now_ns)
{
	const struct plan_stage *plan = life_stage(lifecycle, of);
	struct stage_life *stage = &lifecycle->stages[of->stage];
	struct action *say;

	stage->abandoned = true;
	stage->cause = why->cause;
	stage->history.n = stage->history.next = 0;
	note_failure(lifecycle, of);
	say = act(lifecycle, ACTION_SAY_DROPPED, of);
	say->value = (int)why->reason;
	say->at_ns = why->cut_off;
	for (uint32_t i = plan->workers; i-- > 0;) {
		struct life *sibling = &lifecycle->lives[plan->first_slot + i];

		if (sibling->state == SEAT_BACKOFF && !sibling->waits)
			sibling->due_ns = now_ns; /* a back-off is for the stage, not for its stand-in */
		if (sibling == why->dead || !may_be_stopped(sibling))
			continue;
		sibling->restart_ns = now_ns;
		seat_ladder_begin(lifecycle, sibling, why->cause, why->who, now_ns);
	}
}

bool failure_abandon(struct lifecycle *lifecycle, struct life *life, const struct memory_facts *memory,
		     enum reason reason, uint64_t now_ns)
{
	if (!lifecycle->started_ns || life->stands_in ||
	    !(life_stage(lifecycle, life)->drop_branch || memory->cut_off || lifecycle->stages[life->stage].abandoned))
		return false;
	if (!lifecycle->stages[life->stage].abandoned)
		abandon_stage(lifecycle, life,
			      &(struct abandonment){ .dead = life,
						     .cut_off = memory->cut_off,
						     .reason = reason,
						     .cause = CAUSE_SIBLING_FAILED,
						     .who = life_stage(lifecycle, life)->name },
			      now_ns);
	life->failures = 0;
	life->restart_ns = now_ns;
	succession_back_off(lifecycle, life);
	return true;
}

bool failure_cancel_stage(struct lifecycle *lifecycle, const struct life *of, enum cause cause, const char *who,
			  uint64_t now_ns)
{
	if (!lifecycle->started_ns || lifecycle->stages[of->stage].abandoned || lifecycle->ladder.rung >= RUNG_CANCEL)
		return false;
	abandon_stage(lifecycle, of, &(struct abandonment){ .reason = REASON_CANCELLED, .cause = cause, .who = who },
		      now_ns);
	return true;
}

void failure_of_stage(struct lifecycle *lifecycle, struct life *life, enum reason reason, uint64_t now_ns)
{
	note_failure(lifecycle, life);
	act(lifecycle, ACTION_SAY_STAGE_FAILED, life)->value = (int)reason;
	stop_climb(lifecycle, RUNG_CANCEL, CAUSE_SIBLING_FAILED, life_stage(lifecycle, life)->name, now_ns);
}

void failure_of_source(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	note_failure(lifecycle, life);
	act(lifecycle, ACTION_SAY_SOURCE_FAILED, life);
	if (!life_stage(lifecycle, life)->drop_branch)
		stop_drain(lifecycle, 0, life_stage(lifecycle, life)->name, now_ns);
}

void failure_unkillable(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	act(lifecycle, ACTION_LEAVE_BEHIND, life);
	life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
	if (lifecycle->started_ns)
		failure_of_stage(lifecycle, life, REASON_UNKILLABLE, now_ns);
	else
		start_fail(lifecycle, life, REASON_UNKILLABLE, false, now_ns);
}
