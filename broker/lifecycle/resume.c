/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a drain back. A source that was told to drain rests until what it gave has been taken; as long as it rests it can go on.
 *
 *      RESUME --> guards: resume_refusal.def
 *             --> REST: the board says run again, and rings
 *      every source answers that it has seen it ............ Running; the ladder is gone
 *      one says goodbye instead, or does not answer in 2 s .. the board says drain again: Draining it stays
 *
 * The ladder's deadline stands until all have answered, so nothing that is said here makes a drain longer. A source that dies
 * meanwhile is no obstacle: its next generation reads the board.
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
	if (lifecycle->resuming)
		return RESUME_UNDER_WAY;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		const struct life *life = &lifecycle->lives[i];

		if (is_source(lifecycle, life) && (life->state == SEAT_LEAVING || seat_state_over(life->state)))
			return RESUME_SOURCE_ENDED;
	}
	return RESUME_POSSIBLE;
}

static void carry_out(struct lifecycle *lifecycle)
{
	lifecycle->resuming = false;
	lifecycle->resume_due_ns = lifecycle->ladder_due_ns = 0;
	lifecycle->ladder = (struct ladder){ 0 };
	lifecycle->outcome.signal_number = 0;
	lifecycle->signalled = false;
	act(lifecycle, ACTION_GRACE, NULL)->at_ns = 0;
	pipeline_move(lifecycle, PIPELINE_EVENT_RESUMED, 1u << PIPELINE_GUARD_SOURCES_GO_ON);
}

static void check_answers(struct lifecycle *lifecycle)
{
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		if (lifecycle->lives[i].awaited)
			return;
	carry_out(lifecycle);
}

bool resume_begin(struct lifecycle *lifecycle, const char *who, uint64_t now_ns)
{
	if (lifecycle_resume_refusal(lifecycle) != RESUME_POSSIBLE)
		return false;
	lifecycle->resuming = true;
	lifecycle->resume_due_ns = now_ns + RESUME_WAIT_NS;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		lifecycle->lives[i].awaited =
			is_source(lifecycle, &lifecycle->lives[i]) && lifecycle->lives[i].state == SEAT_READY;
	act(lifecycle, ACTION_REST, NULL)->who = who;
	check_answers(lifecycle);
	return true;
}

void resume_answered(struct lifecycle *lifecycle, struct life *life, bool goes_on)
{
	if (!lifecycle->resuming || !life->awaited)
		return;
	if (!goes_on) {
		resume_roll_back(lifecycle, life);
		return;
	}
	life->awaited = false;
	check_answers(lifecycle);
}

void resume_roll_back(struct lifecycle *lifecycle, const struct life *culprit)
{
	struct action *order;

	if (!lifecycle->resuming)
		return;
	lifecycle->resuming = false;
	lifecycle->resume_due_ns = 0;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		lifecycle->lives[i].awaited = false;
	act(lifecycle, ACTION_SAY_NOT_RESUMED, culprit);
	order = act(lifecycle, ACTION_ORDER, NULL);
	order->value = (int)RUNG_DRAIN;
	order->who = "not resumed";
}
