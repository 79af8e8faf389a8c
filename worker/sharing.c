/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One payload, several records.
 *
 *      forward      in:  [ item ] or [ reference ]      ->  every output: [ reference ]      holds the record that came in
 *      broadcast    data                                ->  first output: [ item ], the others: [ reference ]      holds that item
 *
 * Where an edge carries no references, or no pin is to be had, the record is a copy, and the rest stays as it is. First every lane is
 * chosen, then everything is pushed: a record that does not fit leaves nothing behind.
 */
#include "worker/sharing.h"

#include <string.h>

#include "common/base/must.h"
#include "common/flow/reference.h"
#include "worker/admission.h"
#include "worker/baggage.h"
#include "worker/origins.h"
#include "worker/output.h"
#include "worker/pins.h"

/* What is sent, and what a reference to it holds. */
struct shared {
	const void *data;
	size_t size_bytes;
	struct item_reference reference;
	uint32_t held;
	uint64_t position;
};

/* Where it goes in one edge. */
struct place {
	struct output_edge *edge;
	uint32_t lane;
	bool by_reference;
	void *payload;
};

static struct output_lane *lane_of(const struct place *place)
{
	return &place->edge->lanes[place->lane];
}

static enum output_code place_choose(struct worker *worker, const struct shared *shared, struct place *place)
{
	size_t size_bytes = place->by_reference ? sizeof(shared->reference) : shared->size_bytes;
	int r;

	/* What could not be copied is not passed on either: it depends on nothing but the size. */
	if (baggage_size(worker) + shared->size_bytes > lane_payload_max(place->edge->lanes[0].lane.capacity_bytes))
		return OUTPUT_E_TOO_LARGE;
	admission_find_lane(worker, place->edge, shared->data, shared->size_bytes);
	r = output_choose(worker, place->edge, size_bytes, &place->lane, &place->payload);
	if (r == 0 && place->lane != NO_LANE && place->by_reference &&
	    !pins_possible(worker, lane_of(place), shared->held, shared->position)) {
		place->by_reference = false;
		size_bytes = shared->size_bytes;
		r = output_choose(worker, place->edge, size_bytes, &place->lane, &place->payload);
	}
	if (r != 0)
		worker->need_bytes = item_record_size(baggage_size(worker) + size_bytes);
	return r;
}

/* Returns 0, or OUTPUT_E_BROKEN with worker->reason. */
static enum output_code place_push(struct worker *worker, const struct shared *shared, const struct place *place)
{
	if (place->lane == NO_LANE) /* full, and the edge does not wait */
		return admission_skip(worker, place->edge, shared->data, shared->size_bytes) ? OUTPUT_E_BROKEN : 0;
	if (!place->by_reference) {
		memcpy(place->payload, shared->data, shared->size_bytes);
		output_build(worker, place->edge, place->lane, ITEM_DATA, shared->size_bytes);
		return 0;
	}
	memcpy(place->payload, &shared->reference, sizeof(shared->reference));
	output_build(worker, place->edge, place->lane, ITEM_REFERENCE, shared->size_bytes);
	pins_add(worker, lane_of(place), shared->held, shared->position);
	return 0;
}

/* The edge of an input lane, by its reader index; NULL: none. */
static const struct input_edge *find_edge(const struct worker *worker, uint32_t index, uint32_t *ret_lane)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			if (worker->inputs[i].lanes[j].lane.index == index) {
				*ret_lane = j;
				return &worker->inputs[i];
			}
	return NULL;
}

/* The record that starts at `position`, as it would be referred to. */
static struct shared record_at(const struct worker *worker, const struct input_edge *edge, uint32_t number,
			       uint64_t position, struct item_header *ret_header)
{
	const struct lane_in *lane = &edge->lanes[number].lane;
	const struct heritage_lane *from = &edge->heritage->lanes[number];
	const unsigned char *record = lane->data + (position & (lane->capacity_bytes - 1));

	uint32_t before_bytes;

	memcpy(ret_header, record, sizeof(*ret_header));
	before_bytes = (uint32_t)sizeof(*ret_header) + item_extension_size(ret_header);
	return (struct shared){
		.data = record + before_bytes,
		.size_bytes = ret_header->size_bytes - item_extension_size(ret_header),
		.held = pins_of_input(worker, &edge->lanes[number]),
		.position = position,
		.reference = { .slot = worker->heritage.peers[from->peer].slot,
			       .writer = from->peer_index,
			       .position = position + before_bytes,
			       .size_bytes = ret_header->size_bytes - item_extension_size(ret_header) },
	};
}

/* A lane is mapped twice in a row: whoever takes several records at once sees those behind its end in the second half. */
static bool is_payload(const struct weir_item *item, const struct shared *shared, const struct lane_in *lane)
{
	const unsigned char *data = shared->data;

	return item->data == data || item->data == data + lane->capacity_bytes;
}

/*
 * Finds the record of the item in hand, whose place has been noted in case that a suspect is to be named. Returns false if `item`
 * is not that one, or may not be referred to.
 */
static bool find_in_hand(struct worker *worker, const struct weir_item *item, struct shared *ret)
{
	const struct segment_hand *hand = worker->segment.hand;
	uint64_t position = load_relaxed(&hand->position);
	const struct input_edge *edge;
	const struct lane_in *lane;
	struct item_header header;
	uint32_t number;

	edge = find_edge(worker, load_relaxed(&hand->lane), &number);
	/* where the oldest items may be dropped at any time, none stays for long enough */
	if (!edge || load_relaxed(&hand->busy) != 1 || edge->heritage->full == HERITAGE_FULL_DROP_OLD)
		return false;
	lane = &edge->lanes[number].lane;
	if (position - lane->done >= lane->tail_cached - lane->done)
		return false;
	*ret = record_at(worker, edge, number, position, &header);
	if (header.kind == ITEM_REFERENCE) {
		const void *record_payload = ret->data;

		ret->reference = reference_read(record_payload);
		return origins_resolve(worker, record_payload, &ret->data, &ret->size_bytes) == 0 &&
		       item->data == ret->data && item->size_bytes == ret->size_bytes;
	}
	return is_payload(item, ret, lane) && item->size_bytes == ret->size_bytes;
}

bool sharing_wanted(const struct worker *worker, size_t size_bytes)
{
	return worker->pins && size_bytes >= REFERENCE_SIZE_MIN;
}

enum output_code sharing_forward(struct worker *worker, uint32_t output, const struct weir_item *item)
{
	uint32_t first = output == WEIR_ALL_OUTPUTS ? 0 : output,
		 end = output == WEIR_ALL_OUTPUTS ? worker->n_outputs : output + 1;
	struct place places[CURSOR_EDGES_MAX];
	struct shared shared;

	if (!sharing_wanted(worker, item->size_bytes) || !worker->heritage.forwards ||
	    !find_in_hand(worker, item, &shared))
		return output_push(worker, output, item->data, item->size_bytes);
	must(end <= worker->n_outputs && end <= CURSOR_EDGES_MAX);
	worker->need_output = output;
	for (uint32_t i = first; i < end; i++) {
		struct output_edge *edge = &worker->outputs[i];
		int r;

		places[i] = (struct place){ .edge = edge, .by_reference = edge->heritage->references };
		r = place_choose(worker, &shared, &places[i]);
		if (r != 0)
			return r;
	}
	for (uint32_t i = first; i < end; i++)
		if (place_push(worker, &shared, &places[i]) != 0)
			return OUTPUT_E_BROKEN;
	worker->item_emitted++;
	worker->reserved.output = NO_LANE;
	return 0;
}

enum output_code sharing_broadcast(struct worker *worker, const void *data, size_t size_bytes)
{
	struct place places[CURSOR_EDGES_MAX];
	struct shared shared = { .data = data, .size_bytes = size_bytes };

	bool is_held = false;

	must(worker->n_outputs <= CURSOR_EDGES_MAX);
	worker->need_output = WEIR_ALL_OUTPUTS;
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		struct output_edge *edge = &worker->outputs[i];
		int r;

		if (edge->closed)
			continue;
		places[i] = (struct place){ .edge = edge, .by_reference = is_held && edge->heritage->references };
		r = place_choose(worker, &shared, &places[i]);
		if (r != 0)
			return r;
		/* a lane that drops its oldest items can't hold what others refer to */
		if (!is_held && places[i].lane != NO_LANE && edge->heritage->full != HERITAGE_FULL_DROP_OLD) {
			const struct lane_out *lane = &lane_of(&places[i])->lane;

			is_held = true;
			shared.held = pins_of_output(worker, lane_of(&places[i]));
			shared.position = lane->built;
			shared.reference = (struct item_reference){
				.slot = worker->heritage.slot,
				.writer = lane->index,
				.position = lane->built + sizeof(struct item_header) + baggage_size(worker),
				.size_bytes = size_bytes,
			};
		}
	}
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (!worker->outputs[i].closed && place_push(worker, &shared, &places[i]) != 0)
			return OUTPUT_E_BROKEN;
	worker->item_emitted++;
	worker->reserved.output = NO_LANE;
	return 0;
}
