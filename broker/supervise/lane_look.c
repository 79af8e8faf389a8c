/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      done            done + LANE_LOOK_BYTES                 tail
 *      | copied, and walked from header to header |  by their mean  |
 *
 * The records from done on stay where they are until their reader gives them back. So they are copied first, and `free` is looked at
 * afterwards: if it has moved past where the copy begins the producer may have written there meanwhile, and all is done once more. A lane
 * that is always faster is told by its bytes alone, and by the mean of the last copy that made sense.
 */
#include "broker/supervise/lane_look.h"

#include <string.h>
#include <unistd.h>

#include "common/flow/item_layout.h"

#define TRIES 4

struct copy {
	_Alignas(ITEM_ALIGNMENT) unsigned char bytes[LANE_LOOK_BYTES];
	uint64_t size_bytes;
};

/* The lane is a ring in the file: two pieces at most. Returns false if the file does not have them. */
static bool copy_records(const struct lane_place *place, uint64_t from, uint64_t n_bytes, struct copy *copy)
{
	uint64_t begin = from & (place->capacity_bytes - 1), first;

	copy->size_bytes = n_bytes < sizeof(copy->bytes) ? n_bytes : sizeof(copy->bytes);
	first = place->capacity_bytes - begin;
	first = first < copy->size_bytes ? first : copy->size_bytes;
	return pread(place->data_fd, copy->bytes, first, (off_t)(place->off_data + begin)) == (ssize_t)first &&
	       pread(place->data_fd, copy->bytes + first, copy->size_bytes - first, (off_t)place->off_data) ==
		       (ssize_t)(copy->size_bytes - first);
}

/* Items of whole records, and the bytes of these. Ends of runs are none. */
static void walk(const struct copy *copy, uint64_t *ret_items, uint64_t *ret_bytes, uint64_t *ret_accepted_ns)
{
	*ret_items = *ret_bytes = *ret_accepted_ns = 0;
	while (copy->size_bytes - *ret_bytes >= sizeof(struct item_header)) {
		struct item_header header;

		memcpy(&header, copy->bytes + *ret_bytes, sizeof(header));
		if (!item_makes_sense(&header))
			return;
		if (header.kind != ITEM_RUN_END && !(*ret_items)++)
			*ret_accepted_ns = header.accepted_ns;
		if (item_record_size(header.size_bytes) > copy->size_bytes - *ret_bytes)
			return; /* its end lies farther away: it counts, and its bytes do not */
		*ret_bytes += item_record_size(header.size_bytes);
	}
}

/* Of the bytes that were not walked: as many as the walked ones say. */
static uint64_t estimate(uint64_t items, uint64_t walked_bytes, uint64_t bytes)
{
	if (!walked_bytes || bytes <= walked_bytes)
		return items;
	return items + (uint64_t)((double)(bytes - walked_bytes) * (double)items / (double)walked_bytes);
}

static void look_at_items(const struct lane_place *place, uint64_t from, struct lane_state *state)
{
	const struct lane_reader *reader = &place->consumer->readers[place->reader_index];
	uint64_t items, walked_bytes, accepted_ns;
	struct copy copy;

	for (unsigned i = 0; i < TRIES; i++) {
		if (!copy_records(place, from, state->bytes, &copy))
			return;
		walk(&copy, &items, &walked_bytes, &accepted_ns);
		state->items = copy.size_bytes < state->bytes ? estimate(items, walked_bytes, state->bytes) : items;
		if (load_relaxed(&reader->free) <= from) {
			state->oldest_accepted_ns = accepted_ns;
			return;
		}
		from = load_relaxed(&reader->done);
	}
}

void lane_look(const struct lane_place *place, struct lane_state *ret_state)
{
	const struct lane_writer *writer = &place->producer->writers[place->writer_index];
	const struct lane_reader *reader = &place->consumer->readers[place->reader_index];
	uint64_t low;

	*ret_state = (struct lane_state){ .out_bytes = load_relaxed(&reader->done),
					  .in_bytes = load_relaxed(&writer->tail) };
	ret_state->blocked_ns = load_relaxed(&place->producer->observed->lanes[place->writer_index].blocked_ns);
	if (ret_state->in_bytes <= ret_state->out_bytes)
		return;
	low = place->drops_old ? load_relaxed(&writer->low) : 0;
	low = low > ret_state->out_bytes && low < ret_state->in_bytes ? low : ret_state->out_bytes;
	ret_state->bytes = ret_state->in_bytes - low;
	if (ret_state->bytes > place->capacity_bytes) {
		ret_state->bytes = place->capacity_bytes; /* they were loaded at different times, or make no sense */
		return;
	}
	look_at_items(place, low, ret_state);
}
