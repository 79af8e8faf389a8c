/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ladder of one seat: its worker is to end, and the others go on.
 *
 *      why                                            cancel      SIGTERM      SIGKILL      stuck in the kernel
 *      its stage is cancelled, or its branch dropped  at once     + grace      + grace      + 5 s: left behind, its stage has failed
 *      a sibling died: siblings.c                     at once     + grace      + grace      + 5 s
 *      an item has overrun its deadline: overrun.c    at once     due + grace  + 25 ms      + 5 s
 *      it is not ready in time                        -           at once      + grace      + 5 s
 *      it has said goodbye, and does not exit         -           + grace      + grace      + 5 s
 *
 * Who leaves at the cancel has committed whole items, run its cleaners and said goodbye; who goes later is as good as killed. What it had
 * in hand is found again by whoever sits there next. So no rung needs to know how far the one before has come. Each ladder is climbed
 * once: who stands on one when there is a second reason keeps its times, for they end sooner.
 */
#include "broker/lifecycle/lifecycle_priv.h"

static void tell(struct lifecycle *lifecycle, struct life *life, enum cause cause, const char *who, uint64_t term_ns)
{
	struct action *cancel = act(lifecycle, ACTION_CANCEL, life);

	cancel->value = (int)cause;
	cancel->who = who;
	cancel->at_ns = term_ns;
}

void seat_ladder_begin(struct lifecycle *lifecycle, struct life *life, enum cause cause, const char *who,
		       uint64_t now_ns)
{
	bool told = life->state == SEAT_OVERRUN;

	life_must_move(lifecycle, life, SEAT_EVENT_STOP);
	if (told)
		return;
	if (life->told == TOLD_NOTHING) /* else it is late, and stands on the ladder for that already */
		life->due_ns = now_ns + life_stage(lifecycle, life)->grace_ns;
	tell(lifecycle, life, cause, who, life->told == TOLD_NOTHING ? life->due_ns : now_ns);
}

void seat_ladder_begin_late(struct lifecycle *lifecycle, struct life *life, uint64_t term_ns)
{
	life_must_move(lifecycle, life, SEAT_EVENT_OVERRUN);
	life->told = TOLD_NOTHING;
	life->due_ns = term_ns;
	act(lifecycle, ACTION_SAY_OVERRUN, life);
	tell(lifecycle, life, CAUSE_ITEM_DEADLINE, "deadline", term_ns);
}

/* Nobody has told it yet; why it must go is what its state says. */
static void say_term(struct lifecycle *lifecycle, struct life *life)
{
	life->hung = life->state == SEAT_LEAVING;
	if (life->state == SEAT_STOPPING || life->state == SEAT_OVERRUN)
		act(lifecycle, ACTION_SAY_DEAF, life);
	else
		act(lifecycle, life->hung ? ACTION_SAY_HANGS : ACTION_SAY_NOT_READY, life);
}

/* Who has overrun has had more than its time before. */
static uint64_t term_to_kill_ns(const struct lifecycle *lifecycle, const struct life *life)
{
	return life->overrun ? TERM_TO_KILL_NS : life_stage(lifecycle, life)->grace_ns;
}

void seat_ladder_climb(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	switch (life->told) {
	case TOLD_NOTHING:
		say_term(lifecycle, life);
		act(lifecycle, ACTION_TERMINATE, life);
		life->told = TOLD_TERM;
		life->due_ns = now_ns + term_to_kill_ns(lifecycle, life);
		return;
	case TOLD_TERM:
		act(lifecycle, ACTION_SAY_KILLED, life);
		act(lifecycle, ACTION_KILL, life);
		life->told = TOLD_KILL;
		life->due_ns = now_ns + UNKILLABLE_NS;
		return;
	case TOLD_KILL:
		failure_unkillable(lifecycle, life, now_ns);
		return;
	}
}

static enum rung own_rung(const struct life *life)
{
	static const enum rung rungs[] = { RUNG_CANCEL, RUNG_TERM, RUNG_KILL };
	bool told = life->told != TOLD_NOTHING || life->state == SEAT_STOPPING || life->state == SEAT_OVERRUN ||
		    life->state == SEAT_LEAVING;

	return told ? rungs[life->told] : RUNG_NONE;
}

/* When everybody is at the rung behind that one; 0: nobody has been told to stop. */
static uint64_t time_of_all_ns(const struct ladder *ladder, enum rung rung)
{
	if (ladder->rung == RUNG_NONE)
		return 0;
	return rung == RUNG_KILL ? ladder->deadline_ns + UNKILLABLE_NS : ladder_time_of(ladder, rung + 1);
}

bool lifecycle_ending(const struct lifecycle *lifecycle, uint32_t seat, struct ending *ret_ending)
{
	const struct life *life = &lifecycle->lives[seat];
	enum rung own = own_rung(life), of_all = lifecycle->ladder.rung, rung = of_all > own ? of_all : own;

	if (!seat_state_alive(life->state) || rung < RUNG_CANCEL)
		return false;
	ret_ending->rung = rung;
	ret_ending->next_ns =
		deadline_earlier(own == rung ? life->due_ns : 0, time_of_all_ns(&lifecycle->ladder, rung));
	return true;
}
