/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaving upward: how an endless pipeline ends because somebody downstream has enough.
 *
 *      generate ---------> cut ------------> take ------> stdout
 *                                             | weir_leave(): the cursor's bit, with the turn's commit
 *                           sees `left`  <----+ then left := 1 on its input lanes, and a ring
 *        sees `left`  <-----+ all its outputs are left: leaves its own inputs the same way
 *        + a source: ends as if drained, closes its lanes
 *        +---- closed ----> discards, closes -> discards, closes -> ends
 *
 * Who has left stays and discards, so that nobody waits for room behind it, until its inputs close: closing goes downstream
 * as it always does, and the ledger says where every item went. The bit in the cursor is the truth; the word in the lane follows
 * it, never leads, so a worker killed before the commit wants the rest of the item's turn again, and one killed between the two
 * says it at attach.
 *
 * A loop could keep itself alive: what feeds back is read by the loop's own head. So on a loop leaving is told along the way ahead, by
 * those who go on (LANE_LEFT_BEYOND): when all who read from it outside have left, the head hears of it from all that it feeds, and leaves.
 *
 * `left` shares a cache line with `done`, which the reader writes all the time: so a producer looks every 16th turn, and after
 * each sleep, for the ring of one that leaves ends any sleep. A producer only ever learns it late; it can't learn it wrongly.
 */
#include "worker/leave.h"

#include <errno.h>

#include "common/base/error.h"
#include "worker/cancelled.h"
#include "worker/input.h"
#include "worker/output.h"
#include "worker/turn.h"

#define TURNS_BETWEEN_LOOKS 16u

static uint64_t all_inputs(const struct worker *worker)
{
	return (UINT64_C(1) << worker->n_inputs) - 1;
}

static bool takes_short_way(const struct worker *worker)
{
	return worker->plain_input || worker->runs_input;
}

int leave_ask(struct worker *worker, uint32_t input)
{
	uint64_t wanted = input == WEIR_ALL_INPUTS ? all_inputs(worker) : UINT64_C(1) << (input & 63);

	if (!worker->n_inputs || (input != WEIR_ALL_INPUTS && input >= worker->n_inputs))
		return error_origin(-EINVAL);
	worker->leaving |= wanted & ~worker->cursor.inputs_left;
	worker->changed = worker->changed || worker->leaving;
	if (worker->leaving && takes_short_way(worker)) { /* ends the turn, also on the short way */
		worker->asked = true;
		worker->produce_wanted = true;
	}
	return 0;
}

void leave_forget(struct worker *worker)
{
	if (worker->leaving && takes_short_way(worker))
		worker->produce_wanted = worker->stage.produce != NULL;
	worker->leaving = 0;
}

bool leave_collect(struct worker *worker)
{
	bool leaves = worker->leaving != 0;

	if (leaves && takes_short_way(worker)) {
		worker->produce_wanted = worker->stage.produce != NULL;
		worker->plain_input = worker->runs_input = false; /* what is discarded goes the general way */
	}
	worker->cursor.inputs_left |= (uint32_t)worker->leaving;
	worker->leaving = 0;
	return leaves;
}

void leave_announce(struct worker *worker)
{
	for (uint32_t i = 0; worker->cursor.inputs_left >> i; i++)
		for (uint32_t j = 0; leave_has_left(worker, i) && j < worker->inputs[i].n_lanes; j++) {
			struct input_lane *lane = &worker->inputs[i].lanes[j];

			store_release(&lane->lane.reader->left, LANE_LEFT); /* [L7] mate: edge_says */
			fence_seq_cst(); /* [L7] visible before the ring; an awake producer finds the ring at its next sleep */
			doorbell_ring(lane->peer->doorbell.fd);
		}
}

void leave_discard(struct worker *worker, const struct weir_item *item)
{
	if (worker->unwanted_cause != CAUSE_NONE) {
		cancelled_count(worker, worker->unwanted_cause, item->size_bytes);
		return;
	}
	worker->cursor.ledger[LEDGER_UNWANTED]++;
	worker->cursor.ledger[LEDGER_TAKEN]++;
	counter_add(worker, COUNTER_BYTES_IN, item->size_bytes);
}

/* What several lanes, or edges, say together. LANE_NO_EXIT has nothing to say. */
static enum lane_left said_by_both(enum lane_left a, enum lane_left b)
{
	if (a == LANE_WANTED || b == LANE_WANTED)
		return LANE_WANTED;
	if (a == b)
		return a;
	return LANE_LEFT_BEYOND;
}

/* Without the retired lanes. The way back says nothing, unless the head has left. */
static enum lane_left edge_says(const struct output_edge *edge)
{
	enum lane_left says = LANE_LEFT;

	for (uint32_t i = 0; i < edge->n_lanes; i++) {
		uint32_t left = load_acquire(&edge->lanes[i].lane.peer->left); /* [L7] mate: leave_announce */

		if (left > LANE_LEFT) /* nonsense: it wants something */
			left = LANE_WANTED;
		if (edge->heritage->feedback && left != LANE_LEFT)
			left = LANE_NO_EXIT;
		says = i ? said_by_both(says, (enum lane_left)left) : (enum lane_left)left;
	}
	return says;
}

/* What the stage has closed itself does not count; if that is all, it goes on for what it does besides. */
static enum lane_left outputs_say(const struct worker *worker)
{
	enum lane_left says = LANE_WANTED;
	bool first = true;

	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		if (worker->cursor.outputs_closed >> i & 1)
			continue;
		says = first ? edge_says(&worker->outputs[i]) : said_by_both(says, edge_says(&worker->outputs[i]));
		first = false;
	}
	return says;
}

/* On a loop, not at its head: this stage goes on, and who feeds it hears what is behind it. */
static void pass_on(struct worker *worker, enum lane_left says)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++) {
			struct input_lane *lane = &worker->inputs[i].lanes[j];

			if (load_relaxed(&lane->lane.reader->left) >= says)
				continue;
			store_release(&lane->lane.reader->left, says); /* [L7] mate: edge_says */
			fence_seq_cst();                               /* [L7] visible before the ring */
			doorbell_ring(lane->peer->doorbell.fd);
		}
}

int leave_look(struct worker *worker)
{
	enum lane_left says;

	if (worker->unheard)
		return worker->stage.role == WEIR_SOURCE ? WEIR_CLOSED : 0;
	if (worker->turns_to_left) {
		worker->turns_to_left--;
		return 0;
	}
	worker->turns_to_left = TURNS_BETWEEN_LOOKS;
	says = outputs_say(worker);
	if (says == LANE_WANTED || (says == LANE_NO_EXIT && worker->loop))
		return 0;
	if (says != LANE_LEFT && !worker->loop) {
		pass_on(worker, says);
		return 0;
	}
	worker->unheard = true;
	if (worker->stage.role == WEIR_SOURCE)
		return WEIR_CLOSED;
	leave_ask(worker, WEIR_ALL_INPUTS);
	return 0;
}

int leave_follow(struct worker *worker)
{
	int r = leave_look(worker);

	return r == 0 && worker->leaving ? turn_commit(worker) : r;
}

/* ---- run() ---- */

/* The next record of the inputs that are left, if one lies there. Returns 0, INPUT_E_EMPTY, INPUT_E_BROKEN. */
static int next_unwanted(struct worker *worker, struct input *ret_input)
{
	for (uint32_t i = 0; worker->cursor.inputs_left >> i; i++) {
		int r = leave_has_left(worker, i) ? input_next_of(worker, i, ret_input) : INPUT_E_EMPTY;

		if (r == 0 || r == INPUT_E_BROKEN)
			return r;
	}
	return INPUT_E_EMPTY;
}

bool leave_has_work(struct worker *worker)
{
	struct input input;

	return worker->cursor.inputs_left && next_unwanted(worker, &input) != INPUT_E_EMPTY;
}

int leave_tidy(struct worker *worker)
{
	struct input input;
	int r = worker->cursor.inputs_left ? 0 : INPUT_E_EMPTY;

	while (r == 0) {
		r = next_unwanted(worker, &input);
		/* The end of a run that can't be passed on now: later. */
		if (r == 0 && input.header.kind == ITEM_RUN_END && worker->ordered)
			r = output_run_end(worker, input.header.ticket) == 0 ? 0 : INPUT_E_EMPTY;
		else if (r == 0 && input.header.kind != ITEM_RUN_END)
			leave_discard(worker, &(struct weir_item){ .size_bytes = input.size_bytes });
		if (r == 0)
			input_take(worker, &input);
	}
	return r == INPUT_E_BROKEN ? WEIR_FAILED : 0;
}
