/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which item comes next.
 *
 * Free edges: stay with a lane while it has items (its lines are warm), and begin each turn with the next edge and lane, so
 * that none starves. Merged edges (behind an ordered stage): the stream was cut into numbered runs, each of which went
 * through one worker; take run after run by its ticket. The run that is due stands, or will stand, at the head of exactly
 * one lane: its worker got it before any later one, and works in order, so waiting for it can't deadlock.
 *
 *     lane 0:  [run 0 ... end 0][run 3 ...            expected 1 -> lane 2
 *     lane 1:  [run 2 ... end 2]
 *     lane 2:  [run 1 ...
 */
#include <stdio.h>

#include "worker/in_flight.h"
#include "worker/input.h"
#include "worker/leave.h"
#include "worker/loop.h"
#include "worker/postpone.h"

static int input_broken(struct worker *worker, const struct input_edge *edge, uint32_t lane, const char *what)
{
	snprintf(worker->reason, sizeof(worker->reason), "lane %u from '%s' is broken: %s", lane,
		 edge->heritage->peer_stage, what);
	return INPUT_E_BROKEN;
}

/* The last records of a lane were overwritten: true if that has still to be counted, with a commit of its own. */
static bool input_count_end(struct worker *worker, struct input_lane *lane)
{
	uint64_t n = lane->hold.record ? hold_end(&lane->hold, &lane->lane) : 0;

	if (!n)
		return false;
	worker->cursor.ledger[LEDGER_DROPPED_OLD] += n;
	lane->touched = true;
	worker->changed = true;
	return true;
}

/* Peeks at one lane; INPUT_E_CLOSED and INPUT_E_LOST mean this lane. */
static int input_peek(struct worker *worker, const struct input_edge *edge, uint32_t lane, struct input *ret_input)
{
	struct input_lane *from = &edge->lanes[lane];
	int r;

	if (worker->in_flight && in_flight_lane_is_full(worker, &from->lane))
		return INPUT_E_EMPTY;
	if (postpone_holds(worker, from) && !leave_has_left(worker, (uint32_t)(edge - worker->inputs)))
		return INPUT_E_EMPTY;
	r = from->hold.record ? hold_peek(&from->hold, &from->lane, &ret_input->header, &ret_input->payload) :
				lane_in_peek(&from->lane, &ret_input->header, &ret_input->payload);
	switch (r) {
	case 0:
		ret_input->lane = lane;
		ret_input->extension = ret_input->payload;
		ret_input->payload =
			(const unsigned char *)ret_input->payload + item_extension_size(&ret_input->header);
		ret_input->size_bytes = ret_input->header.size_bytes - item_extension_size(&ret_input->header);
		return 0;
	case LANE_E_EMPTY:
		return INPUT_E_EMPTY;
	case LANE_E_CLOSED:
		return input_count_end(worker, from) ? INPUT_E_EMPTY : INPUT_E_CLOSED;
	case LANE_E_LOST:
		return input_count_end(worker, from) ? INPUT_E_EMPTY : INPUT_E_LOST;
	default:
		return input_broken(worker, edge, lane, "its records make no sense");
	}
}

/* What several ended lanes, or edges, are together. */
struct ends {
	uint32_t n_closed, n_lost;
};

static void ends_count(struct ends *ends, int r)
{
	ends->n_closed += r == INPUT_E_CLOSED;
	ends->n_lost += r == INPUT_E_LOST;
}

static int ends_sum(const struct ends *ends, uint32_t n)
{
	if (ends->n_closed + ends->n_lost != n)
		return INPUT_E_EMPTY;
	return ends->n_lost ? INPUT_E_LOST : INPUT_E_CLOSED;
}

static int input_next_free(struct worker *worker, struct input_edge *edge, struct input *ret_input)
{
	struct ends ends = { 0 };

	for (uint32_t i = 0; i < edge->n_lanes; i++) {
		uint32_t lane =
			edge->current + i < edge->n_lanes ? edge->current + i : edge->current + i - edge->n_lanes;
		int r = input_peek(worker, edge, lane, ret_input);

		if (r == 0)
			edge->current = lane;
		if (r == 0 || r == INPUT_E_BROKEN)
			return r;
		ends_count(&ends, r);
	}
	return ends_sum(&ends, edge->n_lanes);
}

static int input_next_merged(struct worker *worker, struct input_edge *edge, uint64_t expected, struct input *ret_input)
{
	struct ends ends = { 0 };
	uint32_t n_later = 0;

	if (edge->in_run) {
		int r = input_peek(worker, edge, edge->current, ret_input);

		return r == INPUT_E_CLOSED ?
			       input_broken(worker, edge, edge->current, "it was closed in the middle of a run") :
			       r;
	}
	for (uint32_t i = 0; i < edge->n_lanes; i++) {
		int r = input_peek(worker, edge, i, ret_input);

		if (r == INPUT_E_BROKEN)
			return r;
		ends_count(&ends, r);
		if (r != 0)
			continue;
		if (ret_input->header.ticket < expected)
			return input_broken(worker, edge, i, "a run comes twice");
		if (ret_input->header.ticket == expected) {
			edge->current = i;
			edge->in_run = true;
			return 0;
		}
		n_later++;
	}
	/* Neither a closed lane nor one whose head is later can bring it any more. */
	if (n_later && ends.n_closed + ends.n_lost + n_later == edge->n_lanes)
		return ends.n_lost ? INPUT_E_LOST : input_broken(worker, edge, 0, "a run is missing");
	return ends_sum(&ends, edge->n_lanes);
}

int input_next_of(struct worker *worker, uint32_t number, struct input *ret_input)
{
	struct input_edge *edge = &worker->inputs[number];

	ret_input->edge = number;
	return edge->heritage->merge ? input_next_merged(worker, edge, worker->cursor.expected[number], ret_input) :
				       input_next_free(worker, edge, ret_input);
}

int input_next(struct worker *worker, struct input *ret_input)
{
	struct ends ends = { 0 };

	if (worker->loop)
		return loop_next(worker, ret_input);

	for (uint32_t i = 0; i < worker->n_inputs; i++) {
		uint32_t number = worker->next_input + i < worker->n_inputs ? worker->next_input + i :
									      worker->next_input + i - worker->n_inputs;
		int r = input_next_of(worker, number, ret_input);

		if (r == 0 || r == INPUT_E_BROKEN)
			return r;
		ends_count(&ends, r);
	}
	return ends_sum(&ends, worker->n_inputs);
}

void input_take(struct worker *worker, const struct input *input)
{
	struct input_edge *edge = &worker->inputs[input->edge];
	struct input_lane *lane = &edge->lanes[input->lane];

	if (lane->hold.record)
		worker->cursor.ledger[LEDGER_DROPPED_OLD] += hold_advance(&lane->hold, &lane->lane);
	else
		lane_in_advance(&lane->lane, &input->header);
	if (worker->loop)
		loop_take(worker, input);
	worker->taken_bytes += item_record_size(input->header.size_bytes);
	lane->touched = true;
	worker->changed = true;
	worker->meter.lane = lane;
	worker->cursor.expected[input->edge] = input->header.ticket;
	if (input->header.kind == ITEM_RUN_END) {
		worker->cursor.expected[input->edge] += edge->heritage->merge ? edge->heritage->ticket_step : 1;
		edge->in_run = false;
	}
}

/* The next look starts with this lane, given by its reader index. */
static void begin_with(struct worker *worker, uint32_t lane_index)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			if (worker->inputs[i].lanes[j].lane.index == lane_index) {
				worker->next_input = i;
				if (!worker->inputs[i].heritage->merge)
					worker->inputs[i].current = j;
			}
}

static void rotate(struct worker *worker)
{
	if (worker->n_inputs > 1)
		worker->next_input = (worker->next_input + 1) % worker->n_inputs;
	for (uint32_t i = 0; i < worker->n_inputs; i++) {
		struct input_edge *edge = &worker->inputs[i];

		if (!edge->heritage->merge && edge->n_lanes > 1)
			edge->current = (edge->current + 1) % edge->n_lanes;
	}
}

void input_rotate(struct worker *worker)
{
	if (postpone_suspect_is_first(worker))
		begin_with(worker, worker->suspect_lane);
	else
		rotate(worker);
}
