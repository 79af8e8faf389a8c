/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two looks are compared. What stands still: no lane of the worker has moved at its end, no item was begun, nothing was counted. That
 * a worker wakes up, looks round and sleeps again is no work: its heartbeat and its state say little here.
 *
 * How long is too long? For who sleeps in weir the graph knows. A stage that works may just be slow, and nobody can tell from outside: so
 * it has a patience of some seconds, more if it once took longer and then went on. Time that the kernel gave to others is not counted.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/supervise/stall.h"
#include "common/base/must.h"
#include "common/memory/segment_layout.h"

static uint32_t *list_lanes(const struct stall_lane *lanes, uint32_t n_lanes, uint32_t n_workers, bool by_producer,
			    uint32_t **ret_first)
{
	uint32_t *first = calloc(n_workers + 2ul, sizeof(*first)), *list = calloc(n_lanes + 1ul, sizeof(*list));

	must(first && list);
	for (uint32_t i = 0; i < n_lanes; i++)
		first[(by_producer ? lanes[i].producer : lanes[i].consumer) + 2]++;
	for (uint32_t i = 2; i < n_workers + 2; i++)
		first[i] += first[i - 1];
	/* first[w + 1] runs from the begin of w's part to its end, and is then where the next one begins. */
	for (uint32_t i = 0; i < n_lanes; i++)
		list[first[(by_producer ? lanes[i].producer : lanes[i].consumer) + 1]++] = i;
	*ret_first = first;
	return list;
}

void stall_topology_init(struct stall_topology *topology, const struct stall_seat *seats, uint32_t n_workers,
			 const struct stall_lane *lanes, uint32_t n_lanes)
{
	*topology = (struct stall_topology){ .n_workers = n_workers,
					     .n_lanes = n_lanes,
					     .seats = calloc(n_workers + 1ul, sizeof(*seats)),
					     .lanes = calloc(n_lanes + 1ul, sizeof(*lanes)) };
	must(topology->seats && topology->lanes);
	if (n_workers)
		memcpy(topology->seats, seats, n_workers * sizeof(*seats));
	if (n_lanes)
		memcpy(topology->lanes, lanes, n_lanes * sizeof(*lanes));
	topology->out = list_lanes(lanes, n_lanes, n_workers, true, &topology->out_first);
	topology->in = list_lanes(lanes, n_lanes, n_workers, false, &topology->in_first);
}

void stall_topology_deinit(struct stall_topology *topology)
{
	free(topology->seats);
	free(topology->lanes);
	free(topology->out);
	free(topology->out_first);
	free(topology->in);
	free(topology->in_first);
	*topology = (struct stall_topology){ 0 };
}

/* ---- work ---- */

/* Its stage is at work, or has been asked for something by the runtime, and has not come back. */
static bool is_in_stage(const struct stall_worker *worker)
{
	return worker->doing == STALL_BUSY ||
	       (worker->doing == STALL_WAITS &&
		!(worker->waits_for &
		  (WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT | WAIT_FOR_READERS | WAIT_FOR_STORE)));
}

bool stall_has_work(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number)
{
	const struct stall_worker *worker = &snapshot->workers[number];
	bool open = false;

	if (worker->doing == STALL_OVER)
		return false;
	if (worker->has_hand || worker->n_pending || worker->asked_to_end ||
	    (worker->doing == STALL_WAITS && !is_in_stage(worker)))
		return true;
	for (uint32_t i = topology->in_first[number]; i < topology->in_first[number + 1]; i++) {
		const struct stall_level *level = &snapshot->levels[topology->in[i]];

		if (level->tail != level->done)
			return true;
		open = open || !level->closed;
	}
	/* Its input has ended: it has still to end itself, and to finish what it holds for that, by a program for instance. */
	return !open && !topology->seats[number].source &&
	       (worker->doing == STALL_BUSY ||
		(worker->waits_for & WAIT_FOR_EVENT && !(worker->waits_for & WAIT_FOR_ITEM)));
}

/* Nothing lies there for it, but it may be what keeps the room of others. */
static bool keeps_room(const struct stall_topology *topology, const struct stall_snapshot *snapshot, uint32_t number)
{
	for (uint32_t i = topology->in_first[number]; i < topology->in_first[number + 1]; i++)
		if (snapshot->levels[topology->in[i]].tail != snapshot->levels[topology->in[i]].free)
			return true;
	return false;
}

bool stall_is_suspect(const struct stall_topology *topology, const struct stall_history *histories,
		      const struct stall_snapshot *snapshot, uint32_t number)
{
	const struct stall_worker *worker = &snapshot->workers[number];

	return histories[number].n_looks && (worker->doing == STALL_BUSY || worker->doing == STALL_WAITS) &&
	       (topology->seats[number].source || stall_has_work(topology, snapshot, number) ||
		keeps_room(topology, snapshot, number));
}

bool stall_is_idle(const struct stall_topology *topology, const struct stall_history *histories,
		   const struct stall_snapshot *snapshot)
{
	for (uint32_t i = 0; i < topology->n_workers; i++) {
		const struct stall_worker *worker = &snapshot->workers[i];

		if (worker->ending.since_ns)
			return false;
		if (worker->doing == STALL_OVER)
			continue;
		if (worker->doing != STALL_WAITS || histories[i].n_looks < 2 || stall_has_work(topology, snapshot, i))
			return false;
	}
	return true;
}

/* ---- memory ---- */

/* The moment of the last move is not known, but that it lies behind the last look; and who sleeps has not moved since it fell asleep. */
static uint64_t still_since(const struct stall_worker *worker, uint64_t last_ns, uint64_t now_ns)
{
	if (worker->doing == STALL_WAITS && worker->since_ns <= now_ns)
		return worker->since_ns > last_ns ? worker->since_ns : last_ns;
	return now_ns;
}

/* It has gone on by itself after a pause: so long it may take in future. */
static void learn(struct stall_history *history, uint64_t now_ns)
{
	uint64_t pause_ns = now_ns - history->still_ns;

	if (history->was_working && history->n_looks && pause_ns > history->longest_ns)
		history->longest_ns = pause_ns;
}

static void remember(struct stall_history *history, const struct stall_worker *worker, bool has_work, uint64_t last_ns,
		     uint64_t now_ns)
{
	bool begins = has_work && !history->had_work; /* it had none before: that it did not move then is no pause */

	history->had_work = has_work;
	if (!history->known || history->generation != worker->generation) {
		history->longest_ns = 0;
	} else if (history->moved != worker->moved) {
		learn(history, now_ns);
	} else if (!begins) {
		history->n_looks++;
		return;
	}
	history->known = true;
	history->generation = worker->generation;
	history->moved = worker->moved;
	history->still_ns = still_since(worker, last_ns, now_ns);
	history->starved_known = false;
	history->n_looks = 0;
}

void stall_remember(const struct stall_topology *topology, struct stall_history *histories,
		    const struct stall_snapshot *snapshot, uint64_t last_ns, uint64_t now_ns)
{
	for (uint32_t i = 0; i < topology->n_workers; i++)
		remember(&histories[i], &snapshot->workers[i], stall_has_work(topology, snapshot, i), last_ns, now_ns);
}

uint64_t stall_late_ns(uint64_t last_ns, uint64_t due_ns, uint64_t now_ns)
{
	uint64_t from_ns = due_ns > last_ns ? due_ns : last_ns;

	return due_ns && now_ns > from_ns + STALL_LATE_NS ? now_ns - from_ns : 0;
}

uint64_t stall_forgive(const struct stall_topology *topology, struct stall_history *histories, uint64_t last_ns,
		       uint64_t late_ns)
{
	for (uint32_t i = 0; i < topology->n_workers; i++) {
		histories[i].still_ns += histories[i].known ? late_ns : 0;
		histories[i].stopped_ns += histories[i].stopped_ns ? late_ns : 0;
	}
	return last_ns ? last_ns + late_ns : 0;
}

void stall_hear_kernel(const struct stall_topology *topology, struct stall_history *histories,
		       const struct stall_snapshot *snapshot, uint64_t now_ns)
{
	for (uint32_t i = 0; i < topology->n_workers; i++) {
		const struct stall_worker *worker = &snapshot->workers[i];

		histories[i].was_working =
			is_in_stage(worker) && worker->kernel != 'T' && stall_has_work(topology, snapshot, i);
		if (worker->kernel != 'T')
			histories[i].stopped_ns = 0;
		else if (!histories[i].stopped_ns)
			histories[i].stopped_ns = now_ns;
		if (!worker->kernel || histories[i].starved_known)
			continue;
		histories[i].starved_known = true;
		histories[i].starved_ns = worker->starved_ns;
	}
}

uint64_t stall_since_ns(const struct stall_history *history, const struct stall_worker *worker)
{
	bool sleeps_on = worker->doing == STALL_WAITS && history->n_looks && history->still_ns < worker->since_ns;

	return sleeps_on ? history->still_ns : worker->since_ns;
}

uint64_t stall_stuck_since_ns(const struct stall_history *history, const struct stall_worker *worker)
{
	bool has_woken = worker->doing == STALL_BUSY && worker->since_ns > history->still_ns;

	if (worker->kernel == 'T' && history->stopped_ns > history->still_ns)
		return history->stopped_ns;
	return has_woken ? worker->since_ns : history->still_ns;
}

uint64_t stall_still_ns(const struct stall_history *history, const struct stall_worker *worker, uint64_t now_ns)
{
	uint64_t since_ns = stall_stuck_since_ns(history, worker), still_ns = now_ns > since_ns ? now_ns - since_ns : 0;
	uint64_t starved_ns = history->starved_known && worker->starved_ns > history->starved_ns ?
				      worker->starved_ns - history->starved_ns :
				      0;

	return still_ns > starved_ns ? still_ns - starved_ns : 0;
}

uint64_t stall_patience_ns(const struct stall_history *history)
{
	if (history->longest_ns >= STALL_PATIENCE_MAX_NS / STALL_PATIENCE_GROWTH)
		return STALL_PATIENCE_MAX_NS;
	return history->longest_ns * STALL_PATIENCE_GROWTH > STALL_PATIENCE_NS ?
		       history->longest_ns * STALL_PATIENCE_GROWTH :
		       STALL_PATIENCE_NS;
}
