/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ladder, the one way out for every order to stop: drain, ^C, cancel, the run's deadline, a failure. ladder.h has its times.
 *
 *      rung       board     message    signal                    restarts    a dead worker
 *      drain      DRAIN     drain                                on          is repaired and restarted: items must get through
 *      cancel     CANCEL    cancel                               off         is repaired
 *      SIGTERM                         SIGTERM, SIGCONT          off         is repaired
 *      SIGKILL                         SIGKILL to it, its group  off         is repaired
 *
 * Every rung is climbed once, in order, also when a person skips to a higher one; each says who is still there.
 */
#include "broker/lifecycle/lifecycle_priv.h"

static void restarts_off(struct lifecycle *lifecycle)
{
	lifecycle->restarts_off = true;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		struct life *life = &lifecycle->lives[i];

		if (life->state == SEAT_BACKOFF || life->state == SEAT_EMPTY)
			life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
	}
}

static void for_everybody(struct lifecycle *lifecycle, enum action_kind kind)
{
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		if (seat_state_alive(lifecycle->lives[i].state))
			act(lifecycle, kind, &lifecycle->lives[i]);
}

/* When SIGTERM comes, for those who have to know how much time is left. */
static void post_grace(struct lifecycle *lifecycle)
{
	uint64_t at_ns = ladder_time_of(&lifecycle->ladder, RUNG_TERM);

	act(lifecycle, ACTION_GRACE, NULL)->at_ns = at_ns ? at_ns : 1;
}

static void order(struct lifecycle *lifecycle, enum rung rung, const char *who)
{
	struct action *action;

	post_grace(lifecycle); /* before the order: who has seen that reads this */
	action = act(lifecycle, ACTION_ORDER, NULL);
	action->value = (int)rung;
	action->who = who;
}

static void climb_one(struct lifecycle *lifecycle, enum rung rung, const char *who)
{
	switch (rung) {
	case RUNG_NONE:
		return;
	case RUNG_DRAIN:
		/* On the way to a cancel nobody is told to drain: else a source that is quick would make it look like a natural end. */
		if (lifecycle->ladder.rung == RUNG_DRAIN)
			order(lifecycle, RUNG_DRAIN, who);
		return;
	case RUNG_CANCEL:
		order(lifecycle, RUNG_CANCEL, who);
		act(lifecycle, ACTION_ASK, NULL);
		restarts_off(lifecycle);
		return;
	case RUNG_TERM:
		for_everybody(lifecycle, ACTION_TERMINATE);
		return;
	case RUNG_KILL:
		for_everybody(lifecycle, ACTION_KILL);
		return;
	}
}

static void arm_ladder(struct lifecycle *lifecycle)
{
	const struct ladder *ladder = &lifecycle->ladder;

	post_grace(lifecycle);
	lifecycle->ladder_due_ns = ladder->rung == RUNG_KILL ? ladder->deadline_ns + UNKILLABLE_NS :
							       ladder_time_of(ladder, ladder->rung + 1);
	if (!lifecycle->ladder_due_ns)
		lifecycle->ladder_due_ns = 1;
}

static uint64_t longest_grace_ns(const struct plan *plan)
{
	uint64_t longest_ns = 0;

	for (uint32_t i = 0; i < plan->n_stages; i++)
		if (plan->stages[i].grace_ns > longest_ns)
			longest_ns = plan->stages[i].grace_ns;
	return longest_ns;
}

static void step_on(struct lifecycle *lifecycle, uint64_t deadline_ns, uint64_t now_ns)
{
	lifecycle->start_due_ns = 0;
	lifecycle->drain_for_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
	ladder_begin(&lifecycle->ladder, now_ns, deadline_ns ? deadline_ns : now_ns + lifecycle->plan->drain_ns,
		     longest_grace_ns(lifecycle->plan));
	pipeline_move(lifecycle, PIPELINE_EVENT_STOP_ORDERED, 0);
}

static void say_climbed(struct lifecycle *lifecycle, enum rung rung, const char *who)
{
	struct action *say = act(lifecycle, ACTION_SAY_CLIMBED, NULL);

	say->value = (int)rung;
	say->who = who;
}

void stop_climb(struct lifecycle *lifecycle, enum rung rung, enum cause cause, const char *who, uint64_t now_ns)
{
	enum rung before = lifecycle->ladder.rung;

	if (rung <= before)
		return;
	if (before == RUNG_NONE)
		step_on(lifecycle, 0, now_ns);
	resume_roll_back(lifecycle, NULL);
	if (rung >= RUNG_CANCEL && before < RUNG_CANCEL)
		lifecycle->cause = cause;
	ladder_skip(&lifecycle->ladder, now_ns, rung);
	say_climbed(lifecycle, rung, who);
	for (enum rung step = before + 1; step <= rung; step++)
		climb_one(lifecycle, step, who);
	arm_ladder(lifecycle);
}

void stop_drain(struct lifecycle *lifecycle, uint64_t deadline_ns, const char *who, uint64_t now_ns)
{
	if (lifecycle->ladder.rung == RUNG_NONE) {
		step_on(lifecycle, deadline_ns, now_ns);
		say_climbed(lifecycle, RUNG_DRAIN, who);
		climb_one(lifecycle, RUNG_DRAIN, who);
		arm_ladder(lifecycle);
		return;
	}
	resume_roll_back(lifecycle, NULL);
	if (deadline_ns && ladder_shorten(&lifecycle->ladder, now_ns, deadline_ns)) {
		lifecycle->drain_for_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 1;
		arm_ladder(lifecycle);
	}
}

void stop_signal(struct lifecycle *lifecycle, int signal_number, const char *who, uint64_t now_ns)
{
	if (lifecycle->ladder.rung == RUNG_NONE) {
		lifecycle->outcome.signal_number = signal_number;
		stop_drain(lifecycle, 0, who, now_ns);
	} else if (!lifecycle->signalled) {
		resume_roll_back(lifecycle, NULL);
		act(lifecycle, ACTION_SAY_STOPPING_ALREADY, NULL)->who = who;
	} else if (lifecycle->ladder.rung < RUNG_KILL) {
		stop_climb(lifecycle, lifecycle->ladder.rung + 1, CAUSE_USER, who, now_ns);
	}
	lifecycle->signalled = true;
}

/* Nothing stops SIGKILL but the kernel itself: such a process is reported and left behind, never repaired. */
static void give_up_unkillable(struct lifecycle *lifecycle)
{
	lifecycle->ladder_due_ns = 0;
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		struct life *life = &lifecycle->lives[i];

		if (!seat_state_alive(life->state))
			continue;
		act(lifecycle, ACTION_LEAVE_BEHIND, life);
		life_must_move(lifecycle, life, SEAT_EVENT_GIVE_UP);
	}
}

void stop_due(struct lifecycle *lifecycle, uint64_t now_ns)
{
	enum rung due = ladder_due(&lifecycle->ladder, now_ns);

	if (lifecycle->ladder.rung == RUNG_KILL) {
		give_up_unkillable(lifecycle);
		return;
	}
	if (due == lifecycle->ladder.rung) { /* the deadline has moved meanwhile */
		arm_ladder(lifecycle);
		return;
	}
	if (lifecycle->ladder.rung == RUNG_DRAIN) {
		lifecycle->outcome.drain_deadline_passed = true;
		lifecycle->cause = CAUSE_DRAIN_DEADLINE;
	}
	stop_climb(lifecycle, due, lifecycle->cause, "time is up", now_ns);
}
