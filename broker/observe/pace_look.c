/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker says what it waits for when it is about to sleep, so a look costs some loads from each status line. Many looks make shares of
 * the time, also of sleeps that have not ended, which no counter knows of.
 */
#include "broker/observe/pace_look.h"

#include <string.h>

#include "broker/observe/reading.h"
#include "common/observe/histogram.h"

#define WAITS_BEHIND (WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT | WAIT_FOR_READERS)

static enum pace_doing asleep(const struct worker_reading *reading)
{
	if (reading->wait_for & WAIT_FOR_STORE)
		return PACE_OUTSIDE;
	if (reading->wait_for & WAIT_FOR_DUE)
		return PACE_DUE;
	if (reading->state == WORKER_STATE_WAIT_SPACE || reading->wait_for & WAITS_BEHIND)
		return PACE_WANTS_ROOM;
	if (reading->state == WORKER_STATE_WAIT_DATA || (reading->wait_for & WAIT_FOR_ITEM && !reading->in_flight))
		return PACE_WANTS_ITEM;
	return PACE_OUTSIDE;
}

/* false: it has ended, and does nothing any more. */
static bool doing_of(const struct worker_reading *reading, bool is_there, enum pace_doing *ret_doing)
{
	*ret_doing = PACE_AWAY;
	if (!is_there)
		return true;
	switch (reading->state) {
	case WORKER_STATE_BUSY:
		*ret_doing = PACE_AT_WORK;
		return true;
	case WORKER_STATE_WAIT_DATA:
	case WORKER_STATE_WAIT_SPACE:
	case WORKER_STATE_WAIT_OUTSIDE:
		*ret_doing = asleep(reading);
		return true;
	case WORKER_STATE_ENDING:
	case WORKER_STATE_ENDED:
	case WORKER_STATE_CANCELLED:
		return false;
	default:
		return true;
	}
}

/* Any lane of that edge would do, so all that are not empty hold it: one after the other, look by look. */
static uint32_t next_of_edge(const struct observer *observer, uint32_t named, uint32_t turn)
{
	const struct catalog *catalog = observer_catalog(observer);
	const struct catalog_edge *edge = &catalog->edges[catalog->lanes[named].edge];
	uint32_t producer = catalog->lanes[named].producer - catalog->stages[edge->from].first_slot;
	uint32_t n = catalog->stages[edge->to].workers;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t number = edge->first_lane + producer * n + (turn + i) % n;
		struct lane_reading lane;

		read_lane(observer, number, &lane);
		if (lane.filled_bytes)
			return number;
	}
	return named;
}

/* Where it waits for room: the lane that it names, else the fullest that it writes. */
static uint32_t full_lane(const struct observer *observer, uint32_t slot, const struct worker_reading *reading,
			  uint32_t turn)
{
	const struct catalog *catalog = observer_catalog(observer);
	uint32_t found = NO_LANE, n = catalog->slots[slot].geometry.n_writers;
	uint64_t most = 0;

	if (reading->wait_lane != NO_LANE)
		return reading->wait_for & WAIT_ANY_OF_EDGE ? next_of_edge(observer, reading->wait_lane, turn) :
							      reading->wait_lane;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t number = catalog_output_lane(catalog, slot, i);
		struct lane_reading lane;

		if (number == NO_LANE)
			continue;
		read_lane(observer, number, &lane);
		if (lane.filled_bytes > most) {
			most = lane.filled_bytes;
			found = number;
		}
	}
	return found;
}

static void look_at_inputs(const struct observer *observer, struct pace_view *view, uint32_t slot)
{
	const struct catalog *catalog = observer_catalog(observer);
	uint32_t n = catalog->slots[slot].geometry.n_readers;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t number = catalog_input_lane(catalog, slot, i);
		struct lane_reading lane;

		if (number == NO_LANE)
			continue;
		read_lane(observer, number, &lane);
		if (lane.filled_bytes)
			view->lanes[number].n_passed_over++;
		else if (lane.closed == LANE_OPEN)
			view->lanes[number].n_item++;
	}
}

static void look_at_worker(const struct observer *observer, struct pace_view *view, uint32_t slot, uint64_t now_ns)
{
	struct pace_worker *worker = &view->workers[slot];
	struct worker_reading reading;
	enum pace_doing doing;
	uint32_t lane;

	read_doing(observer, slot, now_ns, &reading);
	if (!doing_of(&reading, worker->pid && reading.generation == read_generation(observer, slot), &doing))
		return;
	worker->n_looks++;
	worker->n_doing[doing]++;
	if (doing == PACE_WANTS_ITEM)
		look_at_inputs(observer, view, slot);
	lane = doing == PACE_WANTS_ROOM ? full_lane(observer, slot, &reading, worker->n_looks) : NO_LANE;
	if (lane != NO_LANE)
		view->lanes[lane].n_room++;
}

void pace_look(const struct observer *observer, struct pace_view *view, uint64_t now_ns)
{
	const struct catalog_head *head = observer_catalog(observer)->head;

	for (uint32_t i = 0; i < head->n_lanes; i++) {
		struct lane_reading lane;

		read_lane(observer, i, &lane);
		view->lanes[i].n_looks++;
		view->lanes[i].filled_bytes += lane.filled_bytes;
	}
	for (uint32_t i = 0; i < head->n_slots; i++)
		if (view->workers[i].counts)
			look_at_worker(observer, view, i, now_ns);
	view->now_ns = now_ns;
}

/* Counters grow when a sleep ends; one that lasts is added. */
static void count_waits(struct pace_worker *worker, const struct worker_reading *reading, uint64_t now_ns)
{
	uint64_t slept_ns = reading->since_ns && reading->since_ns < now_ns ? now_ns - reading->since_ns : 0;

	worker->n_waits[PACE_FOR_ITEM] = reading->counters[COUNTER_WAITS_DATA];
	worker->waited_ns[PACE_FOR_ITEM] = reading->counters[COUNTER_WAIT_DATA_NS];
	worker->n_waits[PACE_FOR_ROOM] = reading->counters[COUNTER_WAITS_SPACE];
	worker->waited_ns[PACE_FOR_ROOM] = reading->counters[COUNTER_WAIT_SPACE_NS];
	if (reading->state == WORKER_STATE_WAIT_DATA)
		worker->waited_ns[PACE_FOR_ITEM] += slept_ns;
	else if (reading->state == WORKER_STATE_WAIT_SPACE)
		worker->waited_ns[PACE_FOR_ROOM] += slept_ns;
}

static void count_worker(const struct observer *observer, struct pace_worker *worker, uint32_t slot, uint64_t now_ns)
{
	struct histogram processing = { .sum_ns = 0 };
	struct worker_reading reading;

	read_worker(observer, slot, now_ns, &reading);
	if (reading.has_ledger)
		memcpy(worker->ledger, reading.ledger, sizeof(worker->ledger));
	count_waits(worker, &reading, now_ns);
	histogram_read(observer_segment(observer, slot), HISTOGRAM_PROCESSING, &processing);
	worker->n_items = histogram_count(&processing);
	worker->processing_ns = processing.sum_ns;
}

void pace_count(const struct observer *observer, struct pace_view *view, uint64_t now_ns)
{
	const struct catalog_head *head = observer_catalog(observer)->head;

	for (uint32_t i = 0; i < head->n_slots; i++)
		count_worker(observer, &view->workers[i], i, now_ns);
	for (uint32_t i = 0; i < head->n_lanes; i++) {
		struct lane_reading lane;

		read_lane(observer, i, &lane);
		view->lanes[i].bytes_in = lane.tail;
		view->lanes[i].bytes_out = lane.done;
	}
	view->now_ns = now_ns;
}
