/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some stages are to go on by another plan. Their new workers are made beside the old ones and wait at a gate; nothing is given up before
 * the last of them is there.
 *
 *                      NONE ---- RELOAD ----> PREPARING ---- all are at the gate ----> SWITCHING ---- all are ready ----> PROBATION --.
 *                       ^  newcomers begin       |            EXCHANGE of the plans        |                                  |       |
 *                       |                        |            old ones: cancel, ladder     | a new one fails                  |       |
 *                       |<-- one is gone, late, -'            newcomers take their seats   v                                  v       |
 *                       |    a stop, a newer one                                       REVERTING: EXCHANGE back, new ones: cancel     |
 *                       |<----------------------------------------------- all are ready again                                         |
 *                       '<--------------------------------------------------------------------- its time has passed: done -----------'
 *
 * A stage with `canary` has one worker go first: between PREPARING and SWITCHING only that one is exchanged, and JUDGEd from look
 * to look; it reverts as any other failure does, or, when its time is over, the rest is switched. Whoever dies meanwhile is filled by the
 * new plan.
 *
 * What a seat goes through at the switch is what it goes through when a sibling has died (siblings.c): told to end, reaped, repaired,
 * filled again; so nothing is lost or done twice, and no memory is made. A seat that is empty anyway is filled by the new plan. Stages
 * whose plan is the same hear nothing of all this.
 *
 * A new worker has failed if it is not ready in its time, dies before it is, says that it can't go on, or dies without having got
 * anywhere; or if it is the second death, whatever they did before: one may be the fault of whoever kills. Others of them that die on the
 * way back are no second failure: it is the same one. A stop ends the reload where it is.
 */
#include "broker/lifecycle/lifecycle_priv.h"

#define DEATHS_IN_PROBATION 2u
#define CANARY_LOOK_NS (100 * NS_PER_MS)

static bool is_reloading(const struct lifecycle *lifecycle, const struct life *life)
{
	return lifecycle->reload.state != RELOAD_NONE && lifecycle->stages[life->stage].reloads;
}

static bool is_switched(const struct lifecycle *lifecycle)
{
	return lifecycle->reload.state == RELOAD_CANARY || lifecycle->reload.state == RELOAD_SWITCHING ||
	       lifecycle->reload.state == RELOAD_PROBATION;
}

bool reload_renews(const struct lifecycle *lifecycle, const struct life *life)
{
	return is_switched(lifecycle) && lifecycle->stages[life->stage].reloads;
}

uint64_t reload_opening_ns(const struct lifecycle *lifecycle)
{
	uint64_t opening_ns = lifecycle->reload.terms.opening_ns;

	return opening_ns ? opening_ns : lifecycle->start_timeout_ns;
}

/* ---- the end ---- */

static void dismiss(struct lifecycle *lifecycle)
{
	act(lifecycle, ACTION_DISMISS, NULL);
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		lifecycle->lives[i].newcomer = lifecycle->lives[i].at_gate = false;
}

/* culprit NULL: nobody in particular. */
static void end(struct lifecycle *lifecycle, enum reload_end how, const struct life *culprit)
{
	dismiss(lifecycle);
	lifecycle->reload = (struct reload){ .state = RELOAD_NONE };
	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++)
		lifecycle->stages[i].reloads = false;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		lifecycle->lives[i].renewed = lifecycle->lives[i].canary = false;
	act(lifecycle, ACTION_RELOAD_OVER, culprit)->value = (int)how;
}

/* ---- stopping and filling seats ---- */

static void stop_seat(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	if (life->state == SEAT_BACKOFF && !life->waits)
		life->due_ns = now_ns; /* a back-off is for the plan that it had */
	if (life->state != SEAT_SPAWNED && life->state != SEAT_OPENING && life->state != SEAT_READY)
		return; /* it is going anyway */
	life->restart_ns = now_ns;
	life->makes_room = true;
	seat_ladder_begin(lifecycle, life, CAUSE_CONFIG, "weir reload", now_ns);
}

/* Of each stage that wants one, the last worker that is left. Returns whether there is any. */
static bool choose_canaries(struct lifecycle *lifecycle)
{
	bool any = false;

	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++) {
		const struct plan_stage *stage = &lifecycle->plan->stages[i];
		struct life *chosen = NULL;

		if (!lifecycle->stages[i].reloads || !stage->canary_ns)
			continue;
		for (uint32_t worker = 0; worker < stage->workers; worker++)
			if (!seat_state_over(lifecycle->lives[stage->first_slot + worker].state))
				chosen = &lifecycle->lives[stage->first_slot + worker];
		if (chosen)
			any = chosen->canary = true;
	}
	return any;
}

/* Those that go first, or all that have not gone yet. */
static void switch_seats(struct lifecycle *lifecycle, bool canaries, uint64_t now_ns)
{
	lifecycle->reload.state = canaries ? RELOAD_CANARY : RELOAD_SWITCHING;
	lifecycle->reload.due_ns = lifecycle->reload.canary_end_ns = 0;
	for (uint32_t i = lifecycle->plan->n_slots; i-- > 0;) {
		struct life *life = &lifecycle->lives[i];

		if (is_reloading(lifecycle, life) && !life->renewed && (!canaries || life->canary))
			stop_seat(lifecycle, life, now_ns);
	}
}

static void switch_over(struct lifecycle *lifecycle, uint64_t now_ns)
{
	act(lifecycle, ACTION_EXCHANGE, NULL);
	switch_seats(lifecycle, choose_canaries(lifecycle), now_ns);
}

/*
 * As far as we know it has never been ready, so there is nothing that it could finish. Its word that it is may be on the way, and an item
 * in its hand: that is as innocent as those of all who are told to make room.
 */
static void give_up_opening(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	act(lifecycle, ACTION_KILL, life);
	life->restart_ns = now_ns;
	life->makes_room = true;
	life->told = TOLD_KILL;
	life->due_ns = now_ns + UNKILLABLE_NS;
}

static bool is_opening(const struct life *life)
{
	return life->state == SEAT_SPAWNED || life->state == SEAT_OPENING;
}

static void take_back(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	if (life->renewed && is_opening(life))
		give_up_opening(lifecycle, life, now_ns);
	else if (life->renewed || life->state == SEAT_BACKOFF)
		stop_seat(lifecycle, life, now_ns);
}

static void revert(struct lifecycle *lifecycle, const struct life *culprit, uint64_t now_ns)
{
	struct action *exchange = act(lifecycle, ACTION_EXCHANGE, culprit);

	exchange->value = 1;
	dismiss(lifecycle);
	lifecycle->reload.state = RELOAD_REVERTING;
	lifecycle->reload.due_ns = 0;
	lifecycle->reload.culprit = life_number(lifecycle, culprit);
	for (uint32_t i = lifecycle->plan->n_slots; i-- > 0;) {
		struct life *life = &lifecycle->lives[i];

		if (life != culprit && is_reloading(lifecycle, life))
			take_back(lifecycle, life, now_ns);
	}
}

/* ---- what happens ---- */

static bool may_begin(const struct lifecycle *lifecycle, const bool *changed)
{
	if (lifecycle->reload.state != RELOAD_NONE || lifecycle->state != PIPELINE_RUNNING ||
	    lifecycle->ladder.rung != RUNG_NONE)
		return false;
	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++)
		if (changed[i] && (lifecycle->stages[i].abandoned || lifecycle->stages[i].scaling))
			return false;
	return true;
}

bool reload_begin(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns)
{
	if (!may_begin(lifecycle, event->changed))
		return false;
	lifecycle->reload = (struct reload){ .state = RELOAD_PREPARING,
					     .due_ns = now_ns + lifecycle->start_timeout_ns,
					     .terms = event->terms };
	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++)
		lifecycle->stages[i].reloads = event->changed[i];
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		struct life *life = &lifecycle->lives[i];

		if (!is_reloading(lifecycle, life) || seat_state_over(life->state) || life->state == SEAT_RESTING)
			continue; /* who rests begins by the new plan when the stage grows */
		life->newcomer = true;
		act(lifecycle, ACTION_REHEARSE, life);
	}
	return true;
}

bool reload_at_gate(struct life *life)
{
	if (!life->newcomer)
		return false;
	life->at_gate = true;
	return true;
}

void reload_newcomer_gone(struct lifecycle *lifecycle, struct life *life)
{
	if (!life->newcomer)
		return;
	life->newcomer = life->at_gate = false;
	if (lifecycle->reload.state == RELOAD_PREPARING)
		end(lifecycle, RELOAD_END_NOT_BEGUN, life);
	/* else the seat is filled without it */
}

bool reload_abandon(struct lifecycle *lifecycle)
{
	if (lifecycle->reload.state != RELOAD_PREPARING)
		return false;
	end(lifecycle, RELOAD_END_ABANDONED, NULL);
	return true;
}

/* ---- those that go first ---- */

static void judge(struct lifecycle *lifecycle, uint64_t now_ns)
{
	uint64_t next_ns = now_ns + CANARY_LOOK_NS;
	bool is_over = now_ns >= lifecycle->reload.canary_end_ns;

	lifecycle->reload.due_ns =
		next_ns < lifecycle->reload.canary_end_ns || is_over ? next_ns : lifecycle->reload.canary_end_ns;
	act(lifecycle, ACTION_JUDGE, NULL)->value = is_over;
}

void reload_judged(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns)
{
	if (lifecycle->reload.state != RELOAD_CANARY)
		return;
	if (event->seat != NO_SEAT) {
		revert(lifecycle, &lifecycle->lives[event->seat], now_ns);
		take_back(lifecycle, &lifecycle->lives[event->seat], now_ns);
	} else if (event->done) {
		switch_seats(lifecycle, false, now_ns);
	}
}

/* The time of all of them begins when the last one is ready. */
static void begin_canaries(struct lifecycle *lifecycle, uint64_t now_ns)
{
	uint64_t for_ns = 0;

	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		const struct life *life = &lifecycle->lives[i];

		if (!life->canary || seat_state_over(life->state))
			continue;
		if (life->state != SEAT_READY || !life->renewed)
			return;
		if (life_stage(lifecycle, life)->canary_ns > for_ns)
			for_ns = life_stage(lifecycle, life)->canary_ns;
	}
	lifecycle->reload.canary_end_ns = now_ns + for_ns;
	lifecycle->reload.due_ns = now_ns + (for_ns < CANARY_LOOK_NS ? for_ns : CANARY_LOOK_NS);
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		if (lifecycle->lives[i].canary)
			act(lifecycle, ACTION_CANARY, &lifecycle->lives[i]);
}

void reload_due(struct lifecycle *lifecycle, uint64_t now_ns)
{
	const struct life *late = NULL;

	if (lifecycle->reload.state == RELOAD_CANARY) {
		judge(lifecycle, now_ns);
		return;
	}
	for (uint32_t i = 0; !late && i < lifecycle->plan->n_slots; i++)
		if (lifecycle->lives[i].newcomer && !lifecycle->lives[i].at_gate)
			late = &lifecycle->lives[i];
	if (lifecycle->reload.state == RELOAD_PREPARING)
		end(lifecycle, RELOAD_END_LATE, late);
	else
		end(lifecycle, RELOAD_END_DONE, NULL);
}

/* ---- a new worker has died ---- */

static bool has_failed(struct lifecycle *lifecycle, const struct life *life)
{
	if (!life->was_ready || (life->goodbye && life->goodbye_failed) || !life->death.progressed)
		return true;
	return ++lifecycle->reload.n_deaths >= DEATHS_IN_PROBATION;
}

bool reload_too_late(struct lifecycle *lifecycle, struct life *life, uint64_t now_ns)
{
	if (!is_switched(lifecycle) || !life->renewed || !is_opening(life) || life->stands_in ||
	    life->told != TOLD_NOTHING)
		return false;
	act(lifecycle, ACTION_SAY_NOT_READY, life);
	give_up_opening(lifecycle, life, now_ns);
	revert(lifecycle, life, now_ns);
	return true;
}

static bool died_by_itself(const struct life *life, enum verdict verdict)
{
	return !life->stands_in && !life->stopped && !life->overrun && !life->memory.closed &&
	       verdict != VERDICT_DONE && verdict != VERDICT_LOST && verdict != VERDICT_AGAIN;
}

bool reload_blames(struct lifecycle *lifecycle, struct life *life, enum verdict verdict, uint64_t now_ns)
{
	bool reverting = lifecycle->reload.state == RELOAD_REVERTING; /* it was dying already */
	struct action *say;

	if (!(reverting || is_switched(lifecycle)) || !life->renewed || !died_by_itself(life, verdict) ||
	    !(reverting || has_failed(lifecycle, life)))
		return false;
	say = act(lifecycle, ACTION_SAY_DEATH, life);
	say->value = (int)NEXT_REVERTED;
	if (reverting)
		act(lifecycle, ACTION_FORGIVE, life);
	else
		revert(lifecycle, life, now_ns);
	life->failures = 0;
	life->restart_ns = now_ns;
	succession_back_off(lifecycle, life);
	return true;
}

/* ---- after each event ---- */

static bool all_at_gate(const struct lifecycle *lifecycle)
{
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		if (lifecycle->lives[i].newcomer && !lifecycle->lives[i].at_gate)
			return false;
	return true;
}

/* In each of their seats sits a worker of the plan that is in force now, and has its stage open; or nobody ever will. */
static bool all_ready(const struct lifecycle *lifecycle)
{
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		const struct life *life = &lifecycle->lives[i];
		bool settled =
			life->state == SEAT_RESTING ||
			(life->state == SEAT_READY && life->renewed == (lifecycle->reload.state == RELOAD_SWITCHING));

		if (is_reloading(lifecycle, life) && !settled && !seat_state_over(life->state) && !life->stands_in)
			return false;
	}
	return true;
}

static void begin_probation(struct lifecycle *lifecycle, uint64_t now_ns)
{
	dismiss(lifecycle); /* of seats that are over */
	lifecycle->reload.state = RELOAD_PROBATION;
	lifecycle->reload.due_ns = now_ns + lifecycle->reload.terms.probation_ns;
	act(lifecycle, ACTION_RELOAD_SWITCHED, NULL);
	if (!lifecycle->reload.terms.probation_ns)
		end(lifecycle, RELOAD_END_DONE, NULL);
}

static void stop_with_the_rest(struct lifecycle *lifecycle)
{
	switch (lifecycle->reload.state) {
	case RELOAD_PREPARING:
		end(lifecycle, RELOAD_END_STOPPED, NULL);
		return;
	case RELOAD_CANARY: /* most of them work by the spec before, and who goes on comes with that one */
		act(lifecycle, ACTION_EXCHANGE, NULL)->value = 1;
		end(lifecycle, RELOAD_END_STOPPED, NULL);
		return;
	case RELOAD_SWITCHING:
	case RELOAD_PROBATION:
		end(lifecycle, RELOAD_END_CUT_SHORT, NULL);
		return;
	default:
		end(lifecycle, RELOAD_END_ROLLED_BACK, &lifecycle->lives[lifecycle->reload.culprit]);
		return;
	}
}

void reload_check(struct lifecycle *lifecycle, uint64_t now_ns)
{
	if (lifecycle->reload.state == RELOAD_NONE)
		return;
	if (lifecycle->ladder.rung != RUNG_NONE)
		stop_with_the_rest(lifecycle);
	else if (lifecycle->reload.state == RELOAD_PREPARING && all_at_gate(lifecycle))
		switch_over(lifecycle, now_ns);
	if (lifecycle->reload.state == RELOAD_CANARY && !lifecycle->reload.canary_end_ns)
		begin_canaries(lifecycle, now_ns);
	if (lifecycle->reload.state == RELOAD_SWITCHING && all_ready(lifecycle))
		begin_probation(lifecycle, now_ns);
	else if (lifecycle->reload.state == RELOAD_REVERTING && all_ready(lifecycle))
		end(lifecycle, RELOAD_END_ROLLED_BACK, &lifecycle->lives[lifecycle->reload.culprit]);
}

const char *reload_end_name(enum reload_end how)
{
	static const char *const names[] = {
#define RELOAD_END(id_, name_, sentence_) name_,
#include "broker/lifecycle/reload_end.def"
#undef RELOAD_END
	};

	return names[how];
}

const char *reload_end_sentence(enum reload_end how)
{
	static const char *const sentences[] = {
#define RELOAD_END(id_, name_, sentence_) sentence_,
#include "broker/lifecycle/reload_end.def"
#undef RELOAD_END
	};

	return sentences[how];
}
