/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All loads are relaxed: what is told is told to people, and nothing else is read on the strength of it. Where two numbers belong together
 * (the ends of a lane) the difference may be off by what happened in between, and is put within its bounds.
 */
#include "broker/observe/reading.h"

#include <string.h>

#include "common/flow/commit.h"

#define WAIT_KNOWN (WAIT_FOR_DUE * 2u - 1)
#define WAIT_AT_OUTPUT (WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT | WAIT_FOR_READERS)

static uint32_t wait_lane_of(const struct catalog *catalog, uint32_t slot, uint32_t wait_for, uint32_t index)
{
	if (wait_for & WAIT_FOR_ITEM)
		return catalog_input_lane(catalog, slot, index);
	return wait_for & WAIT_AT_OUTPUT ? catalog_output_lane(catalog, slot, index) : NO_LANE;
}

static void read_status(const struct observer *observer, uint32_t slot, uint64_t now_ns, struct worker_reading *reading)
{
	const struct segment_status *status = observer_segment(observer, slot)->status;
	uint32_t state = load_relaxed(&status->state);

	reading->generation = load_relaxed(&status->generation);
	reading->state = state < WORKER_STATE_COUNT ? (enum worker_state)state : WORKER_STATE_NONE;
	reading->since_ns = load_relaxed(&status->since_ns);
	if (reading->since_ns > now_ns)
		reading->since_ns = now_ns;
	reading->turns = load_relaxed(&status->heartbeat);
	reading->progress_position = load_relaxed(&status->progress_position);
	reading->progress_total = load_relaxed(&status->progress_total);
	reading->wait_lane = NO_LANE;
	if (state != WORKER_STATE_WAIT_DATA && state != WORKER_STATE_WAIT_SPACE && state != WORKER_STATE_WAIT_OUTSIDE)
		return;
	reading->wait_for = load_relaxed(&status->wait_for) & WAIT_KNOWN;
	reading->wait_lane =
		wait_lane_of(observer_catalog(observer), slot, reading->wait_for, load_relaxed(&status->wait_lane));
}

static void read_hand(const struct observer *observer, uint32_t slot, struct worker_reading *reading)
{
	const struct segment_hand *hand = observer_segment(observer, slot)->hand;
	uint32_t lane = load_relaxed(&hand->lane);

	reading->in_hand = load_relaxed(&hand->busy) == HAND_BUSY;
	reading->in_flight = load_relaxed(&hand->in_flight);
	reading->hand_position = load_relaxed(&hand->position);
	reading->hand_sequence = load_relaxed(&hand->sequence);
	reading->hand_lane = catalog_input_lane(observer_catalog(observer), slot, lane);
	if (reading->hand_lane == NO_LANE && lane != HAND_LETTER)
		reading->in_hand = false;
}

void read_doing(const struct observer *observer, uint32_t slot, uint64_t now_ns, struct worker_reading *ret_reading)
{
	*ret_reading = (struct worker_reading){ .state = WORKER_STATE_NONE };
	read_status(observer, slot, now_ns, ret_reading);
	read_hand(observer, slot, ret_reading);
}

void read_worker(const struct observer *observer, uint32_t slot, uint64_t now_ns, struct worker_reading *ret_reading)
{
	const struct segment *segment = observer_segment(observer, slot);
	struct cursor cursor;

	read_doing(observer, slot, now_ns, ret_reading);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		ret_reading->counters[i] = load_relaxed(&segment->counters->values[i]);
	ret_reading->has_ledger = cursor_snapshot(segment, &cursor) == 0;
	if (ret_reading->has_ledger)
		memcpy(ret_reading->ledger, cursor.ledger, sizeof(ret_reading->ledger));
}

void read_lane(const struct observer *observer, uint32_t number, struct lane_reading *ret_reading)
{
	const struct catalog_lane *lane = &observer_catalog(observer)->lanes[number];
	const struct lane_writer *writer = &observer_segment(observer, lane->producer)->writers[lane->writer_index];
	const struct lane_reader *reader = &observer_segment(observer, lane->consumer)->readers[lane->reader_index];
	uint64_t filled;

	*ret_reading =
		(struct lane_reading){ .done = load_relaxed(&reader->done), .left = load_relaxed(&reader->left) };
	ret_reading->tail = load_relaxed(&writer->tail);
	ret_reading->closed = load_relaxed(&writer->closed);
	filled = ret_reading->tail - ret_reading->done;
	if (filled >> 63) /* the reader was faster than our two looks */
		filled = 0;
	ret_reading->filled_bytes = filled < lane->capacity_bytes ? filled : lane->capacity_bytes;
	if (ret_reading->closed > LANE_CLOSED_LOST)
		ret_reading->closed = LANE_CLOSED_LOST;
	if (ret_reading->left > LANE_LEFT)
		ret_reading->left = LANE_LEFT;
}

uint32_t read_generation(const struct observer *observer, uint32_t slot)
{
	return *(const volatile uint32_t *)&observer_board(observer)->slots[slot].generation;
}

bool read_retired(const struct observer *observer, uint32_t slot)
{
	return load_relaxed(&observer_board(observer)->slots[slot].dealing) == BOARD_RETIRED;
}
