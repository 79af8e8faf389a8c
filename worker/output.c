/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an item goes.
 *
 * An edge without order deals items out: at its first emit of a turn it picks a lane by balance and stays with it, so that a turn
 * fills one consumer's cache lines, not all of them. An edge that DEALs runs stays with a lane until the run ends. An edge
 * that KEEPs runs has no choice: the run's ticket says which lane, so that the consumer there knows what to expect.
 *
 * Nothing here is visible to anyone before the commit. Two marks make undoing cheap: per lane, where the complete items
 * end; per edge, what the item in hand has added.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "worker/admission.h"
#include "worker/baggage.h"
#include "worker/credit.h"
#include "worker/output.h"
#include "worker/pins.h"
#include "worker/sharing.h"
#include "worker/window.h"

int output_status(enum output_code code)
{
	switch (code) { /* no default: the compiler has the last word */
	case OUTPUT_DONE:
		return WEIR_OK;
	case OUTPUT_E_FULL:
		return WEIR_FULL;
	case OUTPUT_E_TOO_LARGE:
		return WEIR_TOO_LARGE;
	case OUTPUT_E_BROKEN:
		return WEIR_FAILED;
	case OUTPUT_E_UNRESERVED:
		return error_origin(-EINVAL);
	}
	must(!"a code of output.h");
	return WEIR_FAILED;
}

static struct cursor_output *output_cursor(struct worker *worker, const struct output_edge *edge)
{
	return &worker->cursor.outputs[edge - worker->outputs];
}

static uint32_t output_balance(struct output_edge *edge)
{
	uint32_t best = edge->next;

	edge->next = edge->next + 1 < edge->n_lanes ? edge->next + 1 : 0;
	if (edge->heritage->balance == HERITAGE_ROUND_ROBIN)
		return best;
	for (uint32_t i = 0; i < edge->n_lanes; i++) {
		uint32_t lane = best + i < edge->n_lanes ? best + i : best + i - edge->n_lanes;

		if (lane_out_load(&edge->lanes[lane].lane) < lane_out_load(&edge->lanes[best].lane))
			best = lane;
	}
	return best;
}

uint32_t output_turn_lane(struct output_edge *edge)
{
	if (edge->n_lanes == 1)
		return 0;
	if (edge->turn_lane == NO_LANE)
		edge->turn_lane = output_balance(edge);
	return edge->turn_lane;
}

/* The one lane that the next record of an edge must go to; NO_LANE: there is a choice. */
static uint32_t output_only_lane(const struct worker *worker, const struct output_edge *edge)
{
	const struct cursor_output *run = &worker->cursor.outputs[edge - worker->outputs];

	if (edge->key)
		return edge->key_lane;
	if (edge->heritage->order == HERITAGE_ORDER_KEEP)
		return (uint32_t)(worker->cursor.expected[0] % edge->n_lanes);
	if (edge->heritage->order == HERITAGE_ORDER_DEAL && run->run_records)
		return edge->run_lane;
	return edge->heritage->order == HERITAGE_ORDER_DEAL && edge->item_records ? edge->item_lane : NO_LANE;
}

/*
 * The lane of the next record; for free edges another one if the first choice is full. NO_LANE: none, and the edge does not wait.
 * Of an edge with a key key_lane must be known.
 */
enum output_code output_choose(struct worker *worker, struct output_edge *edge, size_t size_bytes, uint32_t *ret_lane,
			       void **ret_payload)
{
	uint32_t lane = output_only_lane(worker, edge);
	bool any_lane = edge->n_lanes > 1 && lane == NO_LANE; /* as output_room() has it: it must promise no more */
	int r;

	if (edge->n_lanes == 1 || lane == NO_LANE)
		lane = output_turn_lane(edge);

	r = credit_left(edge) && !edge->held ? admission_reserve(worker, edge, lane, size_bytes, ret_payload) :
					       LANE_E_FULL;
	if (r == LANE_E_FULL && !edge->credit && !edge->held && any_lane)
		for (uint32_t i = 0; r == LANE_E_FULL && i < edge->n_lanes; i++) {
			lane = lane + 1 < edge->n_lanes ? lane + 1 : 0;
			r = admission_reserve(worker, edge, lane, size_bytes, ret_payload);
		}
	if (r == 0 && any_lane)
		edge->turn_lane = lane;
	*ret_lane = lane;
	if (r == LANE_E_FULL && edge->heritage->full == HERITAGE_FULL_DROP_OLD)
		r = admission_drop_old(worker, edge, lane, size_bytes, ret_payload);
	if (r == LANE_E_FULL && admission_gives_up(worker, edge)) {
		*ret_lane = NO_LANE;
		return 0;
	}
	if (r == LANE_E_BROKEN)
		snprintf(worker->reason, sizeof(worker->reason),
			 "lane %u to '%s' is broken: its reader's position makes no sense", lane,
			 edge->heritage->peer_stage);
	return r == 0                ? 0 :
	       r == LANE_E_FULL      ? OUTPUT_E_FULL :
	       r == LANE_E_TOO_LARGE ? OUTPUT_E_TOO_LARGE :
				       OUTPUT_E_BROKEN;
}

static void output_mark(struct worker *worker, struct output_lane *lane)
{
	lane->touched = true;
	if (lane->mark_item != worker->item_number) {
		lane->mark_item = worker->item_number;
		lane->mark = lane->lane.built;
		lane->mark_ordinal = lane->ordinal;
	}
}

/* A record of the item in hand stands in the lane. */
static void output_count(struct output_edge *edge, uint32_t lane, uint32_t n, uint64_t size_bytes)
{
	edge->item_records += n;
	edge->item_bytes += size_bytes;
	edge->item_lane = lane;
}

void output_adopt(struct worker *worker, struct output_lane *lane, uint64_t lane_bytes, uint32_t n, uint64_t size_bytes)
{
	output_mark(worker, lane);
	lane->lane.built += lane_bytes;
	output_count(worker->outputs, (uint32_t)(lane - worker->outputs->lanes), n, size_bytes);
	worker->item_emitted += n;
}

void output_build(struct worker *worker, struct output_edge *edge, uint32_t lane, enum item_kind kind,
		  size_t size_bytes)
{
	struct item_header header = {
		.size_bytes = baggage_size(worker) +
			      (kind == ITEM_REFERENCE ? (uint32_t)sizeof(struct item_reference) : (uint32_t)size_bytes),
		.kind = kind,
		.flags = (uint16_t)worker->baggage.n_words,
		.sequence = worker->cursor.sequence + worker->item_emitted,
		.ticket = output_ticket(worker, edge),
		.accepted_ns = worker->context.accepted_ns,
	};

	output_mark(worker, &edge->lanes[lane]);
	if (edge->heritage->full == HERITAGE_FULL_DROP_OLD)
		header.ticket = edge->lanes[lane].ordinal++;
	lane_out_push(&edge->lanes[lane].lane, &header);
	output_count(edge, lane, 1, size_bytes);
	counter_add(worker, COUNTER_BYTES_OUT, size_bytes);
}

/* What has to be waited for, after a push that found no room. */
static enum output_code output_no_room(struct worker *worker, uint32_t output, size_t size_bytes, enum output_code r)
{
	worker->need_bytes = item_record_size(baggage_size(worker) + size_bytes);
	worker->need_output = output;
	return r;
}

enum output_code output_push(struct worker *worker, uint32_t output, const void *data, size_t size_bytes)
{
	uint32_t first = output == WEIR_ALL_OUTPUTS ? 0 : output,
		 end = output == WEIR_ALL_OUTPUTS ? worker->n_outputs : output + 1;
	uint32_t lanes[CURSOR_EDGES_MAX];
	void *payloads[CURSOR_EDGES_MAX];

	if (output == WEIR_ALL_OUTPUTS && worker->n_outputs > 1 && sharing_wanted(worker, size_bytes))
		return sharing_broadcast(worker, data, size_bytes);
	must(end <= worker->n_outputs && end <= CURSOR_EDGES_MAX);
	for (uint32_t i = first; i < end; i++) {
		int r;

		if (worker->outputs[i].closed)
			continue;
		admission_find_lane(worker, &worker->outputs[i], data, size_bytes);
		r = output_choose(worker, &worker->outputs[i], size_bytes, &lanes[i], &payloads[i]);

		if (r != 0)
			return output_no_room(worker, output, size_bytes, r);
	}
	for (uint32_t i = first; i < end; i++) {
		if (worker->outputs[i].closed)
			continue;
		if (lanes[i] == NO_LANE) {
			if (admission_skip(worker, &worker->outputs[i], data, size_bytes) != 0)
				return OUTPUT_E_BROKEN;
			continue;
		}
		if (size_bytes)
			memcpy(payloads[i], data, size_bytes);
		output_build(worker, &worker->outputs[i], lanes[i], ITEM_DATA, size_bytes);
	}
	worker->item_emitted++;
	worker->reserved.output = NO_LANE;
	return 0;
}

/* Before the key is known: room in every lane that it may lead to. key_lane is the one that has none, for whoever waits. */
static enum output_code output_choose_all(struct worker *worker, struct output_edge *edge, size_t size_bytes,
					  uint32_t *ret_lane)
{
	uint32_t unused_lane;
	void *unused;

	for (edge->key_lane = 0; edge->key_lane < edge->n_lanes; edge->key_lane++) {
		int r = output_choose(worker, edge, size_bytes, &unused_lane, &unused);

		if (r != 0)
			return r;
	}
	*ret_lane = NO_LANE;
	return 0;
}

enum output_code output_reserve(struct worker *worker, uint32_t output, size_t size_bytes, void **ret_payload)
{
	int r;

	must(output < worker->n_outputs);
	if (worker->outputs[output].key)
		r = output_choose_all(worker, &worker->outputs[output], size_bytes, &worker->reserved.lane);
	else
		r = output_choose(worker, &worker->outputs[output], size_bytes, &worker->reserved.lane, ret_payload);
	worker->reserved.output = r == 0 ? output : NO_LANE;
	worker->reserved.size_bytes = size_bytes;
	if (r == 0 && worker->reserved.lane == NO_LANE)
		*ret_payload = admission_scratch(worker, size_bytes);
	return r == 0 ? 0 : output_no_room(worker, output, size_bytes, r);
}

/* What lies in the scratch can now be looked at; whatever lane it belongs to, there is room, or it is skipped. */
static enum output_code output_push_scratch(struct worker *worker, struct output_edge *edge, size_t size_bytes)
{
	const void *data = worker->reserved.scratch;
	void *payload;
	uint32_t lane;
	int r;

	admission_find_lane(worker, edge, data, size_bytes);
	r = output_choose(worker, edge, size_bytes, &lane, &payload);
	if (r != 0)
		return OUTPUT_E_BROKEN;
	if (lane == NO_LANE)
		return admission_skip(worker, edge, data, size_bytes) == 0 ? 0 : OUTPUT_E_BROKEN;
	if (size_bytes)
		memcpy(payload, data, size_bytes);
	output_build(worker, edge, lane, ITEM_DATA, size_bytes);
	return 0;
}

enum output_code output_push_reserved(struct worker *worker, uint32_t output, size_t size_bytes)
{
	if (output != worker->reserved.output || size_bytes > worker->reserved.size_bytes)
		return OUTPUT_E_UNRESERVED;
	if (worker->reserved.lane != NO_LANE) {
		output_build(worker, &worker->outputs[output], worker->reserved.lane, ITEM_DATA, size_bytes);
	} else {
		int r = output_push_scratch(worker, &worker->outputs[output], size_bytes);

		if (r != 0)
			return r;
	}
	worker->item_emitted++;
	worker->reserved.output = NO_LANE;
	return 0;
}

static void output_close_run(struct worker *worker, struct output_edge *edge)
{
	struct cursor_output *run = output_cursor(worker, edge);
	struct output_lane *lane = &edge->lanes[edge->run_lane];

	lane->touched = true;
	must(lane_out_push_run_end(&lane->lane, run->ticket) == 0); /* every push has left room for it */
	run->ticket++;
	run->run_records = 0;
	run->run_bytes = 0;
	worker->changed = true;
}

void output_run_add(struct worker *worker, struct output_edge *edge, uint32_t lane, uint32_t n, uint64_t size_bytes)
{
	struct cursor_output *run = output_cursor(worker, edge);

	if (edge->heritage->order != HERITAGE_ORDER_DEAL)
		return;
	if (!run->run_records)
		edge->run_opened_ns = worker_now_ns(worker);
	run->target = edge->lanes[lane].lane.index - edge->first_index;
	edge->run_lane = lane;
	run->run_records += n;
	run->run_bytes += size_bytes;
	if ((edge->heritage->run_bytes && run->run_bytes >= edge->heritage->run_bytes) ||
	    (edge->heritage->run_records && run->run_records >= edge->heritage->run_records))
		output_close_run(worker, edge);
}

uint64_t output_run_room(const struct worker *worker, const struct output_edge *edge)
{
	const struct heritage_edge *limits = edge->heritage;
	const struct cursor_output *run = &worker->cursor.outputs[edge - worker->outputs];
	uint64_t by_bytes = limits->run_bytes ? limits->run_bytes - run->run_bytes : UINT64_MAX,
		 by_records = limits->run_records ?
				      (limits->run_records - run->run_records - 1) * (uint64_t)item_record_size(0) :
				      UINT64_MAX;

	/* In whole words, as records are: beside its end the window would have no end. */
	return (by_bytes < by_records ? by_bytes : by_records) & ~(uint64_t)(ITEM_ALIGNMENT - 1);
}

uint64_t output_ticket(const struct worker *worker, const struct output_edge *edge)
{
	return edge->heritage->order == HERITAGE_ORDER_KEEP ? worker->cursor.expected[0] :
							      worker->cursor.outputs[edge - worker->outputs].ticket;
}

uint32_t output_window_lane(const struct worker *worker, struct output_edge *edge)
{
	uint32_t only = output_only_lane(worker, edge);

	return only != NO_LANE ? only : output_turn_lane(edge);
}

void output_item_end(struct worker *worker)
{
	for (uint32_t i = 0; worker->item_emitted && i < worker->n_outputs; i++) {
		struct output_edge *edge = &worker->outputs[i];

		admission_item_end(worker, edge);
		if (!edge->item_records)
			continue;
		worker->cursor.ledger[LEDGER_EMITTED] += edge->item_records;
		output_run_add(worker, edge, edge->item_lane, edge->item_records, edge->item_bytes);
		edge->item_records = 0;
		edge->item_bytes = 0;
		worker->changed = true;
	}
	worker->cursor.sequence += worker->item_emitted;
	worker->item_emitted = 0;
	worker->item_number++;
}

void output_item_drop(struct worker *worker)
{
	window_item_drop(worker);
	worker->reserved.output = NO_LANE;
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		struct output_edge *edge = &worker->outputs[i];

		for (uint32_t j = 0; edge->item_records && j < edge->n_lanes; j++)
			if (edge->lanes[j].mark_item == worker->item_number) {
				edge->lanes[j].lane.built = edge->lanes[j].mark;
				edge->lanes[j].ordinal = edge->lanes[j].mark_ordinal;
			}
		edge->item_records = 0;
		edge->item_bytes = 0;
		edge->item_skipped = 0;
	}
	if (worker->pins)
		pins_drop(worker);
	worker->item_emitted = 0;
	worker->item_number++;
}

/* The lane that a kept run's end goes to. */
static struct output_lane *output_kept_lane(struct output_edge *edge, uint64_t ticket)
{
	return &edge->lanes[edge->n_lanes == 1 ? 0 : ticket % edge->n_lanes];
}

bool output_run_end_fits(struct worker *worker, uint64_t ticket)
{
	uint64_t need = item_record_size(0);

	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		struct lane_out *lane = &output_kept_lane(&worker->outputs[i], ticket)->lane;

		if (worker->outputs[i].heritage->order == HERITAGE_ORDER_KEEP && lane_out_room(lane, false) < need &&
		    lane_out_room(lane, true) < need) {
			worker->need_bytes = need;
			worker->need_output = WEIR_ALL_OUTPUTS;
			return false;
		}
	}
	return true;
}

int output_run_end(struct worker *worker, uint64_t ticket)
{
	if (!output_run_end_fits(worker, ticket))
		return OUTPUT_E_FULL;
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		struct output_lane *lane = output_kept_lane(&worker->outputs[i], ticket);

		if (worker->outputs[i].heritage->order != HERITAGE_ORDER_KEEP)
			continue;
		lane->touched = true;
		must(lane_out_push_run_end(&lane->lane, ticket) == 0);
		worker->changed = true;
	}
	return 0;
}

void output_end_runs(struct worker *worker, enum output_runs which)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		struct output_edge *edge = &worker->outputs[i];
		bool with_turn = !edge->heritage->run_bytes && !edge->heritage->run_records;
		bool due = with_turn || (edge->heritage->run_wait_ns &&
					 edge->run_opened_ns + edge->heritage->run_wait_ns <= worker_now_ns(worker));

		if (edge->heritage->order == HERITAGE_ORDER_DEAL && output_cursor(worker, edge)->run_records &&
		    (which == OUTPUT_RUNS_ALL || with_turn || (which == OUTPUT_RUNS_DUE && due)))
			output_close_run(worker, edge);
	}
}

uint64_t output_runs_due_ns(const struct worker *worker)
{
	uint64_t due_ns = 0;

	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		const struct output_edge *edge = &worker->outputs[i];

		if (edge->heritage->order == HERITAGE_ORDER_DEAL && edge->heritage->run_wait_ns &&
		    worker->cursor.outputs[i].run_records)
			due_ns = due_ns && due_ns < edge->run_opened_ns + edge->heritage->run_wait_ns ?
					 due_ns :
					 edge->run_opened_ns + edge->heritage->run_wait_ns;
	}
	return due_ns;
}

static bool output_is_needed(const struct worker *worker, uint32_t output)
{
	return !worker->outputs[output].closed &&
	       (worker->need_output == WEIR_ALL_OUTPUTS || worker->need_output == output);
}

uint32_t output_awaited(struct worker *worker, uint64_t need_bytes, uint32_t *ret_lane)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		struct output_edge *edge = &worker->outputs[i];
		uint32_t only = output_only_lane(worker, edge);
		bool room = !output_is_needed(worker, i) || admission_never_waits(edge);

		for (uint32_t j = 0; !room && j < edge->n_lanes; j++)
			room = (only == NO_LANE || only == j) &&
			       (!edge->heritage->rendezvous || admission_lane_empty(worker, &edge->lanes[j])) &&
			       lane_out_room(&edge->lanes[j].lane, true) >= need_bytes;
		room = room && (!output_is_needed(worker, i) || (credit_left(edge) && !edge->held));
		if (!room) {
			*ret_lane = edge->n_lanes == 1 ? 0 : only;
			return i;
		}
	}
	return WEIR_ALL_OUTPUTS;
}

bool output_room(struct worker *worker, uint64_t need_bytes)
{
	uint32_t lane;

	return output_awaited(worker, need_bytes, &lane) == WEIR_ALL_OUTPUTS;
}

bool output_possible(const struct worker *worker, uint64_t need_bytes)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		const struct output_edge *edge = &worker->outputs[i];
		uint32_t only = output_only_lane(worker, edge);
		bool possible = !output_is_needed(worker, i) || admission_never_waits(edge);

		for (uint32_t j = 0; !possible && j < edge->n_lanes; j++) {
			const struct lane_out *lane = &edge->lanes[j].lane;

			possible = (only == NO_LANE || only == j) &&
				   lane->capacity_bytes -
						   (lane->built - admission_complete_end(worker, &edge->lanes[j])) >=
					   need_bytes + lane->reserve_bytes;
		}
		possible = possible && (!output_is_needed(worker, i) || credit_possible(edge, edge->item_records + 1));
		if (!possible)
			return false;
	}
	return true;
}

bool output_turn_full(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		const struct output_edge *edge = &worker->outputs[i];
		const struct lane_out *lane =
			&edge->lanes[edge->turn_lane != NO_LANE ? edge->turn_lane : edge->item_lane].lane;

		/* With a flush() nothing is committed in the middle of an item: what lies behind the tail holds its credit. */
		if (lane->built - lane->tail >= lane_turn_bytes(lane->capacity_bytes) ||
		    (edge->credit && worker->stage.flush && lane->built != lane->tail))
			return true;
	}
	return false;
}

size_t output_payload_max(const struct worker *worker)
{
	uint64_t max = SIZE_MAX;

	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		uint64_t fits = lane_payload_max(worker->outputs[i].lanes[0].lane.capacity_bytes);

		max = fits < max ? fits : max;
	}
	return (size_t)max;
}
