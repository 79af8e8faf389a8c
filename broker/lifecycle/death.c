/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the kernel's word that a worker is dead to the next step, always in this order:
 *
 *      EXITED -> repair -> REPAIRED -> ring neighbours -> (exit 1 without a goodbye: wait for it, 200 ms at most)
 *             -> examine -> EXAMINED -> verdict -> obituary -> ended | restart after the back-off | stage failed | start failed
 *
 * Repair comes at once, verdict or not, so that neighbours see what was committed.
 */
#include "broker/lifecycle/lifecycle_priv.h"

static void ring_and_conclude(struct lifecycle *lifecycle, struct life *life, uint64_t due_ns)
{
	act(lifecycle, ACTION_RING, life);
	life->due_ns = due_ns;
	if (!due_ns)
		act(lifecycle, ACTION_EXAMINE, life);
}

void death_exited(struct lifecycle *lifecycle, struct life *life, const struct death_facts *facts)
{
	life->death = *facts;
	life->died = true;
	life->stopped = life_is_stopped(life);
	life->due_ns = 0;
	life_must_move(lifecycle, life, SEAT_EVENT_DEATH);
	/*
	 * Who left because it was told to is repaired for the sake of who comes next: there is somebody unless everybody ends. And in the
	 * repair an item that has overrun is blamed.
	 */
	if (facts->ended && facts->exited_zero && !life->overrun && (!facts->cancelled || lifecycle->restarts_off))
		ring_and_conclude(lifecycle, life, 0);
	else
		act(lifecycle, ACTION_REPAIR, life);
}

/* Shared memory makes no sense: everybody is cancelled, and exit 5. */
static void quarantine(struct lifecycle *lifecycle, struct life *life, enum reason reason, uint64_t now_ns)
{
	lifecycle->outcome.corrupt = true;
	life->quarantined = true;
	life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
	failure_of_stage(lifecycle, life, reason, now_ns);
}

void death_repaired(struct lifecycle *lifecycle, struct life *life, enum repair repair, uint64_t now_ns)
{
	bool awaits_goodbye = life->death.exited_one && !life->goodbye;

	if (repair != REPAIR_DONE) {
		quarantine(lifecycle, life, repair == REPAIR_UNMAPPABLE ? REASON_UNMAPPABLE : REASON_CORRUPT, now_ns);
		return;
	}
	/* A goodbye that says why comes through a socket and may be slower than the kernel. */
	ring_and_conclude(lifecycle, life, awaits_goodbye ? now_ns + LAST_WORDS_WAIT_NS : 0);
}

/* A source that failed after handing on all that it had: what it gave can still arrive. */
static bool closed_its_lanes(const struct lifecycle *lifecycle, const struct life *life,
			     const struct memory_facts *memory)
{
	return memory->closed && life->was_ready && life_stage(lifecycle, life)->role == WEIR_SOURCE;
}

static enum verdict verdict_on(const struct lifecycle *lifecycle, const struct life *life,
			       const struct memory_facts *memory)
{
	const struct death_facts *death = &life->death;
	const struct verdict_facts facts = {
		.exited_zero = death->exited_zero,
		.ended = death->ended,
		.cancelled = death->cancelled,
		.hung = life->hung,
		.failed = life->goodbye && life->goodbye_failed,
		.closed = closed_its_lanes(lifecycle, life, memory) || memory->cut_off,
		.stopped = life->stopped,
		.overrun = life->overrun,
		.no_program = death->no_program,
		.started = lifecycle->started_ns != 0,
		.restarts_off = lifecycle->restarts_off,
		/* The stage may do without a successor, its stand-in may not, nor a stage that is reloaded. */
		.type = lifecycle->stages[life->stage].abandoned || (life->stopped && life->makes_room) ?
				PLAN_TRANSIENT :
				life_stage(lifecycle, life)->restart_type,
	};

	return verdict_of(&facts);
}

/* A failure to open, told by the worker itself, has a place in the spec. */
static void fail_start(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	if (life->goodbye && life->goodbye_failed)
		start_fail(lifecycle, life, REASON_GOODBYE, life->goodbye_blames_spec, now_ns);
	else if (life->death.not_run)
		start_fail(lifecycle, life, REASON_NO_PROGRAM, false, now_ns);
	else
		start_fail(lifecycle, life, REASON_DIED_EARLY, false, now_ns);
}

static void fail_stage(struct lifecycle *lifecycle, struct life *life, const struct memory_facts *memory,
		       uint64_t now_ns)
{
	if (closed_its_lanes(lifecycle, life, memory)) {
		life_must_move(lifecycle, life, SEAT_EVENT_END);
		failure_of_source(lifecycle, life, now_ns);
		return;
	}
	if (failure_abandon(lifecycle, life, memory, REASON_GOODBYE, now_ns))
		return;
	life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
	failure_of_stage(lifecycle, life, REASON_GOODBYE, now_ns);
	act(lifecycle, ACTION_LOSE, life);
}

/* After a cancel: it left by itself, or because we told it to. */
static enum next nobody_follows(const struct lifecycle *lifecycle, const struct life *life)
{
	return life->death.exited_zero || lifecycle->ladder.rung >= RUNG_TERM ? NEXT_EXPECTED : NEXT_NOBODY;
}

void death_examined(struct lifecycle *lifecycle, struct life *life, const struct event *event, uint64_t now_ns)
{
	enum verdict verdict;

	life->memory = event->memory;
	resume_gone(lifecycle, life, (life->death.ended && !life->death.cancelled) || event->memory.closed);
	if (scale_rests(lifecycle, life, &event->memory) || scale_growth_failed(lifecycle, life, event, now_ns))
		return;
	verdict = verdict_on(lifecycle, life, &event->memory);
	if (reload_blames(lifecycle, life, verdict, now_ns))
		return;
	switch (verdict) {
	case VERDICT_DONE:
		life_must_move(lifecycle, life, SEAT_EVENT_END);
		return;
	case VERDICT_LOST:
		act(lifecycle, ACTION_SAY_DEATH, life)->value = (int)nobody_follows(lifecycle, life);
		life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
		act(lifecycle, ACTION_LOSE, life);
		return;
	case VERDICT_RESTART:
		succession_restart(lifecycle, life, event, life->death.progressed || life->overrun, now_ns);
		return;
	case VERDICT_AGAIN:
		act(lifecycle, ACTION_SAY_RETURNS, life);
		succession_back_off(lifecycle, life);
		return;
	case VERDICT_GIVEN_UP:
		act(lifecycle, ACTION_SAY_DEATH, life)->value = (int)NEXT_TEMPORARY;
		succession_give_up(lifecycle, life, &event->memory,
				   life->stopped ? REASON_TEMPORARY_STOPPED : REASON_TEMPORARY_DIED, now_ns);
		return;
	case VERDICT_START_FAILED:
		life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
		fail_start(lifecycle, life, now_ns);
		return;
	case VERDICT_STAGE_FAILED:
		fail_stage(lifecycle, life, &event->memory, now_ns);
		return;
	}
}
