/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropping the oldest. Nobody claims, asks or waits:
 *
 *      producer's segment                          reader's segment
 *      low           nothing below is intact       free          everything below has left the lane; ahead of done while
 *      tail          committed                                   an item is in the hold
 *      tail_ordinal  records before tail           hold          position, ordinal, header, payload
 *                                                  done, done_ordinal
 *
 *      full: low := x [L5]                         p := max(free, low); copy the record at p into the hold
 *            release fence [L5]                    acquire fence [L5]
 *            build in the room                     low > p: it was overwritten under our hands: again
 *                                                  free := end of it; work on the hold; one commit: done, done_ordinal, dropped
 *
 * The reader alone judges: a record was copied whole, or it was found overwritten. So never both, never neither. Ordinals (the header's
 * ticket) tell how many lie between two that were copied: those were dropped, and are counted with the later one, or at the end of
 * the lane. `low` is in no commit record: it may run ahead of a commit that never comes; what it gave up is gone and will be counted.
 *
 * A reader that is stuck in its stage holds nothing in the lane. After a kill `free` > `done` says that the hold has an item,
 * whatever the lane holds there by now; `free` < `done` that the end of the lane was counted and its room is not back. The model is
 * tests/model/drop_old.pml.
 */
#include "common/flow/hold.h"

#include <string.h>

#define ATTEMPTS_MAX 1000

static bool is_ahead(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0;
}

static unsigned char *payload_of(const struct hold *hold)
{
	return (unsigned char *)(hold->record + 1);
}

static bool makes_sense(const struct item_header *header, const struct lane_in *lane, uint64_t left)
{
	return header->kind == ITEM_DATA && item_makes_sense(header) &&
	       header->size_bytes <= lane_payload_max(lane->capacity_bytes) &&
	       item_record_size(header->size_bytes) <= left;
}

int hold_attach(struct hold *hold, struct lane_in *lane)
{
	uint64_t free = load_relaxed(&lane->reader->free);

	lane->done = load_relaxed(&lane->reader->done);
	lane->next = lane->done;
	lane->tail_cached = lane->done;
	hold->done_ordinal = hold->next_ordinal = load_relaxed(&lane->reader->done_ordinal);
	hold->taken = false;
	/* Behind it, however far: killed after hold_end() was committed, and before the room went back. */
	if (!is_ahead(free, lane->done)) {
		store_release(&lane->reader->free, lane->done); /* [L2] mate: refresh */
		return 0;
	}
	if (!makes_sense(&hold->record->header, lane, lane->capacity_bytes) ||
	    is_ahead(lane->done, hold->record->position) ||
	    hold->record->position + item_record_size(hold->record->header.size_bytes) != free)
		return LANE_E_BROKEN;
	return 0;
}

/* The record at p, copied whole: 0. LANE_E_EMPTY: it was overwritten meanwhile. */
static int copy_record(struct hold *hold, struct lane_in *lane, uint64_t p, uint64_t left)
{
	const unsigned char *record = lane->data + (p & (lane->capacity_bytes - 1));
	struct item_header header;
	bool whole;

	memcpy(&header, record, sizeof(header));
	whole = left >= sizeof(header) && makes_sense(&header, lane, left);
	if (whole) {
		hold->record->header = header;
		memcpy(payload_of(hold), record + sizeof(header), header.size_bytes);
	}
	fence_acquire(); /* [L5] mate: lane_out_drop */
	if (is_ahead(load_relaxed(&lane->peer->low), p))
		return LANE_E_EMPTY;
	return whole ? 0 : LANE_E_BROKEN;
}

static int fill(struct hold *hold, struct lane_in *lane)
{
	for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		uint32_t closed = load_acquire(&lane->peer->closed); /* [L3] mate: lane_out_close */
		uint64_t low = load_acquire(&lane->peer->low);       /* [L5] mate: lane_out_drop */
		uint64_t tail = load_acquire(&lane->peer->tail);     /* [L1] mate: commit_store */
		uint64_t p = load_relaxed(&lane->reader->free);
		int r;

		p = is_ahead(low, p) ? low : p;
		if (is_ahead(p, tail) || tail % ITEM_ALIGNMENT || p % ITEM_ALIGNMENT)
			return LANE_E_BROKEN;
		if (tail - p > lane->capacity_bytes) {                    /* low was old when tail was new */
			if (!is_ahead(load_acquire(&lane->peer->low), p)) /* [L5] mate: lane_out_drop */
				return LANE_E_BROKEN;
			continue;
		}
		lane->tail_cached = tail;
		if (p == tail)
			return lane_end(closed);
		r = copy_record(hold, lane, p, tail - p);
		if (r == LANE_E_BROKEN)
			return r;
		if (r != 0)
			continue;
		hold->record->position = p;
		hold->record->ordinal = hold->record->header.ticket;
		/* From here on it is ours, also for the next generation: whole before it counts. */
		store_release(
			&lane->reader->free,
			p + item_record_size(hold->record->header.size_bytes)); /* [L2] mate: lane_out_reserve_beside */
		return 0;
	}
	return LANE_E_EMPTY;
}

int hold_peek(struct hold *hold, struct lane_in *lane, struct item_header *ret_header, const void **ret_payload)
{
	if (hold->taken)
		return LANE_E_EMPTY;
	if (load_relaxed(&lane->reader->free) == lane->done) {
		int r = fill(hold, lane);

		if (r != 0)
			return r;
	}
	if ((int64_t)(hold->record->ordinal - hold->done_ordinal) < 0)
		return LANE_E_BROKEN;
	lane->next = hold->record->position;
	*ret_header = hold->record->header;
	*ret_payload = payload_of(hold);
	return 0;
}

uint64_t hold_advance(struct hold *hold, struct lane_in *lane)
{
	lane->next = hold->record->position + item_record_size(hold->record->header.size_bytes);
	hold->next_ordinal = hold->record->ordinal + 1;
	hold->taken = true;
	return hold->record->ordinal - hold->done_ordinal;
}

uint64_t hold_end(struct hold *hold, struct lane_in *lane)
{
	/* `closed` was seen before tail was read: both are final. */
	uint64_t ordinal = load_acquire(&lane->peer->tail_ordinal); /* [L1] mate: commit_store */

	if (ordinal == hold->done_ordinal)
		return 0;
	lane->next = lane->tail_cached;
	hold->next_ordinal = ordinal;
	hold->taken = true;
	return ordinal - hold->done_ordinal;
}

void hold_settle(struct hold *hold)
{
	hold->done_ordinal = hold->next_ordinal;
	hold->taken = false;
}

/* ---- the producer ---- */

void lane_out_rewind_dropping(struct lane_out *lane)
{
	uint64_t low = load_relaxed(&lane->writer->low);

	lane_out_rewind(lane);
	if (is_ahead(low, lane->free_cached))
		lane->free_cached = low;
}

static bool has_room(const struct lane_out *lane, uint64_t need_bytes)
{
	return lane->built + need_bytes - lane->free_cached <= lane->capacity_bytes;
}

int lane_out_reserve_beside(struct lane_out *lane, uint64_t payload_bytes, void **ret_payload)
{
	uint64_t need = item_record_size(payload_bytes), now;

	if (payload_bytes > lane_payload_max(lane->capacity_bytes))
		return LANE_E_TOO_LARGE;
	if (!has_room(lane, need)) {
		now = load_acquire(&lane->peer->free); /* [L2] mate: lane_in_release */
		if (is_ahead(now, lane->tail))
			return LANE_E_BROKEN;
		if (is_ahead(now, lane->free_cached)) /* else the reader is behind what was given up */
			lane->free_cached = now;
	}
	if (!has_room(lane, need))
		return LANE_E_FULL;
	*ret_payload = lane->data + (lane->built & (lane->capacity_bytes - 1)) + sizeof(struct item_header);
	return 0;
}

int lane_out_drop(struct lane_out *lane, uint64_t payload_bytes)
{
	uint64_t need = item_record_size(payload_bytes), spare = lane->capacity_bytes / 8, x = lane->free_cached;

	while (x != lane->tail && lane->built + need + spare - x > lane->capacity_bytes) {
		struct item_header header;

		memcpy(&header, lane->data + (x & (lane->capacity_bytes - 1)), sizeof(header));
		x += item_record_size(header.size_bytes);
	}
	if (lane->built + need - x > lane->capacity_bytes)
		return LANE_E_FULL;
	store_release(&lane->writer->low, x); /* [L5] mate: fill */
	fence_release();                      /* [L5] before a byte of the room is written; mate: copy_record */
	lane->free_cached = x;
	return 0;
}
