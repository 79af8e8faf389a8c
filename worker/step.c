/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where run() meets the turn. To the rest of the worker a step is an item of process(): it has the same marks in the lanes, the same copy
 * of the cursor, the same note for the suspect, the same lines in the ledger. Only who calls whom is turned around:
 *
 *      stage:    recv          send   cursor        recv          send                recv (nothing there)
 *                 |             |       |            |             |                   |
 *      runtime:  step_begin    built  working copy  step_end      built               step_end
 *                 note hand                         step_begin                        step_commit, sleep
 *                                                    \__ batch full: step_commit between the two
 *
 * A commit never cuts a step: between steps everything built is complete, and in the middle of one turn_commit_complete() hides it. A
 * step without an item (after a deadline, behind the end of an input, of a source) is the same without a note and
 * without a line in the ledger; what it changes is made again by the next generation, from the cursor.
 */
#include "worker/step.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker/baggage.h"
#include "worker/burial.h"
#include "worker/expiry.h"
#include "worker/cancelled.h"
#include "worker/keyed.h"
#include "worker/leave.h"
#include "worker/outcome.h"
#include "worker/output.h"
#include "worker/replay.h"
#include "worker/retire.h"
#include "worker/turn_priv.h"
#include "worker/wait.h"

void step_open(struct worker *worker)
{
	memcpy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
	worker->emit_refused = 0;
	worker->step.fate = WEIR_OK;
	worker->step.closing = 0;
	worker->reserved.output = NO_LANE;
}

/* The stage does not get it; it has its line in the ledger. */
static void step_pass(struct worker *worker, const struct input *input)
{
	if (worker->step.item.attempt)
		worker->suspect_attempts = 0;
	input_take(worker, input);
	worker->step.n_complete++;
}

int step_begin(struct worker *worker, const struct input *input)
{
	uint64_t position = worker->inputs[input->edge].lanes[input->lane].lane.next;
	struct step *step = &worker->step;
	int r;

	step->item = (struct weir_item){
		.data = input->payload,
		.size_bytes = input->size_bytes,
		.sequence = input->header.sequence,
		.accepted_ns = input->header.accepted_ns,
		.input = input->edge,
		.attempt = turn_attempts(worker, input, position),
	};
	if (input->header.flags) {
		r = cancelled_begin(worker, input);
		if (r != 0 && r != CANCELLED_E_SKIP)
			return r;
		if (r == CANCELLED_E_SKIP) {
			step_pass(worker, input);
			return STEP_E_GIVEN_UP;
		}
	}
	if (input->header.kind == ITEM_REFERENCE) {
		r = turn_follow(worker, input, &step->item);
		if (r != 0)
			return r;
	}
	if (step->item.attempt >= worker->heritage.attempts) {
		r = turn_give_up(worker, &step->item);
		if (r != 0)
			return r;
		step_pass(worker, input);
		return STEP_E_GIVEN_UP;
	}
	if (expiry_has_come(worker, &step->item)) {
		step_pass(worker, input);
		return STEP_E_GIVEN_UP;
	}
	turn_note_hand(worker, input, position);
	step->input = *input;
	step->has_item = true;
	step_open(worker);
	worker->reason[0] = '\0';
	worker->context.accepted_ns = step->item.accepted_ns;
	worker->cursor.expected[input->edge] = input->header.ticket;
	if (pace_is_due(&worker->meter.turns))
		meter_turn_begin_measured(worker);
	return 0;
}

int step_begin_letter(struct worker *worker, uint32_t input)
{
	struct step *step = &worker->step;
	int r = replay_take(worker, input, &step->item);

	if (r != 0)
		return r;
	if (replay_attempts(worker) >= worker->heritage.attempts) {
		r = turn_give_up(worker, &step->item);
		if (r != 0)
			return r;
		replay_end(worker);
		step->n_complete++;
		return STEP_E_GIVEN_UP;
	}
	replay_note_hand(worker, &step->item);
	step->has_item = true;
	step_open(worker);
	worker->reason[0] = '\0';
	worker->context.accepted_ns = replay_begun_ns(worker);
	return 0;
}

static bool step_did_something(const struct worker *worker)
{
	return worker->item_emitted || worker->step.closing || (worker->keyed && keyed_item_changed(worker)) ||
	       memcmp(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes) != 0;
}

/* What has been sent and put into the cursor is forgotten; the item stays in hand. */
static void step_undo(struct worker *worker)
{
	output_item_drop(worker);
	memcpy(worker->cursor.stage, worker->cursor_before, worker->stage.cursor_size_bytes);
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		worker->outputs[i].closed = worker->cursor.outputs_closed >> i & 1;
	worker->step.closing = 0;
	leave_forget(worker);
	if (worker->keyed)
		keyed_item_drop(worker);
}

void step_drop(struct worker *worker)
{
	step_undo(worker);
	baggage_end(worker);
	worker->step.has_item = false;
	replay_drop(worker);
	step_open(worker);
}

/* The item's line in the ledger. Returns 0 or WEIR_FAILED. */
static int step_account(struct worker *worker)
{
	struct step *step = &worker->step;
	enum ledger line = LEDGER_FILTERED;
	int r;

	if (step->fate == WEIR_REJECTED) {
		step_undo(worker);
		r = burial_of_item(worker, &step->item, DEAD_LETTER_REJECTED, worker->reason);
		if (r != 0)
			return r;
		line = LEDGER_REJECTED_IN;
	} else if (step->fate == WEIR_HELD) {
		line = LEDGER_HELD;
	} else if (worker->stage.role == WEIR_SINK) {
		line = LEDGER_DELIVERED;
	} else if (step_did_something(worker)) {
		line = LEDGER_CONSUMED;
	}
	worker->cursor.ledger[line]++;
	worker->cursor.ledger[LEDGER_TAKEN]++;
	counter_add(worker, COUNTER_BYTES_IN, step->item.size_bytes);
	if (step->item.attempt && !replay_in_hand(worker))
		worker->suspect_attempts = 0; /* it is behind us */
	return 0;
}

/* A send of this step found no room or was cancelled: its output must not be lost in silence. */
static int step_refused(const struct worker *worker)
{
	return worker->step.fate == WEIR_REJECTED ? 0 : worker->emit_refused;
}

static int step_complete(struct worker *worker)
{
	struct step *step = &worker->step;
	int r = step_refused(worker);

	if (r != 0)
		return r;
	if (step->has_item)
		r = step_account(worker);
	else if (step_did_something(worker))
		worker->changed = true;
	if (r != 0)
		return r;
	if (worker->stage.role == WEIR_SOURCE)
		worker->cursor.ledger[LEDGER_ACCEPTED] += worker->item_emitted;
	step->n_complete += step->has_item || worker->item_emitted;
	output_item_end(worker);
	if (worker->keyed)
		keyed_item_end(worker);
	if (step->closing) {
		output_end_runs(worker, OUTPUT_RUNS_ALL); /* into the same commit: nothing may follow the end */
		worker->cursor.outputs_closed |= (uint32_t)step->closing;
	}
	if (step->has_item) {
		if (replay_in_hand(worker))
			replay_end(worker);
		else
			input_take(worker, &step->input);
		if (worker->meter.begun_ns || worker->meter.followed.lane) {
			meter_turn_taken(worker);
			meter_turn_end(worker);
		}
		baggage_end(worker);
	}
	return 0;
}

int step_end(struct worker *worker)
{
	int r = step_complete(worker);

	if (r != 0) {
		if (r == WEIR_TOO_LARGE || r == WEIR_FULL)
			snprintf(
				worker->reason, sizeof(worker->reason),
				"what it sent for one item does not fit a lane; give the stage behind this one a larger "
				"`lane:`, or let this one weir_reject() such items");
		if (r == -EINVAL)
			outcome_explain_refusal(worker);
		step_drop(worker);
		return r == WEIR_TOO_LARGE || r == WEIR_FULL || r == -EINVAL ? WEIR_FAILED : r;
	}
	worker->step.has_item = false;
	step_open(worker);
	return 0;
}

/* Of the outputs that are closed: those whose lanes do not say so and may. */
static uint64_t outputs_to_end(const struct worker *worker)
{
	uint64_t outputs = worker->step.closed & ~worker->outputs_ended;

	for (uint32_t i = 0; outputs >> i; i++)
		if ((outputs >> i & 1) && !retire_edge_is_drained(&worker->outputs[i]))
			outputs &= ~(UINT64_C(1) << i);
	return outputs;
}

bool step_may_close(const struct worker *worker)
{
	return outputs_to_end(worker) != 0;
}

void step_close(struct worker *worker)
{
	uint64_t outputs = outputs_to_end(worker);

	if (outputs)
		turn_close_outputs(worker, outputs);
	worker->outputs_ended |= outputs;
}

int step_commit(struct worker *worker)
{
	int r;

	worker->phase = PHASE_NONE;
	r = turn_commit(worker);
	worker->phase = PHASE_RUN;
	if (r != 0)
		return r;
	worker->step.n_complete = 0;
	worker->taken_bytes = 0;
	worker->step.closed = worker->cursor.outputs_closed;
	step_close(worker);
	return 0;
}

void step_turn(struct worker *worker)
{
	(void)wait_check_order(worker); /* says that it has seen a new one */
	turn_begin(worker);
	worker->step.batch = turn_batch(worker);
	input_rotate(worker);
}

bool step_is_due(const struct worker *worker)
{
	return worker->keyed_full || worker->step.n_complete >= worker->step.batch ||
	       worker->taken_bytes >= worker->turn_bytes || output_turn_full(worker);
}
