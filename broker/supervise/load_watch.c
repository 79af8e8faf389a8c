/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages with `workers: {min, max, target_age}` are looked at while items move: how long the oldest item of their lanes has waited
 * (lane_age.c), and what each worker does. autoscale.c decides; what it wants goes the way of `weir scale`.
 *
 *      look:  lanes: tail, done    --> age of the oldest       \
 *             who is dealt to: at work, waits for room behind   >--> autoscale_look() --> EVENT_SCALE, and its numbers into the log
 *             as many as wanted?                               /
 *
 * At rest there is no timer, but for a stage that has more workers than its least: one at the end of its cool-down. It comes and goes with
 * the look for stalls, as that for deadlines does. A refusal (a reload, the end) is no news: the next look sees it is not settled.
 */
#include <stdlib.h>

#include "broker/supervise/autoscale.h"
#include "broker/supervise/lane_age.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"
#include "common/observe/worker_state.h"

#define WAITS_BEHIND (WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT | WAIT_FOR_READERS)

struct load_watch {
	struct autoscale_track *tracks; /* by stage */
	uint64_t *due_ns;               /* of each stage's next look */
	struct lane_age *ages;          /* by lane */
	sd_event_source *timer;
};

/* ---- what is seen ---- */

static bool watches(const struct plan_stage *stage)
{
	return stage->target_age_ns && !stage->unscalable && stage->workers_min < stage->workers;
}

static struct autoscale_limits limits_of(const struct plan_stage *stage)
{
	return (struct autoscale_limits){ .workers_min = stage->workers_min,
					  .workers_max = stage->workers,
					  .target_age_ns = stage->target_age_ns,
					  .cool_down_ns = stage->cool_down_ns,
					  .by_key = stage->balance == HERITAGE_BALANCE_KEY };
}

/* In records where old ones are dropped: what was overwritten is in no position. */
static uint64_t age_of(const struct supervisor *supervisor, uint32_t number, uint64_t now_ns)
{
	const struct plan_lane *lane = &supervisor->plan->lanes[number];
	const struct lane_reader *reader = &supervisor->seats[lane->consumer].segment.readers[lane->reader_index];
	const struct lane_writer *writer = &supervisor->seats[lane->producer].segment.writers[lane->writer_index];
	uint64_t done = load_relaxed(lane->off_hold ? &reader->done_ordinal : &reader->done),
		 tail = load_relaxed(lane->off_hold ? &writer->tail_ordinal : &writer->tail);

	return lane_age_look(&supervisor->loads->ages[number], tail, done, now_ns);
}

static uint64_t oldest_of(const struct supervisor *supervisor, uint32_t stage, uint64_t now_ns)
{
	uint64_t oldest_ns = 0;

	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++)
		if (supervisor->seats[supervisor->plan->lanes[i].consumer].stage_number == stage) {
			uint64_t age_ns = age_of(supervisor, i, now_ns);

			oldest_ns = age_ns > oldest_ns ? age_ns : oldest_ns;
		}
	return oldest_ns;
}

static bool is_blocked(const struct seat *seat)
{
	const struct segment_status *status = seat->segment.status;
	unsigned state = load_relaxed(&status->state);

	return state == WORKER_STATE_WAIT_SPACE ||
	       ((state == WORKER_STATE_WAIT_DATA || state == WORKER_STATE_WAIT_OUTSIDE) &&
		load_relaxed(&status->wait_for) & WAITS_BEHIND);
}

static void see_worker(const struct seat *seat, struct autoscale_sight *sight)
{
	if (seat->life->state != SEAT_READY || seat->life->dealing != DEALING_DEALT)
		return;
	sight->n_dealt++;
	if (is_blocked(seat))
		sight->n_blocked++;
	else if (!seat_only_waits(seat))
		sight->n_busy++;
}

static struct autoscale_sight see(const struct supervisor *supervisor, uint32_t number, uint64_t now_ns)
{
	const struct plan_stage *stage = &supervisor->plan->stages[number];
	const struct stage_life *life = &supervisor->lifecycle.stages[number];
	struct autoscale_sight sight = { .n_wanted = life->wanted, .age_ns = oldest_of(supervisor, number, now_ns) };

	sight.settled = !life->scaling && lifecycle_scale_refusal(&supervisor->lifecycle, stage->first_slot,
								  life->wanted) == SCALE_POSSIBLE;
	for (uint32_t i = 0; i < stage->workers; i++)
		see_worker(&supervisor->seats[stage->first_slot + i], &sight);
	return sight;
}

/* ---- what follows ---- */

static void describe(const struct plan_stage *stage, const struct autoscale_decision *decision, struct text *text)
{
	char age[QUANTITY_TEXT_SIZE], target[QUANTITY_TEXT_SIZE], quiet[QUANTITY_TEXT_SIZE];

	quantity_format_duration(decision->age_ns, age);
	quantity_format_duration(stage->target_age_ns, target);
	quantity_format_duration(decision->quiet_for_ns, quiet);
	if (decision->verdict == AUTOSCALE_SHRINKS)
		text_printf(text, "load: for %s fewer would do; at most %u %% were busy, oldest item %s, target %s",
			    quiet, decision->busy_percent, age, target);
	else
		text_printf(text, "load: oldest item %s, target %s; %u %% are busy, %u %% wait for room", age, target,
			    decision->busy_percent, decision->blocked_percent);
}

static void carry_out(struct supervisor *supervisor, uint32_t number, const struct autoscale_decision *decision)
{
	const struct plan_stage *stage = &supervisor->plan->stages[number];
	const struct stage_watch *watch = &supervisor->stages[number];
	_cleanup_(text_deinit) struct text words = TEXT_NULL;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	describe(stage, decision, &words);
	if (decision->verdict == AUTOSCALE_BLOCKED)
		stage_log(watch, WEIR_LOG_INFO,
			  "stays with %u worker%s: more would wait for the stages behind it, too (%s)",
			  decision->n_workers, decision->n_workers == 1 ? "" : "s", text_get(&words));
	else if (decision->verdict == AUTOSCALE_AT_MOST)
		stage_log(watch, WEIR_LOG_NOTICE, "stays with %u worker%s, workers: {max: %u} (%s)",
			  decision->n_workers, decision->n_workers == 1 ? "" : "s", stage->workers, text_get(&words));
	else if (supervisor_scale(supervisor, stage->name, decision->n_workers, text_get(&words), &why) != 0)
		stage_log(watch, WEIR_LOG_DEBUG, "%s", text_get(&why));
}

/* Returns when it is due again; UINT64_MAX: not before somebody wakes up. */
static uint64_t look_at(struct supervisor *supervisor, uint32_t number, uint64_t now_ns)
{
	const struct autoscale_limits limits = limits_of(&supervisor->plan->stages[number]);
	struct autoscale_track *track = &supervisor->loads->tracks[number];
	struct autoscale_sight sight = see(supervisor, number, now_ns);
	struct autoscale_decision decision = autoscale_look(track, &limits, &sight, now_ns);
	uint64_t due_ns;

	if (decision.verdict != AUTOSCALE_STAYS)
		carry_out(supervisor, number, &decision);
	if (!load_relaxed(&supervisor->board->at_rest))
		return now_ns + autoscale_look_ns(&limits);
	due_ns = autoscale_due_ns(track, &limits, now_ns);
	return due_ns ? due_ns : UINT64_MAX;
}

/* ---- when ---- */

static bool may_look(const struct supervisor *supervisor)
{
	return supervisor->loads && !supervisor->lifecycle.finished && supervisor->lifecycle.state == PIPELINE_RUNNING;
}

static int on_look_due(sd_event_source *source, uint64_t at_us, void *data)
{
	struct supervisor *supervisor = data;
	struct load_watch *watch = supervisor->loads;
	uint64_t now_ns = clock_now_ns(), next_ns = UINT64_MAX;

	(void)source;
	(void)at_us;
	timer_stop(&watch->timer);
	for (uint32_t i = 0; may_look(supervisor) && i < supervisor->plan->n_stages; i++) {
		if (!watches(&supervisor->plan->stages[i]))
			continue;
		if (watch->due_ns[i] <= now_ns)
			watch->due_ns[i] = look_at(supervisor, i, now_ns);
		next_ns = watch->due_ns[i] < next_ns ? watch->due_ns[i] : next_ns;
	}
	if (next_ns != UINT64_MAX && may_look(supervisor))
		timer_set(supervisor, &watch->timer, next_ns, on_look_due, supervisor);
	return 0;
}

void loads_wake(struct supervisor *supervisor)
{
	uint64_t now_ns = clock_now_ns();
	bool any = false;

	for (uint32_t i = 0; may_look(supervisor) && i < supervisor->plan->n_stages; i++)
		if (watches(&supervisor->plan->stages[i])) {
			uint64_t *due_ns = &supervisor->loads->due_ns[i];
			const struct autoscale_limits limits = limits_of(&supervisor->plan->stages[i]);
			uint64_t soon_ns = now_ns + autoscale_look_ns(&limits);

			*due_ns = *due_ns && *due_ns < soon_ns ? *due_ns : soon_ns;
			any = true;
		}
	if (any)
		timer_set(supervisor, &supervisor->loads->timer, now_ns, on_look_due, supervisor);
}

void loads_open(struct supervisor *supervisor)
{
	const struct plan *plan = supervisor->plan;
	struct load_watch *watch = calloc(1, sizeof(*watch));

	must(watch);
	watch->tracks = calloc(plan->n_stages + 1ul, sizeof(*watch->tracks));
	watch->due_ns = calloc(plan->n_stages + 1ul, sizeof(*watch->due_ns));
	watch->ages = calloc(plan->n_lanes + 1ul, sizeof(*watch->ages));
	must(watch->tracks && watch->due_ns && watch->ages);
	supervisor->loads = watch;
}

void loads_stop(struct supervisor *supervisor)
{
	if (supervisor->loads)
		timer_stop(&supervisor->loads->timer);
}

void loads_close(struct supervisor *supervisor)
{
	struct load_watch *watch = supervisor->loads;

	if (!watch)
		return;
	loads_stop(supervisor);
	free(watch->tracks);
	free(watch->due_ns);
	free(watch->ages);
	free(watch);
	supervisor->loads = NULL;
}
