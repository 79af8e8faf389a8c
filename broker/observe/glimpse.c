/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record that is committed lies still until its producer comes round the ring and builds over it. The observer copies first and asks
 * afterwards whether that can have begun; one of two answers proves that it has not:
 *
 *      held        free <= p, and low <= p              (after a fence behind the copy)
 *                  The consumer has not given the room back, so nobody may write there. Of a reference the room that it refers to is
 *                  held by it as well (common/flow/reference.c), so this answer, and no other, holds for what it refers to.
 *      untouched   of a lane whose consumer is quick the room is free before anybody could look. But a producer builds upwards from
 *                  its tail, without a gap: to get to p it has to write over the record before p first.
 *
 *                      tail                            mark        p          from
 *          -------------+------------------------------+-----------+----------+---->   (one time round, as a line)
 *           [ building ->                              [ before it ][ copied  ]
 *
 *                  So it is whole if, behind the same fence, (1) the header of the record before it stands as it was, with the number
 *                  that no other record of that worker has; (2) more than half a lane lies between the tail and p, so no single record
 *                  that is being built reaches it; (3) no record has been pushed at the tail, in front of such a one.
 *
 * Why the second look sees enough: a turn writes into the lane behind the release fence that ends the commit before it (C1). Whoever
 * reads one of its bytes, and has a fence behind that, sees that commit's tail, or a later one. Of `low` the same (L5). For `free` it is
 * the consumer that stores and the producer that writes: the load is an acquire, the stores come behind it, and every machine that weir
 * runs on shows stores to all others at once; the language alone would not say so.
 *
 * What is left: a turn that is taken back while this happens, whose last record was reserved over p and its mark, written from its end
 * and never pushed. Other bytes can then be shown for an item's. Nothing but what a person sees depends on it.
 *
 * Where the record before `from` begins nobody says: it is looked for backwards from the tail, as the header whose record ends just
 * there. All numbers are other processes' words: a size is used only within what is mapped.
 */
#include "broker/observe/glimpse.h"

#include <string.h>

#include "broker/observe/reading.h"
#include "common/flow/reference.h"

#define SEARCH_BYTES_MAX (UINT64_C(1) << 16)
#define HEADER_BYTES ((uint64_t)sizeof(struct item_header))
enum { TAKE_E_OTHER = 16 }; /* a record that is no item */

static bool is_ahead(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0;
}

static const unsigned char *place_of(const struct glimpse *glimpse, uint64_t position)
{
	return glimpse->data + (position & (glimpse->lane.capacity_bytes - 1));
}

static struct item_header header_at(const struct glimpse *glimpse, uint64_t position)
{
	struct item_header header;

	memcpy(&header, place_of(glimpse, position), sizeof(header));
	return header;
}

/* ---- where to begin ---- */

static void find_mark(struct glimpse *glimpse)
{
	uint64_t most = glimpse->lane.capacity_bytes / 2;

	most = most < SEARCH_BYTES_MAX ? most : SEARCH_BYTES_MAX;
	most = most < glimpse->from ? most : glimpse->from;
	glimpse->marked = false;
	for (uint64_t back = HEADER_BYTES; !glimpse->marked && back <= most; back += ITEM_ALIGNMENT) {
		glimpse->mark_position = glimpse->from - back;
		glimpse->mark = header_at(glimpse, glimpse->mark_position);
		glimpse->marked =
			item_makes_sense(&glimpse->mark) && item_record_size(glimpse->mark.size_bytes) == back;
	}
}

static void begin_at(struct glimpse *glimpse, uint64_t tail)
{
	glimpse->from = tail;
	glimpse->marked = false;
	if (glimpse->data)
		find_mark(glimpse);
}

/* A lane that nothing has ever passed stays unmapped: looking at it would give it pages. */
static int map(struct glimpse *glimpse)
{
	return glimpse->data ? 0 : observer_lane_map(glimpse->observer, glimpse->number, &glimpse->data);
}

int glimpse_open(struct glimpse *glimpse, const struct observer *observer, uint32_t number)
{
	const struct catalog_lane *lane = &observer_catalog(observer)->lanes[number];
	uint64_t tail;
	int r;

	*glimpse =
		(struct glimpse){ .observer = observer,
				  .number = number,
				  .lane = *lane,
				  .writer = &observer_segment(observer, lane->producer)->writers[lane->writer_index],
				  .reader = &observer_segment(observer, lane->consumer)->readers[lane->reader_index] };
	tail = load_acquire(&glimpse->writer->tail); /* [L1] mate: commit_store */
	r = tail ? map(glimpse) : 0;

	if (r == 0)
		begin_at(glimpse, tail);
	return r;
}

void glimpse_close(struct glimpse *glimpse)
{
	lane_unmap(glimpse->data, glimpse->lane.capacity_bytes);
	glimpse->data = NULL;
}

void glimpse_skip(struct glimpse *glimpse)
{
	uint64_t tail = load_acquire(&glimpse->writer->tail); /* [L1] mate: commit_store */

	if (tail != glimpse->from)
		begin_at(glimpse, tail);
}

/* ---- whether the copy is one ---- */

static bool is_held(const struct glimpse *glimpse, uint64_t p)
{
	return !is_ahead(load_acquire(&glimpse->reader->free), p) && /* [L2] mate: lane_in_release */
	       !is_ahead(load_relaxed(&glimpse->writer->low), p);
}

/* Something that comes after the record with this header is built there, and not committed yet. */
static bool is_pushed(const struct item_header *there, const struct item_header *header)
{
	if (!item_makes_sense(there))
		return false;
	return there->kind == ITEM_RUN_END ? !is_ahead(header->ticket, there->ticket) :
					     is_ahead(there->sequence, header->sequence);
}

static bool is_untouched(const struct glimpse *glimpse, uint64_t p, const struct item_header *header)
{
	uint64_t tail = load_acquire(&glimpse->writer->tail); /* [L1] mate: commit_store */
	struct item_header there = header_at(glimpse, tail), mark = header_at(glimpse, glimpse->mark_position);

	if (tail - p >= glimpse->lane.capacity_bytes / 2 - 2 * HEADER_BYTES)
		return false;
	if (glimpse->from && (!glimpse->marked || memcmp(&mark, &glimpse->mark, sizeof(mark)) != 0))
		return false;
	return !is_pushed(&there, header);
}

/* Of a reference that is not held the record is whole, and what it refers to may not be. */
static bool is_whole(const struct glimpse *glimpse, struct glimpse_item *item)
{
	fence_acquire(); /* [L1] [L2] [L5] behind the copy, before the positions */
	if (is_held(glimpse, item->position))
		return true;
	item->gone = item->reference;
	if (item->gone)
		text_clear(&item->bytes);
	return item->position == glimpse->from && is_untouched(glimpse, item->position, &item->header);
}

/* ---- the copy ---- */

/* The bytes that a reference names; none if it names nothing that there is. */
static int copy_referred(const struct glimpse *glimpse, const struct item_reference *reference,
			 struct glimpse_item *item)
{
	const struct catalog *catalog = observer_catalog(glimpse->observer);
	uint32_t number = reference->slot < catalog->head->n_slots ?
				  catalog_output_lane(catalog, reference->slot, reference->writer) :
				  NO_LANE;
	struct reference_lane lane;
	unsigned char *data;
	const void *payload;
	int r;

	if (number == NO_LANE)
		return GLIMPSE_E_MISSED;
	r = observer_lane_map(glimpse->observer, number, &data);
	if (r < 0)
		return r;
	lane = (struct reference_lane){ .data = data, .capacity_bytes = catalog->lanes[number].capacity_bytes };
	r = reference_resolve(reference, &lane, &payload) == 0 ? 0 : GLIMPSE_E_MISSED;
	if (r == 0)
		text_add_bytes(&item->bytes, payload, reference->size_bytes);
	lane_unmap(data, lane.capacity_bytes);
	item->size_bytes = reference->size_bytes;
	return r;
}

static int copy_payload(const struct glimpse *glimpse, uint64_t p, struct glimpse_item *item)
{
	uint32_t extension_bytes = item_extension_size(&item->header);
	const unsigned char *payload = place_of(glimpse, p) + HEADER_BYTES + extension_bytes;
	struct item_reference reference;

	item->reference = item->header.kind == ITEM_REFERENCE;
	if (!item->reference) {
		item->size_bytes = item->header.size_bytes - extension_bytes;
		text_add_bytes(&item->bytes, payload, item->size_bytes);
		return 0;
	}
	reference = reference_read(payload);
	return copy_referred(glimpse, &reference, item);
}

/* Returns 0, TAKE_E_OTHER; GLIMPSE_E_MISSED; -errno. */
static int take_at(struct glimpse *glimpse, uint64_t p, uint64_t tail, struct glimpse_item *item)
{
	uint64_t left = tail - p;
	int r = 0;

	text_clear(&item->bytes);
	item->position = p;
	item->reference = item->gone = false;
	if (left < HEADER_BYTES || left > glimpse->lane.capacity_bytes || p % ITEM_ALIGNMENT)
		return GLIMPSE_E_MISSED;
	item->header = header_at(glimpse, p);
	if (!item_makes_sense(&item->header) || item_record_size(item->header.size_bytes) > left)
		return GLIMPSE_E_MISSED;
	if (item->header.kind != ITEM_RUN_END)
		r = copy_payload(glimpse, p, item);
	if (r != 0)
		return r;
	if (!is_whole(glimpse, item))
		return GLIMPSE_E_MISSED;
	item->generation =
		load_relaxed(&observer_segment(glimpse->observer, glimpse->lane.producer)->status->generation);
	glimpse->marked = true;
	glimpse->mark_position = p;
	glimpse->mark = item->header;
	glimpse->from = p + item_record_size(item->header.size_bytes);
	return item->header.kind == ITEM_RUN_END ? TAKE_E_OTHER : 0;
}

/* What the consumer has not begun with yet is held the longest, and what is ahead of it can be stepped over. */
static int take_waiting(struct glimpse *glimpse, uint64_t tail, struct glimpse_item *item)
{
	uint64_t done = load_acquire(&glimpse->reader->done); /* [L4] mate: commit_store */

	if (!is_ahead(done, glimpse->from) || !is_ahead(tail, done))
		return GLIMPSE_E_MISSED;
	return take_at(glimpse, done, tail, item);
}

int glimpse_take(struct glimpse *glimpse, struct glimpse_item *item)
{
	uint64_t tail = load_acquire(&glimpse->writer->tail); /* [L1] mate: commit_store */
	int r;

	if (tail == glimpse->from)
		return GLIMPSE_E_NOTHING;
	r = map(glimpse);
	if (r < 0)
		return r;
	r = TAKE_E_OTHER;
	while (r == TAKE_E_OTHER && glimpse->from != tail)
		r = take_at(glimpse, glimpse->from, tail, item);
	if (r == TAKE_E_OTHER)
		return GLIMPSE_E_NOTHING;
	if (r == GLIMPSE_E_MISSED)
		r = take_waiting(glimpse, tail, item);
	if (r == GLIMPSE_E_MISSED || r == TAKE_E_OTHER) {
		glimpse_skip(glimpse);
		return GLIMPSE_E_MISSED;
	}
	return r;
}
