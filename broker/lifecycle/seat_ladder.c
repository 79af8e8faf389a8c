/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ladder of one seat: its worker is to end, and the others go on.
 *
 *      why                                            cancel      SIGTERM      SIGKILL      stuck in the kernel
 *      its stage is cancelled, or its branch dropped  at once     + grace      + grace      + 5 s: left behind, its stage has failed
 *      a sibling died: siblings.c                     at once     + grace      + grace      + 5 s
 *      it is not ready in time                        -           at once      + grace      + 5 s
 *      it has said goodbye, and does not exit         -           + grace      + grace      + 5 s
 *
 * Who leaves at the cancel has committed whole items, run its cleaners and said goodbye; who goes later is as good as killed. What it had
 * in hand is found again by whoever sits there next. So no rung needs to know how far the one before has come. The item deadline of a
 * stage takes the same way, but knows better when to climb: broker/supervise/deadline_watch.c.
 */
#include "broker/lifecycle/lifecycle_priv.h"

void seat_ladder_begin(struct lifecycle *lifecycle, struct life *life, enum cause cause, const char *who,
		       uint64_t now_ns)
{
	struct action *cancel;

	life_must_move(lifecycle, life, SEAT_EVENT_STOP);
	if (life->told == TOLD_NOTHING) /* else it is late, and stands on the ladder for that already */
		life->due_ns = now_ns + life_stage(lifecycle, life)->grace_ns;
	cancel = act(lifecycle, ACTION_CANCEL, life);
	cancel->value = (int)cause;
	cancel->who = who;
	cancel->at_ns = life->told == TOLD_NOTHING ? life->due_ns : now_ns;
}

/* Nobody has told it yet; why it must go is what its state says. */
static void say_term(struct lifecycle *lifecycle, struct life *life)
{
	life->hung = life->state == SEAT_LEAVING;
	if (life->state == SEAT_STOPPING)
		act(lifecycle, ACTION_SAY_DEAF, life);
	else
		act(lifecycle, life->hung ? ACTION_SAY_HANGS : ACTION_SAY_NOT_READY, life);
}

void seat_ladder_climb(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	switch (life->told) {
	case TOLD_NOTHING:
		say_term(lifecycle, life);
		act(lifecycle, ACTION_TERMINATE, life);
		life->told = TOLD_TERM;
		life->due_ns = now_ns + life_stage(lifecycle, life)->grace_ns;
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
