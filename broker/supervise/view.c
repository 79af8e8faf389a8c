/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot for people. Read from the workers' segments while they run, so it is only as consistent as that: sums of
 * different slots are taken at slightly different moments. Nothing is decided by it.
 */
#include "broker/supervise/view.h"

#include <stdlib.h>
#include <string.h>

#include "broker/supervise/process_state.h"
#include "broker/supervise/supervisor_priv.h"
#include "common/base/clock.h"
#include "common/base/landlock.h"
#include "common/base/must.h"
#include "common/flow/commit.h"
#include "common/observe/counters.h"
#include "common/observe/worker_state.h"
#include "common/stage/registry.h"

static void take_state(const struct seat *seat, struct view_worker *worker)
{
	const struct segment_status *status = seat->segment.status;

	worker->state = seat_state_name(seat->life->state);
	worker->state_since_ns = seat_state_alive(seat->life->state) ? seat->spawned_ns : seat->death.when_ns;
	if ((!seat_state_works(seat->life->state) && seat->life->state != SEAT_OPENING) ||
	    load_acquire(&status->generation) != seat->generation) /* [S1] mate: worker_attach */
		return;
	worker->state = worker_state_name(load_relaxed(&status->state));
	worker->state_since_ns = load_relaxed(&status->since_ns);
}

static void take_worker(const struct seat *seat, struct view_worker *worker)
{
	struct cursor cursor;

	*worker = (struct view_worker){
		.slot = seat->slot,
		.index = seat->worker_index,
		.pid = seat->pid,
		.generation = seat->life->generation,
		.restarts = seat->life->restarts,
		.overruns =
			seat->n_overruns + (uint32_t)load_relaxed(&seat->segment.counters->values[COUNTER_OVERRUNS]),
		.progress_position = load_relaxed(&seat->segment.status->progress_position),
		.progress_total = load_relaxed(&seat->segment.status->progress_total),
		.backtrace = seat->backtrace.text,
		.backtrace_ns = seat->backtrace.when_ns,
		.backtrace_generation = seat->backtrace.generation,
	};
	take_state(seat, worker);
	if (!seat->life->quarantined && cursor_snapshot(&seat->segment, &cursor) == 0)
		memcpy(worker->ledger, cursor.ledger, sizeof(worker->ledger));
}

static void add_worker(struct view_stage *stage, const struct view_worker *worker)
{
	stage->n_live += worker->pid != 0;
	stage->restarts += worker->restarts;
	stage->overruns += worker->overruns;
	stage->progress_position += worker->progress_position;
	stage->progress_total += worker->progress_total;
	for (uint32_t i = 0; i < LEDGER_COUNT; i++)
		stage->ledger[i] += worker->ledger[i];
}

static void take_stage(const struct supervisor *supervisor, uint32_t number, struct view_stage *stage)
{
	const struct plan_stage *planned = &supervisor->plan->stages[number];

	*stage = (struct view_stage){ .name = planned->name,
				      .role = stage_role_name(planned->role),
				      .kind = planned->kind,
				      .n_workers = planned->workers,
				      .n_wanted = supervisor->lifecycle.stages[number].wanted,
				      .scaling = supervisor->lifecycle.stages[number].scaling,
				      .dropped = supervisor->lifecycle.stages[number].abandoned,
				      .workers = calloc(planned->workers, sizeof(*stage->workers)) };
	must(stage->workers);
	stage->sandboxed = planned->sandboxed;
	stage->landlock_abi = stage->sandboxed ? landlock_abi() : 0;
	for (uint32_t i = 0; i < planned->workers; i++) {
		take_worker(&supervisor->seats[planned->first_slot + i], &stage->workers[i]);
		stage->workers[i].filters = stage->sandboxed ? process_filters(stage->workers[i].pid) : -1;
		add_worker(stage, &stage->workers[i]);
		stage->n_resting += supervisor->seats[planned->first_slot + i].life->state == SEAT_RESTING;
		stage->n_retired += supervisor->seats[planned->first_slot + i].life->state == SEAT_RETIRED;
	}
}

static void take_queues(const struct supervisor *supervisor, struct view *view)
{
	for (uint32_t i = 0; i < supervisor->plan->n_lanes; i++) {
		const struct plan_lane *lane = &supervisor->plan->lanes[i];
		const struct seat *producer = &supervisor->seats[lane->producer],
				  *consumer = &supervisor->seats[lane->consumer];
		struct view_stage *stage = &view->stages[consumer->stage_number];
		struct view_worker *reader = &stage->workers[consumer->worker_index],
				   *writer = &view->stages[producer->stage_number].workers[producer->worker_index];
		uint64_t done =
			load_acquire(&consumer->segment.readers[lane->reader_index].done); /* [L4] mate: commit_store */
		uint64_t filled = load_acquire(&producer->segment.writers[lane->writer_index].tail) -
				  done; /* [L6] mate: commit_store */

		filled = filled <= lane->capacity_bytes ? filled : lane->capacity_bytes;
		stage->queue_bytes += filled;
		stage->queue_capacity_bytes += lane->capacity_bytes;
		reader->queue_bytes += filled;
		reader->queue_capacity_bytes += lane->capacity_bytes;
		writer->ahead_bytes += filled;
		writer->ahead_capacity_bytes += lane->capacity_bytes;
	}
}

static uint64_t estimate_in_flight(const uint64_t ledger[LEDGER_COUNT])
{
	uint64_t emitted = ledger[LEDGER_EMITTED] + ledger[LEDGER_REPLAYED] + ledger[LEDGER_HELD],
		 taken = ledger[LEDGER_TAKEN] + ledger_skipped(ledger);

	return emitted > taken ? emitted - taken : 0;
}

void view_take(struct supervisor *supervisor, struct view *ret_view)
{
	const struct plan *plan = supervisor->plan;

	*ret_view = (struct view){
		.pipeline = plan->pipeline,
		.phase = pipeline_state_name(supervisor->lifecycle.state),
		.cause = cause_name(supervisor->lifecycle.cause),
		.pid = supervisor->pid,
		.now_ns = clock_now_ns(),
		.started_ns = supervisor->lifecycle.started_ns,
		.stop_deadline_ns = supervisor->lifecycle.ladder.deadline_ns,
		.n_stages = plan->n_stages,
		.stages = calloc(plan->n_stages, sizeof(*ret_view->stages)),
	};
	must(ret_view->stages);
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		take_stage(supervisor, i, &ret_view->stages[i]);
		for (uint32_t line = 0; line < LEDGER_COUNT; line++)
			ret_view->ledger[line] += ret_view->stages[i].ledger[line];
	}
	take_queues(supervisor, ret_view);
	ret_view->in_flight = estimate_in_flight(ret_view->ledger);
	if (!supervisor->lifecycle.finished)
		return;
	ret_view->in_flight = outcome_in_flight(&supervisor->lifecycle.outcome);
	ret_view->balanced = !supervisor->lifecycle.outcome.corrupt && outcome_balanced(&supervisor->lifecycle.outcome);
}

void view_deinit(struct view *view)
{
	for (uint32_t i = 0; view->stages && i < view->n_stages; i++)
		free(view->stages[i].workers);
	free(view->stages);
	*view = (struct view){ 0 };
}
