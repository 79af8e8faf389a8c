/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While the window is open, the stage's inline calls move context.next, and nobody else builds in that lane:
 *
 *      lane.tail      lane.built = begin        item_next        context.next     context.limit
 *         |   general    |  whole items of the     |  item in hand     |   room      |
 *         |   calls      |  window                 |                   |             |
 *
 * Shutting it makes the books agree with what was written: `built`, sequence numbers, the ledger. Everything else (a commit, a record
 * that does not fit, an edge that is not plain) works on the books and shuts the window first. The room is at most an eighth
 * of the lane less what the turn has built already: a turn ends in time for the consumer to work beside the producer. On a feedback
 * edge it ends where the credit might, on one that deals runs where the run might: the item that ends it goes the general way. All
 * that is in a window has one ticket, for whatever ends a run shuts it first.
 */
#include "worker/window.h"

#include <string.h>

#include "worker/credit.h"
#include "worker/output.h"

static void window_close_at(struct worker *worker, unsigned char *next)
{
	worker->context.next = next;
	worker->context.limit = next;
}

/*
 * The window counts bytes, credit counts items: so it is as long as the smallest items that may still go. The rest of the credit is used up
 * in the general way. With a flush() what lies behind the tail holds its credit, and a turn ends at the first item.
 */
static uint64_t window_credit_bytes(const struct worker *worker, const struct output_edge *edge)
{
	if (!edge->credit)
		return UINT64_MAX;
	return worker->stage.flush ?
		       0 :
		       credit_left_of(edge, 1 + edge->heritage->credit / 4) * (uint64_t)sizeof(struct item_header);
}

void window_open(struct worker *worker)
{
	struct window *window = &worker->window;
	struct output_edge *edge = worker->outputs;
	struct lane_out *lane;
	uint64_t turn_bytes, built_bytes, room_bytes, credit_bytes, run_bytes;

	if (window->is_open || !worker->plain_output || worker->baggage.n_words)
		return;
	window->lane = edge->n_lanes > 1 ? output_window_lane(worker, edge) : 0;
	lane = &edge->lanes[window->lane].lane;
	built_bytes = lane->built - lane->tail;
	turn_bytes = lane_turn_bytes(lane->capacity_bytes);
	turn_bytes = turn_bytes > built_bytes ? turn_bytes - built_bytes : 0;
	room_bytes = lane_out_room(lane, false);
	if (room_bytes < turn_bytes)
		room_bytes = lane_out_room(lane, true);
	room_bytes = room_bytes < turn_bytes ? room_bytes : turn_bytes;
	credit_bytes = window_credit_bytes(worker, edge);
	room_bytes = room_bytes < credit_bytes ? room_bytes : credit_bytes;
	run_bytes = worker->deals_runs ? output_run_room(worker, edge) : UINT64_MAX;
	room_bytes = room_bytes < run_bytes ? room_bytes : run_bytes;

	window->is_open = true;
	window->begin = lane->data + (lane->built & (lane->capacity_bytes - 1));
	window_close_at(worker, window->begin);
	worker->context.limit += room_bytes;
	worker->context.sequence = worker->cursor.sequence;
	worker->context.ticket = output_ticket(worker, edge);
	worker->context.size_bytes = 0;
	window_item_begin(worker);
}

/* Records, and the bytes of their payloads. */
struct amount {
	uint64_t n, size_bytes;
};

/* What the item in hand has put there. It is seldom asked for, so it is counted only then: by the sizes in the records' headers. */
static struct amount window_in_hand(const struct worker *worker)
{
	struct amount in_hand = { 0 };

	for (const unsigned char *record = worker->window.item_next; record < worker->context.next;) {
		uint32_t size_bytes;

		memcpy(&size_bytes, record + offsetof(struct item_header, size_bytes), sizeof(size_bytes));
		in_hand.n++;
		in_hand.size_bytes += size_bytes;
		record += item_record_size(size_bytes);
	}
	return in_hand;
}

void window_item_drop(struct worker *worker)
{
	struct amount in_hand = window_in_hand(worker);

	worker->context.next = worker->window.item_next;
	worker->context.sequence -= in_hand.n;
	worker->context.size_bytes -= in_hand.size_bytes;
}

/* Whole items: emitted, and accepted if they come from a source. */
static void window_count(struct worker *worker, struct lane_out *lane, const struct amount *in_hand)
{
	uint64_t n = worker->context.sequence - in_hand->n - worker->cursor.sequence;

	lane->built += (uint64_t)(worker->window.item_next - worker->window.begin);
	worker->cursor.sequence += n;
	worker->cursor.ledger[LEDGER_EMITTED] += n;
	if (worker->stage.role == WEIR_SOURCE)
		worker->cursor.ledger[LEDGER_ACCEPTED] += n;
	if (n && worker->deals_runs)
		output_run_add(worker, worker->outputs, worker->window.lane, (uint32_t)n,
			       worker->context.size_bytes - in_hand->size_bytes);
}

void window_shut(struct worker *worker)
{
	struct window *window = &worker->window;
	struct output_lane *output;
	unsigned char *next = worker->context.next;
	struct amount in_hand;

	if (!window->is_open)
		return;
	window->is_open = false;
	if (next != window->begin) {
		output = &worker->outputs[0].lanes[window->lane];
		if (worker->phase != PHASE_PROCESS && worker->phase != PHASE_FINISH)
			window_item_begin(worker);
		in_hand = window_in_hand(worker);
		window_count(worker, &output->lane, &in_hand);
		if (in_hand.n)
			output_adopt(worker, output, (uint64_t)(next - window->item_next), (uint32_t)in_hand.n,
				     in_hand.size_bytes);
		counter_add(worker, COUNTER_BYTES_OUT, worker->context.size_bytes);
		worker->outputs[0].item_lane = window->lane;
		if (worker->outputs[0].heritage->order == HERITAGE_ORDER_NONE)
			worker->outputs[0].turn_lane = window->lane;
		output->touched = true;
		worker->changed = true;
	}
	window_item_begin(worker);
	window_close_at(worker, next);
}
