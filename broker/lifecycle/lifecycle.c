/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher: from an event to the decision about it, and after each event the same three questions.
 *
 *      start.c       begin, spawn, everybody ready                    voice.c      what a worker says, and waits for it
 *      seat_ladder.c one worker is to end, others go on                overrun.c    ... because an item took too long there
 *      death.c       exited -> repaired -> examined -> verdict        stop.c       the ladder: drain, cancel, signals, deadlines
 *      succession.c  restart, back-off, retire, give up               resume.c     taking a drain back
 *      siblings.c    who is stopped with it                           failure.c    a stage, a branch or a source has failed
 *      reload.c      some stages go on by another plan                scale.c      a stage has more workers, or fewer
 *      end.c         nobody left: sweep, count, exit code             legacy.c     another supervisor had begun it
 *
 *      after each:   is no sibling being stopped any more? -> fill the seats that wait | is nobody left? -> end | what is due next? -> ARM
 */
#include <errno.h>
#include <stdlib.h>

#include "broker/lifecycle/lifecycle_priv.h"
#include "common/base/error.h"
#include "common/base/must.h"

/* ---- birth ---- */

static int history_init(struct restart_history *history, const struct plan_stage *stage)
{
	history->deaths_ns = calloc(stage->restart_intensity + 1ul, sizeof(*history->deaths_ns));
	return history->deaths_ns ? 0 : error_origin(-ENOMEM);
}

static struct restart_policy policy_of(const struct plan_stage *stage)
{
	return (struct restart_policy){ .intensity = stage->restart_intensity,
					.period_ns = stage->restart_period_ns,
					.backoff_min_ns = stage->backoff_min_ns,
					.backoff_max_ns = stage->backoff_max_ns };
}

static int stage_init(struct stage_life *life, const struct plan_stage *stage)
{
	life->policy = policy_of(stage);
	return history_init(&life->history, stage);
}

/* What one step may say: every rung at once is three actions a seat, the end of a stage as many more. */
#define ACTIONS_PER_SEAT 10u
#define ACTIONS_BESIDE 32u

int lifecycle_init(struct lifecycle *lifecycle, const struct plan *plan, uint64_t start_timeout_ns)
{
	int r = 0;

	*lifecycle = (struct lifecycle){
		.plan = plan,
		.start_timeout_ns = start_timeout_ns ? start_timeout_ns : START_TIMEOUT_DEFAULT_NS,
		.actions_max = ACTIONS_BESIDE + ACTIONS_PER_SEAT * plan->n_slots,
		.lives = calloc(plan->n_slots, sizeof(*lifecycle->lives)),
		.stages = calloc(plan->n_stages, sizeof(*lifecycle->stages)),
		.behind = calloc(plan->n_stages, sizeof(*lifecycle->behind)),
	};
	lifecycle->actions = calloc(lifecycle->actions_max, sizeof(*lifecycle->actions));
	if (!lifecycle->lives || !lifecycle->stages || !lifecycle->behind || !lifecycle->actions)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; r == 0 && i < plan->n_stages; i++)
		r = stage_init(&lifecycle->stages[i], &plan->stages[i]);
	for (uint32_t i = 0; r == 0 && i < plan->n_slots; i++) {
		lifecycle->lives[i] = (struct life){ .stage = plan->slots[i].stage, .stopped_for = NO_SEAT };
		if (plan->stages[plan->slots[i].stage].degrade)
			r = history_init(&lifecycle->lives[i].history, &plan->stages[plan->slots[i].stage]);
	}
	for (uint32_t i = 0; r == 0 && i < plan->n_stages; i++)
		scale_init(lifecycle, i);
	return error_trace(r);
}

static bool same_policy(const struct restart_policy *a, const struct restart_policy *b)
{
	return a->intensity == b->intensity && a->period_ns == b->period_ns && a->backoff_min_ns == b->backoff_min_ns &&
	       a->backoff_max_ns == b->backoff_max_ns;
}

static void history_renew(struct restart_history *history, const struct plan_stage *stage)
{
	if (!history->deaths_ns)
		return;
	free(history->deaths_ns);
	*history = (struct restart_history){ 0 };
	must(history_init(history, stage) == 0);
}

void lifecycle_replan(struct lifecycle *lifecycle)
{
	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++) {
		const struct plan_stage *stage = &lifecycle->plan->stages[i];
		struct stage_life *life = &lifecycle->stages[i];
		const struct restart_policy policy = policy_of(stage);

		if (same_policy(&policy, &life->policy))
			continue;
		life->policy = policy;
		history_renew(&life->history, stage);
		for (uint32_t worker = 0; worker < stage->workers; worker++)
			history_renew(&lifecycle->lives[stage->first_slot + worker].history, stage);
	}
}

void lifecycle_deinit(struct lifecycle *lifecycle)
{
	for (uint32_t i = 0; lifecycle->lives && i < lifecycle->plan->n_slots; i++)
		free(lifecycle->lives[i].history.deaths_ns);
	for (uint32_t i = 0; lifecycle->stages && i < lifecycle->plan->n_stages; i++)
		free(lifecycle->stages[i].history.deaths_ns);
	free(lifecycle->lives);
	free(lifecycle->stages);
	free(lifecycle->behind);
	free(lifecycle->actions);
	*lifecycle = (struct lifecycle){ 0 };
}

/* ---- states and actions ---- */

struct action *act(struct lifecycle *lifecycle, enum action_kind kind, const struct life *life)
{
	struct action *action = &lifecycle->actions[lifecycle->n_actions];

	must(lifecycle->n_actions < lifecycle->actions_max);
	lifecycle->n_actions++;
	*action = (struct action){ .kind = kind, .seat = life ? life_number(lifecycle, life) : NO_SEAT, .who = "" };
	return action;
}

static bool holds_others_back(const struct life *life)
{
	return life->state == SEAT_STOPPING && life->together;
}

bool life_move(struct lifecycle *lifecycle, struct life *life, enum seat_event event)
{
	enum seat_state before = life->state;
	bool held_back = holds_others_back(life);

	if (!seat_next(before, event, &life->state))
		return false;
	/* Unsigned, so adding a difference that is -1 takes one away. */
	lifecycle->n_live += (uint32_t)seat_state_alive(life->state) - (uint32_t)seat_state_alive(before);
	lifecycle->n_over += (uint32_t)seat_state_over(life->state) - (uint32_t)seat_state_over(before);
	lifecycle->n_resting += (uint32_t)(life->state == SEAT_RESTING) - (uint32_t)(before == SEAT_RESTING);
	lifecycle->n_stopping += (uint32_t)holds_others_back(life) - (uint32_t)held_back;
	if (life->state != SEAT_STOPPING)
		life->together = false;
	if (seat_state_over(life->state))
		life->due_ns = 0;
	if (life->waits && life->state != SEAT_BACKOFF) {
		life->waits = false;
		lifecycle->n_waiting--;
	}
	return true;
}

void life_must_move(struct lifecycle *lifecycle, struct life *life, enum seat_event event)
{
	bool moved = life_move(lifecycle, life, event);

	must(moved);
}

void pipeline_move(struct lifecycle *lifecycle, enum pipeline_event event, uint32_t holding)
{
	enum pipeline_state next;

	if (!pipeline_next(lifecycle->state, event, holding, &next) || next == lifecycle->state)
		return;
	lifecycle->state = next;
	act(lifecycle, ACTION_PHASE, NULL)->value = (int)next;
}

/* ---- time ---- */

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return !a_ns || (b_ns && b_ns < a_ns) ? b_ns : a_ns;
}

uint64_t lifecycle_due_ns(const struct lifecycle *lifecycle)
{
	uint64_t due_ns = earlier(lifecycle->start_due_ns, lifecycle->run_due_ns);

	if (lifecycle->finished)
		return 0;
	due_ns = earlier(due_ns, lifecycle->ladder_due_ns);
	due_ns = earlier(due_ns, lifecycle->resume_due_ns);
	due_ns = earlier(due_ns, lifecycle->reload.due_ns);
	due_ns = earlier(due_ns, lifecycle->orphans_due_ns);
	due_ns = earlier(due_ns, scale_due_ns(lifecycle));
	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
		due_ns = earlier(due_ns, lifecycle->lives[i].due_ns);
	return due_ns;
}

bool lifecycle_bounded(const struct lifecycle *lifecycle, uint32_t seat)
{
	const struct life *life = &lifecycle->lives[seat];

	switch (life->state) {
	case SEAT_DONE:
	case SEAT_RETIRED:
	case SEAT_LOST:
	case SEAT_RESTING:
		return true;
	case SEAT_READY: /* works; once it has been told to end, the ladder bounds it: with everybody, for on its own it is not ready */
		if (life->told != TOLD_NOTHING)
			return false;
		return lifecycle->state == PIPELINE_RUNNING || lifecycle->goes_on || lifecycle->start_due_ns ||
		       lifecycle->ladder_due_ns;
	case SEAT_EMPTY:
	case SEAT_SPAWNED:
	case SEAT_OPENING:
		if (life->told != TOLD_NOTHING)
			break;
		return life->due_ns || lifecycle->start_due_ns || lifecycle->ladder_due_ns;
	case SEAT_BACKOFF:
		return life->due_ns || (life->waits && lifecycle->n_stopping);
	case SEAT_STOPPING:
	case SEAT_OVERRUN:
	case SEAT_LEAVING:
	case SEAT_DEAD:
	case SEAT_STATE_COUNT:
		break;
	}
	return life->due_ns != 0;
}

static bool is_due(uint64_t due_ns, uint64_t now_ns)
{
	return due_ns && due_ns <= now_ns;
}

/* One thing at a time: what else is due is armed again, and comes at once. */
static void on_time(struct lifecycle *lifecycle, uint64_t now_ns)
{
	uint64_t due_ns = lifecycle_due_ns(lifecycle);

	lifecycle->armed_ns = 0;
	if (!is_due(due_ns, now_ns))
		return;
	if (due_ns == lifecycle->start_due_ns) {
		lifecycle->start_due_ns = 0;
		start_fail(lifecycle, NULL, REASON_LATE, false, now_ns);
	} else if (due_ns == lifecycle->run_due_ns) {
		lifecycle->run_due_ns = 0;
		stop_climb(lifecycle, RUNG_CANCEL, CAUSE_RUN_DEADLINE, "the run's deadline", now_ns);
	} else if (due_ns == lifecycle->ladder_due_ns) {
		stop_due(lifecycle, now_ns);
	} else if (due_ns == lifecycle->resume_due_ns) {
		resume_roll_back(lifecycle, NULL);
	} else if (due_ns == lifecycle->reload.due_ns) {
		reload_due(lifecycle, now_ns);
	} else if (due_ns == lifecycle->orphans_due_ns) {
		lifecycle->orphans_due_ns = 0;
		if (lifecycle->n_over < lifecycle->plan->n_slots) /* else it is the last sweep: end_check() orders it */
			act(lifecycle, ACTION_SWEEP, NULL);
	} else if (due_ns == scale_due_ns(lifecycle)) {
		scale_due(lifecycle, due_ns);
	} else {
		for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++)
			if (lifecycle->lives[i].due_ns == due_ns) {
				voice_due(lifecycle, &lifecycle->lives[i], now_ns);
				break;
			}
	}
}

/* ---- the step ---- */

/* false: what a worker or a person wants does not fit. */
static bool take_request(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns)
{
	switch (event->kind) {
	case EVENT_DRAIN:
		stop_drain(lifecycle, event->deadline_ns, event->who, now_ns);
		return true;
	case EVENT_CANCEL:
		stop_climb(lifecycle, RUNG_CANCEL, event->cause, event->who, now_ns);
		return true;
	case EVENT_SIGNAL:
		stop_signal(lifecycle, event->signal_number, event->who, now_ns);
		return true;
	case EVENT_RESUME:
		return resume_begin(lifecycle, now_ns);
	case EVENT_RELOAD:
		return reload_begin(lifecycle, event, now_ns);
	case EVENT_RELOAD_ABANDONED:
		return reload_abandon(lifecycle);
	default:
		unreachable_because("the dispatcher sends nothing else here");
	}
}

static bool take_of_worker(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns)
{
	struct life *life = &lifecycle->lives[event->seat];

	switch (event->kind) {
	case EVENT_HELLO:
		return voice_hello(lifecycle, life);
	case EVENT_READY:
		return voice_ready(lifecycle, life, now_ns);
	case EVENT_BYE:
		return voice_bye(lifecycle, life, event, now_ns);
	case EVENT_ACKNOWLEDGED:
		resume_heard(lifecycle, life, event->runs, event->closed);
		return true;
	case EVENT_OVERRUN:
		return overrun_end(lifecycle, life, event->due_ns);
	case EVENT_EXITED:
		death_exited(lifecycle, life, &event->death);
		return true;
	case EVENT_SPAWNED:
		start_spawned(lifecycle, event->seat, now_ns);
		return true;
	case EVENT_SPAWN_FAILED:
		start_spawn_failed(lifecycle, life, event, now_ns);
		return true;
	case EVENT_REPAIRED:
		death_repaired(lifecycle, life, event->repair, now_ns);
		return true;
	case EVENT_EXAMINED:
		death_examined(lifecycle, life, event, now_ns);
		return true;
	case EVENT_AT_GATE:
		return reload_at_gate(life);
	case EVENT_NEWCOMER_GONE:
		reload_newcomer_gone(lifecycle, life);
		return true;
	case EVENT_RETIRED:
		succession_retired(lifecycle, life, event->done, now_ns);
		return true;
	default:
		unreachable_because("the dispatcher sends nothing else here");
	}
}

static bool take(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns)
{
	switch (event->kind) {
	case EVENT_START:
		start_begin(lifecycle, now_ns);
		return true;
	case EVENT_TIME:
		on_time(lifecycle, now_ns);
		return true;
	case EVENT_SWEPT:
		end_swept(lifecycle, event->done, now_ns);
		return true;
	case EVENT_COUNTED:
		end_counted(lifecycle, event->counted);
		return true;
	case EVENT_JUDGED:
		reload_judged(lifecycle, event, now_ns);
		return true;
	case EVENT_DRAIN:
	case EVENT_CANCEL:
	case EVENT_SIGNAL:
	case EVENT_RESUME:
	case EVENT_RELOAD:
	case EVENT_RELOAD_ABANDONED:
		return take_request(lifecycle, event, now_ns);
	case EVENT_CANCEL_STAGE:
		must(event->seat < lifecycle->plan->n_slots);
		return failure_cancel_stage(lifecycle, &lifecycle->lives[event->seat], event->cause, event->who,
					    now_ns);
	case EVENT_SCALE:
		must(event->seat < lifecycle->plan->n_slots);
		return scale_begin(lifecycle, &lifecycle->lives[event->seat], event->n_workers);
	case EVENT_LOOKED:
		must(event->seat < lifecycle->plan->n_slots);
		scale_looked(lifecycle, &lifecycle->lives[event->seat], &event->scale, now_ns);
		return true;
	default:
		must(event->seat < lifecycle->plan->n_slots);
		return take_of_worker(lifecycle, event, now_ns);
	}
}

struct actions lifecycle_step(struct lifecycle *lifecycle, const struct event *event, uint64_t now_ns)
{
	bool taken;
	uint64_t due_ns;

	lifecycle->n_actions = 0;
	if (lifecycle->finished)
		return (struct actions){ .refused = true };
	taken = take(lifecycle, event, now_ns);
	reload_check(lifecycle, now_ns);
	succession_release(lifecycle, now_ns);
	legacy_check_ready(lifecycle);
	scale_settle(lifecycle, now_ns);
	end_check(lifecycle);
	due_ns = lifecycle_due_ns(lifecycle);
	if (due_ns != lifecycle->armed_ns) {
		lifecycle->armed_ns = due_ns;
		act(lifecycle, ACTION_ARM, NULL)->at_ns = due_ns;
	}
	return (struct actions){ .actions = lifecycle->actions, .n = lifecycle->n_actions, .refused = !taken };
}
