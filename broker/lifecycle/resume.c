/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a drain back. A source that was told to drain rests until what it gave has been taken; as long as it rests it can go on.
 *
 *      RESUME --> guards: resume_refusal.def
 *      asked      every source has said that it has seen the order to drain: only then is its next word an answer to the next order
 *      told       REST: the board says run again, and rings
 *      every source says that it has seen that, and its stream is open ..... Running; the ladder is gone
 *      one has ended instead, or says nothing for 2 s; a stage has failed,
 *      or is cancelled, be it a source or not .............................. the board says drain again: Draining it stays
 *
 * The ladder's deadline stands until all have answered, so nothing that is said here makes a drain longer. A source that dies
 * meanwhile is no obstacle if its stream is open: its next generation reads the board. It is tried once: after that what a source has said
 * could be an answer to the first try.
 */
#include "broker/lifecycle/lifecycle_priv.h"

static const char *const sentences[] = {
#define RESUME_REFUSAL(id_, name_, sentence_) sentence_,
#include "broker/lifecycle/resume_refusal.def"
#undef RESUME_REFUSAL
};

const char *resume_refusal_sentence(enum resume_refusal refusal)
{
	return (unsigned)refusal < RESUME_REFUSAL_COUNT ? sentences[refusal] : "?";
}

static bool is_source(const struct lifecycle *lifecycle, const struct life *life)
{
	return life_stage(lifecycle, life)->role == WEIR_SOURCE;
}

/* As far as we know; what it does at this moment it says when it is asked. */
static bool has_ended(const struct life *life)
{
	return life->state == SEAT_LEAVING || seat_state_over(life->state) || life->memory.closed;
}

enum resume_refusal lifecycle_resume_refusal(const struct lifecycle *lifecycle)
{
	if (lifecycle->state != PIPELINE_DRAINING)
		return RESUME_NOT_DRAINING;
	if (lifecycle->ladder.rung > RUNG_DRAIN)
		return RESUME_TOO_LATE;
	if (!lifecycle->started_ns)
		return RESUME_NEVER_RAN;
	if (lifecycle->outcome.stage_failed)
		return RESUME_FAILED;
	if (lifecycle->resuming != RESUME_NOT)
		return RESUME_UNDER_WAY;
	if (lifecycle->resume_failed)
		return RESUME_TRIED;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		const struct life *life = &lifecycle->lives[i];

		if (is_source(lifecycle, life) && has_ended(life))
			return RESUME_SOURCE_ENDED;
	}
	return RESUME_POSSIBLE;
}

static void carry_out(struct lifecycle *lifecycle)
{
	lifecycle->resuming = RESUME_NOT;
	lifecycle->resume_due_ns = lifecycle->ladder_due_ns = 0;
	lifecycle->ladder = (struct ladder){ 0 };
	lifecycle->outcome.signal_number = 0;
	lifecycle->signalled = false;
	act(lifecycle, ACTION_GRACE, NULL)->at_ns = 0;
	pipeline_move(lifecycle, PIPELINE_EVENT_RESUMED, 1u << PIPELINE_GUARD_SOURCES_GO_ON);
}

/* From asked to told, and from told to Running, when nobody is waited for any more. */
static void go_on(struct lifecycle *lifecycle)
{
	bool asked = lifecycle->resuming == RESUME_ASKED;

	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		if (lifecycle->lives[i].awaited && !(asked && lifecycle->lives[i].heard_drain))
			return;
	if (!asked) {
		carry_out(lifecycle);
		return;
	}
	lifecycle->resuming = RESUME_TOLD;
	act(lifecycle, ACTION_REST, NULL);
	go_on(lifecycle);
}

bool resume_begin(struct lifecycle *lifecycle, uint64_t now_ns)
{
	if (lifecycle_resume_refusal(lifecycle) != RESUME_POSSIBLE)
		return false;
	lifecycle->resuming = RESUME_ASKED;
	lifecycle->resume_due_ns = now_ns + RESUME_WAIT_NS;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		struct life *life = &lifecycle->lives[i];

		life->awaited =
			is_source(lifecycle, life) && (seat_state_alive(life->state) || life->state == SEAT_DEAD);
	}
	go_on(lifecycle);
	return true;
}

void resume_heard(struct lifecycle *lifecycle, struct life *life, bool runs, bool closed)
{
	life->heard_drain = !runs;
	if (!life->awaited)
		return;
	if (closed) {
		resume_roll_back(lifecycle, life);
		return;
	}
	if (runs && lifecycle->resuming == RESUME_TOLD)
		life->awaited = false;
	go_on(lifecycle);
}

void resume_gone(struct lifecycle *lifecycle, struct life *life, bool closed)
{
	if (!life->awaited)
		return;
	life->awaited = false;
	if (closed)
		resume_roll_back(lifecycle, life);
	else
		go_on(lifecycle);
}

void resume_spawned(const struct lifecycle *lifecycle, struct life *life)
{
	life->awaited = lifecycle->resuming == RESUME_ASKED && is_source(lifecycle, life);
}

void resume_roll_back(struct lifecycle *lifecycle, const struct life *culprit)
{
	bool told = lifecycle->resuming == RESUME_TOLD;

	if (lifecycle->resuming == RESUME_NOT)
		return;
	lifecycle->resuming = RESUME_NOT;
	lifecycle->resume_failed = true;
	lifecycle->resume_due_ns = 0;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		lifecycle->lives[i].awaited = false;
	act(lifecycle, ACTION_SAY_NOT_RESUMED, culprit)->value = lifecycle->outcome.stage_failed;
	if (told) {
		struct action *order = act(lifecycle, ACTION_ORDER, NULL);

		order->value = (int)RUNG_DRAIN;
		order->who = "not resumed";
	}
}
