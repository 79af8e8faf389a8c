/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker says while it lives, and how long it is waited for.
 *
 *      hello (token) --> SPAWNED -> OPENING
 *      ready ----------> OPENING -> READY      all seats ready: RUN
 *      bye (why) ------> READY -> LEAVING      it gets the grace to exit
 *
 * A worker is not trusted: what it says out of turn is refused. Who is not ready, or does not exit, when his time is over is told so:
 * seat_ladder.c. One that is being stopped says what it says anyway, and nothing of it makes its time longer.
 */
#include "broker/lifecycle/lifecycle_priv.h"

bool voice_hello(struct lifecycle *lifecycle, struct life *life)
{
	/* Its death was faster than its words: a goodbye that says why may follow. */
	return !seat_state_alive(life->state) || life_move(lifecycle, life, SEAT_EVENT_HELLO);
}

static void check_ready(struct lifecycle *lifecycle, uint64_t now_ns)
{
	struct action *run;

	if (lifecycle->state != PIPELINE_STARTING || lifecycle->goes_on)
		return;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		if (lifecycle->lives[i].state != SEAT_READY && lifecycle->lives[i].state != SEAT_RESTING)
			return;
	lifecycle->start_due_ns = 0;
	lifecycle->started_ns = now_ns;
	if (lifecycle->plan->deadline_ns)
		lifecycle->run_due_ns = now_ns + lifecycle->plan->deadline_ns;
	run = act(lifecycle, ACTION_RUN, NULL);
	run->at_ns = lifecycle->run_due_ns;
	pipeline_move(lifecycle, PIPELINE_EVENT_ALL_READY, 1u << PIPELINE_GUARD_EVERY_SEAT_READY);
}

bool voice_ready(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	if (life->told == TOLD_KILL) /* said before: a dead man's word, or that of one stuck in the kernel */
		return false;
	if (!life_move(lifecycle, life, SEAT_EVENT_READY))
		return false;
	life->was_ready = true;
	if (life->state == SEAT_READY) {
		life->due_ns = 0;
		life->told = TOLD_NOTHING; /* it was late, and told so, but here it is */
	}
	act(lifecycle, ACTION_GREET, life);
	check_ready(lifecycle, now_ns);
	return true;
}

bool voice_bye(struct lifecycle *lifecycle, struct life *life, const struct event *event, uint64_t now_ns)
{
	if (life->goodbye || !life_move(lifecycle, life, SEAT_EVENT_BYE))
		return false;
	life->goodbye = true;
	life->goodbye_failed = event->failed;
	life->goodbye_blames_spec = event->blames_spec;
	if (life->state == SEAT_STOPPING || life->state == SEAT_OVERRUN)
		return true;
	if (life->state == SEAT_DEAD) {
		life->due_ns = 0;
		act(lifecycle, ACTION_EXAMINE, life);
		return true;
	}
	if (life->told == TOLD_NOTHING) /* else it is late, and the rest of its time is what it has */
		life->due_ns = now_ns + life_stage(lifecycle, life)->grace_ns;
	resume_gone(lifecycle, life, true);
	return true;
}

void voice_due(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	life->due_ns = 0;
	if (reload_too_late(lifecycle, life, now_ns))
		return;
	switch (life->state) {
	case SEAT_SPAWNED:
	case SEAT_OPENING:
	case SEAT_LEAVING:
	case SEAT_STOPPING:
	case SEAT_OVERRUN:
		seat_ladder_climb(lifecycle, life, now_ns);
		return;
	case SEAT_DEAD: /* its goodbye has not come */
		act(lifecycle, ACTION_EXAMINE, life);
		return;
	case SEAT_BACKOFF:
		succession_back_off_over(lifecycle, life, now_ns);
		return;
	default:
		return;
	}
}
