/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which event counts as what. The others beside this file call one function where something has happened; what can be read at any time
 * (the ledger, who lives, what lies in lanes) is read when somebody asks.
 *
 *      every action, deaths, acknowledgements, stalls -- one call --> counters, histograms --+
 *                                                                                          +--> "metrics" --> weir metrics
 *      workers' segments ------------- view_take() when asked ----> gauges, ledger --------+
 */
#include <stdlib.h>

#include "broker/supervise/lane_look.h"
#include "broker/supervise/loop_meter.h"
#include "broker/supervise/metrics.h"
#include "broker/supervise/process_state.h"
#include "broker/supervise/stall_episode.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"

struct metrics_watch {
	struct metrics metrics;
	uint64_t ordered_ns[METRIC_ORDER_COUNT]; /* when it was given to all; 0: not yet */
	uint64_t *stuck_ns;                      /* stage * kind: of stalls that are over */
	struct loop_meter loop;
};

int metrics_open(struct supervisor *supervisor)
{
	struct metrics_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return error_origin(-ENOMEM);
	supervisor->metrics = watch;
	r = metrics_init(&watch->metrics, supervisor->plan);
	if (r < 0)
		return error_trace(r);
	watch->stuck_ns = calloc(supervisor->plan->n_stages * (size_t)STALL_KIND_COUNT + 1, sizeof(*watch->stuck_ns));
	return watch->stuck_ns ? error_trace(loop_meter_open(&watch->loop, supervisor->event)) : error_origin(-ENOMEM);
}

void metrics_close(struct supervisor *supervisor)
{
	struct metrics_watch *watch = supervisor->metrics;

	if (!watch)
		return;
	loop_meter_close(&watch->loop);
	metrics_deinit(&watch->metrics);
	free(watch->stuck_ns);
	free(watch);
	supervisor->metrics = NULL;
}

/* ---- orders ---- */

void metrics_cancelled(struct supervisor *supervisor, enum cause cause)
{
	metrics_add(&supervisor->metrics->metrics, METRIC_CANCELS, (size_t)cause, 0, 1);
}

void metrics_timed_out(struct supervisor *supervisor, const struct seat *seat, enum timeout_level level)
{
	size_t place = seat ? seat->stage_number : supervisor->plan->n_stages;

	metrics_add(&supervisor->metrics->metrics, METRIC_TIMEOUTS, place, (size_t)level, 1);
}

/* Who was there when the order was given: nobody else can have been slow to see it. */
static bool was_there(const struct seat *seat, uint64_t ordered_ns)
{
	return ordered_ns && seat->life->was_ready && seat->spawned_ns < ordered_ns;
}

void metrics_seen(struct seat *seat, uint64_t order, uint64_t seen_ns)
{
	struct metrics_watch *watch = seat->supervisor->metrics;
	enum metric_order which = order >= BOARD_CANCEL ? METRIC_ORDER_CANCEL : METRIC_ORDER_DRAIN;
	uint64_t ordered_ns = watch->ordered_ns[which], now_ns = clock_now_ns();
	char took[QUANTITY_TEXT_SIZE];

	if (order < BOARD_DRAIN || !was_there(seat, ordered_ns))
		return;
	/* It is the worker's word: it can't have seen what was not given yet, nor say so before it was. */
	seen_ns = seen_ns < ordered_ns ? ordered_ns : seen_ns > now_ns ? now_ns : seen_ns;
	metrics_observe(&watch->metrics, METRIC_ORDER_SEEN, which, seen_ns - ordered_ns);
	seat_log(seat, WEIR_LOG_DEBUG, "has seen the order to %s after %s (%llu ns, at %llu)",
		 metric_label_value(METRIC_LABEL_ORDER, seat->supervisor->plan, which),
		 quantity_format_duration(seen_ns - ordered_ns, took), (unsigned long long)(seen_ns - ordered_ns),
		 (unsigned long long)seen_ns);
}

void metrics_exited(struct seat *seat)
{
	struct metrics_watch *watch = seat->supervisor->metrics;
	enum metric_order which = watch->ordered_ns[METRIC_ORDER_CANCEL] ? METRIC_ORDER_CANCEL : METRIC_ORDER_DRAIN;
	uint64_t ordered_ns = watch->ordered_ns[which];

	if (!was_there(seat, ordered_ns) || seat->death.when_ns < ordered_ns)
		return;
	metrics_observe(&watch->metrics, METRIC_EXIT, which, seat->death.when_ns - ordered_ns);
	seat_log(seat, WEIR_LOG_DEBUG, "has exited %llu ns after the order to %s",
		 (unsigned long long)(seat->death.when_ns - ordered_ns),
		 metric_label_value(METRIC_LABEL_ORDER, seat->supervisor->plan, which));
}

/* ---- restarts ---- */

static enum restart_reason reason_of(const struct seat *seat)
{
	const struct death *death = &seat->death;

	if (death->stopped)
		return RESTART_REASON_SIBLING;
	if (!death->when_ns)
		return RESTART_REASON_NO_FORK;
	if (death->exec_errno)
		return RESTART_REASON_EXEC_FAILED;
	if (seat->overdue)
		return RESTART_REASON_NEVER_READY;
	if (seat->hung)
		return RESTART_REASON_HUNG;
	if (!death->exited && death->oom_kills)
		return RESTART_REASON_MEMORY;
	if (!death->exited)
		return RESTART_REASON_SIGNAL;
	return death->status == 0 ? RESTART_REASON_EXIT_ZERO : RESTART_REASON_EXIT_CODE;
}

const char *metrics_restart_reason(const struct seat *seat)
{
	return metric_label_value(METRIC_LABEL_REASON, seat->supervisor->plan, (size_t)reason_of(seat));
}

/* A stand-in is no next generation: it discards what comes. */
static void count_spawn(const struct seat *seat)
{
	const struct supervisor *supervisor = seat->supervisor;

	if (seat->life->generation && !seat->life->grows && !supervisor->lifecycle.stages[seat->stage_number].abandoned)
		metrics_add(&supervisor->metrics->metrics, METRIC_RESTARTS, seat->stage_number, (size_t)reason_of(seat),
			    1);
}

/* ---- what is decided ---- */

static void count_order(struct supervisor *supervisor, enum metric_order order)
{
	const struct lifecycle *lifecycle = &supervisor->lifecycle;

	supervisor->metrics->ordered_ns[order] = clock_now_ns();
	if (order != METRIC_ORDER_CANCEL)
		return;
	metrics_cancelled(supervisor, lifecycle->cause);
	if (lifecycle->cause == CAUSE_RUN_DEADLINE)
		metrics_timed_out(supervisor, NULL, TIMEOUT_RUN);
	else if (lifecycle->cause == CAUSE_DRAIN_DEADLINE)
		metrics_timed_out(supervisor, NULL, TIMEOUT_DRAIN);
}

void metrics_perform(struct supervisor *supervisor, const struct action *action)
{
	struct seat *seat = action->seat == NO_SEAT ? NULL : &supervisor->seats[action->seat];

	switch (action->kind) {
	case ACTION_ORDER:
		count_order(supervisor, action->value >= RUNG_CANCEL ? METRIC_ORDER_CANCEL : METRIC_ORDER_DRAIN);
		return;
	case ACTION_REST:
		supervisor->metrics->ordered_ns[METRIC_ORDER_DRAIN] = 0; /* taken back */
		return;
	case ACTION_SPAWN:
		count_spawn(seat);
		return;
	case ACTION_SAY_NOT_READY:
		seat->overdue = true;
		metrics_timed_out(supervisor, seat, TIMEOUT_START);
		return;
	case ACTION_SAY_START_FAILED:
		if (action->value == REASON_LATE)
			metrics_timed_out(supervisor, NULL, TIMEOUT_START);
		return;
	case ACTION_SAY_OVERRUN:
		seat->n_overruns += !seat->overrun.stopped_ns;
		return;
	case ACTION_SAY_HANGS:
		seat->hung = true;
		metrics_timed_out(supervisor, seat, TIMEOUT_EXIT);
		return;
	default:
		return;
	}
}

/* ---- stalls ---- */

void metrics_stalled(struct supervisor *supervisor, const struct stall_episode *episode, uint64_t now_ns)
{
	struct metrics_watch *watch = supervisor->metrics;
	size_t stage = supervisor->seats[episode->culprit].stage_number, kind = (size_t)episode->kind;

	if (episode->open)
		metrics_add(&watch->metrics, METRIC_STALLS, stage, kind, 1);
	else
		watch->stuck_ns[stage * STALL_KIND_COUNT + kind] += now_ns - episode->since_ns;
}

static void sample_stuck(const struct supervisor *supervisor, struct metrics_watch *watch, uint64_t now_ns)
{
	const struct stall_episode *episodes = stalls_episodes(supervisor);

	for (size_t stage = 0; stage < supervisor->plan->n_stages; stage++)
		for (size_t kind = 0; kind < STALL_KIND_COUNT; kind++)
			metrics_set(&watch->metrics, METRIC_STUCK, stage, kind,
				    watch->stuck_ns[stage * STALL_KIND_COUNT + kind]);
	for (size_t i = 0; episodes && i < STALL_FINDINGS_MAX; i++)
		if (episodes[i].open && now_ns > episodes[i].since_ns)
			metrics_add(&watch->metrics, METRIC_STUCK, supervisor->seats[episodes[i].culprit].stage_number,
				    (size_t)episodes[i].kind, now_ns - episodes[i].since_ns);
}

/* ---- when somebody asks ---- */

/* A worker that commits faster than it can be read is missing from a view: a counter does not go back for that. */
static void sample_counter(struct metrics *metrics, enum metric metric, size_t first, size_t second, uint64_t value)
{
	if (value > metrics_value(metrics, metric, first, second))
		metrics_set(metrics, metric, first, second, value);
}

static void sample_stage(struct metrics *metrics, size_t number, const struct view_stage *stage)
{
	/* What a source gives up was not let in; what others do has been on its way for too long. */
	enum timeout_level level = metrics->plan->stages[number].role == WEIR_SOURCE ? TIMEOUT_ADMISSION : TIMEOUT_RUN;

	for (size_t line = 0; line < LEDGER_COUNT; line++)
		sample_counter(metrics, METRIC_ITEMS, number, line, stage->ledger[line]);
	sample_counter(metrics, METRIC_TIMEOUTS, number, level, stage->ledger[LEDGER_EXPIRED]);
	sample_counter(metrics, METRIC_TIMEOUTS, number, TIMEOUT_ITEM, stage->overruns);
	metrics_set(metrics, METRIC_HELD, number, 0, stage->ledger[LEDGER_HELD]);
	metrics_set(metrics, METRIC_QUEUE, number, 0, stage->queue_bytes);
	metrics_set(metrics, METRIC_QUEUE_CAPACITY, number, 0, stage->queue_capacity_bytes);
	metrics_set(metrics, METRIC_WORKERS, number, 0, stage->n_live);
	metrics_set(metrics, METRIC_WORKERS_WANTED, number, 0, stage->n_wanted);
}

static void sample_latency(const struct supervisor *supervisor, enum metric metric, enum histogram_id id)
{
	const struct plan *plan = supervisor->plan;

	for (size_t number = 0; number < plan->n_stages; number++) {
		struct histogram *latency = metrics_latency(&supervisor->metrics->metrics, metric, number);

		*latency = (struct histogram){ 0 };
		for (uint32_t i = 0; i < plan->stages[number].workers; i++)
			histogram_read(&supervisor->seats[plan->stages[number].first_slot + i].segment, id, latency);
	}
}

static struct lane_place lane_place_of(const struct supervisor *supervisor, const struct plan_lane *lane)
{
	const struct plan *plan = supervisor->plan;

	return (struct lane_place){
		.producer = &supervisor->seats[lane->producer].segment,
		.consumer = &supervisor->seats[lane->consumer].segment,
		.data_fd = supervisor->seats[lane->producer].segment_read_fd,
		.off_data = lane->off_data,
		.capacity_bytes = lane->capacity_bytes,
		.writer_index = lane->writer_index,
		.reader_index = lane->reader_index,
		.drops_old = plan->stages[plan->edges[lane->edge].to].full == HERITAGE_FULL_DROP_OLD,
	};
}

struct edge_sums {
	struct lane_state all;
	uint64_t capacity_bytes;
};

static void add_lane(struct edge_sums *sums, const struct plan_lane *lane, const struct lane_state *state)
{
	uint64_t oldest_ns = state->oldest_accepted_ns, *first_ns = &sums->all.oldest_accepted_ns;

	sums->capacity_bytes += lane->capacity_bytes;
	sums->all.in_bytes += state->in_bytes;
	sums->all.out_bytes += state->out_bytes;
	sums->all.bytes += state->bytes;
	sums->all.items += state->items;
	sums->all.blocked_ns += state->blocked_ns;
	if (oldest_ns && (!*first_ns || oldest_ns < *first_ns))
		*first_ns = oldest_ns;
}

static void sample_edge(struct metrics *metrics, size_t number, const struct edge_sums *sums, uint64_t now_ns)
{
	uint64_t oldest_ns = sums->all.oldest_accepted_ns;

	metrics_set(metrics, METRIC_EDGE_BYTES, number, 0, sums->all.bytes);
	metrics_set(metrics, METRIC_EDGE_CAPACITY, number, 0, sums->capacity_bytes);
	metrics_set(metrics, METRIC_EDGE_ITEMS, number, 0, sums->all.items);
	metrics_set(metrics, METRIC_EDGE_OLDEST, number, 0, oldest_ns && now_ns > oldest_ns ? now_ns - oldest_ns : 0);
	sample_counter(metrics, METRIC_EDGE_IN, number, 0, sums->all.in_bytes);
	sample_counter(metrics, METRIC_EDGE_OUT, number, 0, sums->all.out_bytes);
	sample_counter(metrics, METRIC_EDGE_BLOCKED, number, 0, sums->all.blocked_ns);
}

/* Lanes of an edge stand beside each other in the plan. */
static void sample_edges(const struct supervisor *supervisor)
{
	const struct plan *plan = supervisor->plan;

	for (uint32_t number = 0; number < plan->n_edges; number++) {
		struct edge_sums sums = { 0 };

		for (uint32_t i = plan->edges[number].first_lane; i < plan->n_lanes && plan->lanes[i].edge == number;
		     i++) {
			struct lane_place place = lane_place_of(supervisor, &plan->lanes[i]);
			struct lane_state state;

			lane_look(&place, &state);
			add_lane(&sums, &plan->lanes[i], &state);
		}
		sample_edge(&supervisor->metrics->metrics, number, &sums, clock_now_ns());
	}
}

static void set_memory(const struct supervisor *supervisor, size_t place, const struct process_memory *memory)
{
	metrics_set(&supervisor->metrics->metrics, METRIC_RESIDENT, place, 0, memory->resident_bytes);
	metrics_set(&supervisor->metrics->metrics, METRIC_PRIVATE, place, 0, memory->private_bytes);
}

static void sample_memory(const struct supervisor *supervisor)
{
	const struct plan *plan = supervisor->plan;
	struct process_memory memory;

	for (uint32_t number = 0; number < plan->n_stages; number++) {
		struct process_memory sum = { 0, 0 };

		for (uint32_t i = 0; i < plan->stages[number].workers; i++) {
			pid_t pid = supervisor->seats[plan->stages[number].first_slot + i].pid;

			memory = pid ? process_memory_of(pid) : (struct process_memory){ 0, 0 };
			sum.resident_bytes += memory.resident_bytes;
			sum.private_bytes += memory.private_bytes;
		}
		set_memory(supervisor, number, &sum);
	}
	memory = process_memory_of(supervisor->pid);
	set_memory(supervisor, plan->n_stages, &memory);
}

static void sample_loop(struct metrics_watch *watch)
{
	metrics_set(&watch->metrics, METRIC_LOOP_TURNS, 0, 0, watch->loop.turns);
	metrics_set(&watch->metrics, METRIC_LOOP_BUSY, 0, 0, watch->loop.busy_ns);
	metrics_set(&watch->metrics, METRIC_LOOP_SLOWEST, 0, 0, watch->loop.slowest_ns);
	metrics_set(&watch->metrics, METRIC_OPEN_FILES, 0, 0, process_open_files());
}

void supervisor_metrics(struct supervisor *supervisor, struct text *text)
{
	struct metrics_watch *watch = supervisor->metrics;
	struct view view;

	view_take(supervisor, &view);
	for (size_t i = 0; i < view.n_stages; i++)
		sample_stage(&watch->metrics, i, &view.stages[i]);
	metrics_set(&watch->metrics, METRIC_IN_FLIGHT, 0, 0, view.in_flight);
	metrics_set(&watch->metrics, METRIC_UPTIME, 0, 0, view.started_ns ? view.now_ns - view.started_ns : 0);
	sample_stuck(supervisor, watch, view.now_ns);
	sample_edges(supervisor);
	sample_memory(supervisor);
	sample_loop(watch);
	sample_latency(supervisor, METRIC_WAITING, HISTOGRAM_WAITING);
	sample_latency(supervisor, METRIC_PROCESSING, HISTOGRAM_PROCESSING);
	sample_latency(supervisor, METRIC_END_TO_END, HISTOGRAM_END_TO_END);
	view_deinit(&view);
	metrics_format_json(&watch->metrics, text);
}
