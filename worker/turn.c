/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turn.
 *
 *     take up to a batch  ->  process, outputs built behind the tails  ->  flush  ->  commit  ->  release, wake
 *                                                                                    |
 *         killed before here: nothing happened, the input is still there  <----------+----------> killed after: it all happened
 *
 * Sources and operators with work of their own are asked to produce() instead of taking. What a stage says of an item goes into
 * the working copy of the cursor, and so into the ledger, with the same commit. An item that is dropped (rejected, cancelled, failed)
 * leaves no trace but its line in the ledger: its outputs and its changes of the stage cursor are undone.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/admission.h"
#include "worker/baggage.h"
#include "worker/burial.h"
#include "worker/cancelled.h"
#include "worker/expiry.h"
#include "worker/group.h"
#include "worker/in_flight.h"
#include "worker/input.h"
#include "worker/keyed.h"
#include "worker/leave.h"
#include "worker/loop.h"
#include "worker/outcome.h"
#include "worker/origins.h"
#include "worker/output.h"
#include "worker/pins.h"
#include "worker/postpone.h"
#include "worker/recording.h"
#include "worker/rest.h"
#include "worker/replay.h"
#include "worker/retire.h"
#include "worker/take.h"
#include "worker/turn_priv.h"
#include "worker/wait.h"
#include "worker/window.h"

enum { TURN_IDLE = 100 }; /* nothing to take now */

/* ---- one item ---- */

void turn_note_hand(struct worker *worker, const struct input *input, uint64_t position)
{
	struct segment_hand *hand = worker->segment.hand;

	store_relaxed(&hand->busy, 0); /* [S2] first: a note half overwritten names nobody */
	fence_release();               /* [S2] */
	store_relaxed(&hand->position, position);
	store_relaxed(&hand->sequence, input->header.sequence);
	store_relaxed(&hand->lane, worker->inputs[input->edge].lanes[input->lane].lane.index);
	store_release(&hand->busy, 1); /* [S2] mate: find_suspect */
	recording_process(worker);
}

uint32_t turn_attempts(struct worker *worker, const struct input *input, uint64_t position)
{
	const struct lane_in *lane = &worker->inputs[input->edge].lanes[input->lane].lane;

	if (!worker->suspect_attempts || lane->index != worker->suspect_lane)
		return 0;
	if (position == worker->suspect_position)
		return worker->suspect_attempts;
	if (position > worker->suspect_position)
		worker->suspect_attempts = 0;
	return 0;
}

int turn_drop(struct worker *worker, int status)
{
	output_item_drop(worker);
	memcpy(worker->cursor.stage, worker->cursor_before, worker->stage.cursor_size_bytes);
	leave_forget(worker);
	keyed_item_drop(worker);
	return status;
}

int turn_account(struct worker *worker, const struct weir_item *item, int status)
{
	uint64_t *ledger = worker->cursor.ledger;
	int r;

	recording_done(worker, item, status);
	switch (status) {
	case WEIR_MORE:
		worker->produce_wanted = true;
		baggage_keep(worker);
		/* fall through */
	case WEIR_OK:
		ledger[worker->item_emitted || window_item_emitted(worker) ? worker->ledger_done :
									     worker->ledger_quiet]++;
		break;
	case WEIR_HELD:
		ledger[LEDGER_HELD]++;
		break;
	case WEIR_REJECTED:
	case WEIR_EXPIRED:
	case WEIR_PEER_LOST:
		turn_drop(worker, 0);
		r = burial_by_stage(worker, item, status);
		if (r != 0)
			return r;
		ledger[status == WEIR_REJECTED ? LEDGER_REJECTED_IN : LEDGER_DEAD_LETTERED]++;
		break;
	case WEIR_WAIT: /* as if it had never been given */
		turn_drop(worker, 0);
		baggage_end(worker);
		return WEIR_WAIT;
	case WEIR_CANCELLED:
		if (worker_cancelled(worker) || cancelled_in_hand(worker) == CAUSE_NONE)
			return turn_drop(worker, status);
		turn_drop(worker, 0);
		cancelled_count(worker, cancelled_in_hand(worker), item->size_bytes);
		baggage_end(worker);
		return 0;
	default:
		return turn_drop(worker, status);
	}
	ledger[LEDGER_TAKEN]++;
	counter_add(worker, COUNTER_BYTES_IN, item->size_bytes);
	output_item_end(worker);
	keyed_item_end(worker);
	baggage_end(worker);
	return 0;
}

int turn_conclude(struct worker *worker, const struct weir_item *item, int status)
{
	status = outcome_after_emits(worker, "process", OUTCOMES_OF_ITEM, status);
	return turn_account(worker, item, status);
}

int turn_follow(struct worker *worker, const struct input *input, struct weir_item *item)
{
	const struct heritage_edge *edge = worker->inputs[input->edge].heritage;
	int r = edge->references ? origins_resolve(worker, input->payload, &item->data, &item->size_bytes) :
				   LANE_E_BROKEN;

	if (r == 0)
		return 0;
	if (r < 0)
		snprintf(worker->reason, sizeof(worker->reason),
			 "cannot map the lane that an item from '%s' lies in: %s; lower 'workers' or 'lane'",
			 edge->peer_stage, strerror(-r));
	else
		snprintf(worker->reason, sizeof(worker->reason),
			 "lane %u from '%s' is broken: an item refers to memory that is not there", input->lane,
			 edge->peer_stage);
	return WEIR_FAILED;
}

static int turn_item(struct worker *worker, const struct input *input)
{
	uint64_t position = worker->inputs[input->edge].lanes[input->lane].lane.next;
	struct weir_item item = {
		.data = input->payload,
		.size_bytes = input->size_bytes,
		.sequence = input->header.sequence,
		.accepted_ns = input->header.accepted_ns,
		.input = input->edge,
		.attempt = turn_attempts(worker, input, position),
	};
	int r;

	if (input->header.kind == ITEM_REFERENCE && !leave_has_left(worker, input->edge)) {
		r = turn_follow(worker, input, &item);
		if (r != 0)
			return r;
	}
	if (leave_has_left(worker, input->edge)) {
		leave_discard(worker, &item);
		r = 0;
	} else if (input->header.flags && (r = cancelled_begin(worker, input)) != 0) {
		r = r == CANCELLED_E_SKIP ? 0 : r;
	} else if (item.attempt >= worker->heritage.attempts) {
		r = turn_give_up(worker, &item);
	} else if (expiry_has_come(worker, &item)) {
		r = 0;
	} else {
		turn_note_hand(worker, input, position);
		memcpy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
		worker->context.accepted_ns = item.accepted_ns;
		if (worker->cursor.expected[input->edge] != input->header.ticket)
			window_shut(worker); /* another run */
		worker->cursor.expected[input->edge] = input->header.ticket;
		window_open(worker);
		window_item_begin(worker);
		worker->emit_refused = 0;
		worker->reason[0] = '\0';
		worker->phase = PHASE_PROCESS;
		r = worker->stage.process(&worker->context, worker->state, &item);
		r = turn_conclude(worker, &item, r);
	}
	if (r == WEIR_WAIT) {
		postpone(worker, &worker->inputs[input->edge].lanes[input->lane]);
		return 0;
	}
	if (r != 0)
		return r;
	if (item.attempt)
		worker->suspect_attempts = 0; /* it is behind us */
	input_take(worker, input);
	return 0;
}

/* An ordered stage has been given the last item of a run. The record stays until what belongs to the run is out. */
static int turn_run_end(struct worker *worker, const struct input *input)
{
	window_shut(worker);
	worker->cursor.expected[input->edge] = input->header.ticket;
	if (worker->ordered && worker->stage.end_run) {
		int r;

		memcpy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
		worker->emit_refused = 0;
		worker->phase = PHASE_PROCESS;
		r = worker->stage.end_run(&worker->context, worker->state);
		r = outcome_after_emits(worker, "end_run", OUTCOMES_ENDING | OUTCOME(WEIR_MORE), r);
		if (r != WEIR_OK && r != WEIR_MORE)
			return turn_drop(worker, r);
		output_item_end(worker);
		baggage_end(worker);
		worker->changed = true;
		worker->produce_wanted = worker->produce_wanted || r == WEIR_MORE;
		if (worker->produce_wanted)
			return 0;
	}
	while (worker->ordered && output_run_end(worker, input->header.ticket) == OUTPUT_E_FULL) {
		int r = turn_commit(worker);

		if (r == 0)
			r = wait_sleep(worker, ARM_SPACE, worker->need_bytes);
		if (r == 0)
			r = retire_check(worker);
		if (r != 0)
			return r;
	}
	input_take(worker, input);
	return 0;
}

int turn_lost(struct worker *worker)
{
	if (worker_cancelled(worker))
		return WEIR_CANCELLED;
	if (worker->heritage.stands_in)
		return WEIR_CLOSED; /* that is why it stands in, or nothing to it */
	snprintf(worker->reason, sizeof(worker->reason),
		 "a producer of its input was given up: what that still held is missing; see the log");
	return WEIR_FAILED;
}

/* ---- turns ---- */

uint32_t turn_batch(const struct worker *worker)
{
	return worker->suspect_attempts || worker->rendezvous ? 1 : worker->heritage.batch;
}

/*
 * The turn has taken or built its share of a lane. With a flush() nothing can be committed in the middle of an item, so what
 * an item emits then still finds room.
 */
static bool turn_is_full(const struct worker *worker)
{
	return worker->keyed_full || worker->taken_bytes >= worker->turn_bytes ||
	       (!worker->window.is_open && output_turn_full(worker));
}

/* One item after the other, whatever they are. Adds to *n how many were taken. */
static int turn_take_any(struct worker *worker, uint32_t batch, uint32_t *n)
{
	int r = 0;

	for (; *n < batch && r == 0 && !worker->produce_wanted && !worker->leaving && !turn_is_full(worker); ++*n) {
		uint32_t order = board_order_of(worker->board, worker->heritage.slot);
		struct input input;

		if (order != worker->order_seen || order >= BOARD_CANCEL)
			return wait_ordered(order);
		r = input_next(worker, &input);
		if (r == INPUT_E_EMPTY || r == INPUT_E_CLOSED)
			return *n ? 0 : r == INPUT_E_EMPTY ? TURN_IDLE : WEIR_CLOSED;
		if (r == INPUT_E_BROKEN || r == INPUT_E_LOST)
			return r == INPUT_E_LOST ? turn_lost(worker) : WEIR_FAILED;
		r = input.header.kind == ITEM_RUN_END ? turn_run_end(worker, &input) : turn_item(worker, &input);
		(void)meter_item_end(worker);
	}
	return r;
}

/*
 * Of runs: what lies there of the run at work goes the short way, its end and the first item of the next one the general way. Returns
 * TURN_IDLE if nothing lay there.
 */
static int turn_take_runs(struct worker *worker, uint32_t batch)
{
	uint32_t n = 0, before;
	int r;

	do {
		before = n;
		window_open(worker);
		r = take_run(worker, worker->meter.each ? n + 1 : batch, &n);
		(void)meter_item_end(worker);
		if (r == 0 && n < batch)
			r = turn_take_any(worker, n + 1, &n);
		/* A commit in the middle may have been the one with which the stage leaves. */
	} while (r == 0 && n < batch && n != before && worker->runs_input && !worker->produce_wanted &&
		 !turn_is_full(worker));
	return r;
}

/* All that lies there; one after the other where each is measured. */
static int turn_take_plain(struct worker *worker, uint32_t batch, uint32_t *n)
{
	uint32_t before;
	int r;

	do {
		before = *n;
		r = take_plain(worker, worker->meter.each ? *n + 1 : batch, n, &worker->look_further);
	} while (meter_item_end(worker) && r == 0 && *n < batch && *n != before && !worker->produce_wanted &&
		 !worker->leaving && !turn_is_full(worker));
	return r;
}

/*
 * Returns TURN_IDLE if nothing lay there. When the last turn has taken the short way it does not look in the general way too: who goes to
 * sleep looks there once armed, and what that finds is looked for here.
 */
static int turn_take_batch(struct worker *worker, uint32_t batch)
{
	bool plain = worker->plain_input && !worker->suspect_attempts && !recording_each_item(worker),
	     general = !plain || worker->look_further;
	uint32_t n = 0;
	int r = 0;

	if (worker->runs_input && !worker->suspect_attempts && !recording_each_item(worker))
		return turn_take_runs(worker, batch);
	if (plain && take_lies(worker)) {
		window_open(worker);
		r = turn_take_plain(worker, batch, &n);
		general = !n || worker->look_further || (worker->loop && loop_outside_waits(worker));
	}
	if (r != 0 || n == batch)
		return r;
	if (general || (!n && worker->loop && loop_outside_waits(worker)))
		return turn_take_any(worker, batch, &n);
	return n ? 0 : TURN_IDLE;
}

/*
 * Nothing lies there: looks on for a while, with all made ready for an item. Not if something is to be committed: it must not wait. Returns
 * 0: one has come; WAIT_E_OTHER; TURN_IDLE.
 */
static int turn_spin(struct worker *worker)
{
	int r;

	if (!worker->plain_input || worker->suspect_attempts || worker->changed)
		return TURN_IDLE;
	r = wait_for_plain(worker);
	worker->now_ns = 0;
	return r == WAIT_E_NOTHING ? TURN_IDLE : r;
}

static int turn_take(struct worker *worker)
{
	uint32_t batch = turn_batch(worker);
	int r, committed;

	input_rotate(worker);
	worker->taken_bytes = 0;
	meter_turn_begin(worker);
	r = turn_take_batch(worker, batch);
	while (r == TURN_IDLE) {
		r = turn_spin(worker);
		if (r != 0)
			break;
		meter_turn_begin(worker);
		r = turn_take_batch(worker, batch);
	}
	if (r == WAIT_E_OTHER) /* the next turn sees to it */
		r = 0;
	meter_turn_taken(worker);
	if (!worker->stage.flush)
		meter_turn_end(worker);
	/* Also after a failure: what is complete counts, and won't be done again. */
	committed = turn_commit(worker);
	if (worker->stage.flush)
		meter_turn_end(worker);
	return r == 0 || r == TURN_IDLE || r == WEIR_CLOSED ? (committed ? committed : r) : r;
}

static int turn_produce(struct worker *worker)
{
	uint32_t outcomes = OUTCOMES_ENDING | OUTCOME(WEIR_MORE);
	int r, committed;

	if (worker->stage.role == WEIR_SOURCE)
		outcomes |= OUTCOME(WEIR_WAIT) | OUTCOME(WEIR_CLOSED);
	worker->full = worker->produced = false;
	worker->context.accepted_ns = worker_produced_ns(worker);
	baggage_take_up(worker);
	window_open(worker);
	worker->phase = PHASE_PRODUCE;
	r = worker->stage.produce(&worker->context, worker->state);
	group_drop(&worker->context);
	r = outcome_check(worker, "produce", outcomes, in_flight_after_produce(worker, r));
	baggage_end(worker);
	if (r == WEIR_OK) /* after a failure it is still to be gone on with */
		worker->cursor.extension_words = 0;
	worker->changed = true;
	if (r == WEIR_CANCELLED && (!worker->in_flight || worker->produced))
		return r; /* what it had begun has not happened: somebody may come next, and begin it again */
	worker->produce_wanted = r == WEIR_MORE || (r == WEIR_OK && worker->stage.role == WEIR_SOURCE);
	committed = turn_commit(worker);
	if (r == WEIR_FAILED || r == WEIR_CANCELLED || r < 0)
		return r;
	if (committed != 0)
		return committed;
	if (r == WEIR_MORE && worker->full)
		return wait_sleep(worker, ARM_SPACE, worker->need_bytes);
	if (r == WEIR_WAIT)
		return worker->full ? wait_watching(worker, worker->need_bytes) : wait_sleep(worker, 0, 0);
	return r == WEIR_CLOSED ? WEIR_CLOSED : 0;
}

void turn_begin(struct worker *worker)
{
	uint64_t due_ns = worker->deals_runs ? output_runs_due_ns(worker) : 0;

	worker->now_ns = 0;
	if (worker->watch.wake_ns && worker_now_ns(worker) >= worker->watch.wake_ns) {
		worker->watch = (struct watch){ .fd = -1 };
		worker->produce_wanted = worker->stage.produce != NULL;
	}
	postpone_begin(worker);
	if (due_ns && worker_now_ns(worker) >= due_ns)
		output_end_runs(worker, OUTPUT_RUNS_DUE);
}

/* The end of the stream: what the stage still has, then the lanes close. Done again by the next generation if need be. */
static int turn_finish(struct worker *worker, enum cursor_end end)
{
	int r = 0;

	if (worker->stage.role == WEIR_SOURCE)
		worker->produce_wanted = false;
	else if (!worker->cursor.finished && worker->stage.finish) {
		memcpy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
		worker->now_ns = 0;
		worker->changed = true;
		worker->emit_refused = 0;
		worker->phase = PHASE_FINISH;
		r = worker->stage.finish(&worker->context, worker->state);
		r = outcome_after_emits(worker, "finish", OUTCOMES_ENDING | OUTCOME(WEIR_MORE), r);
		if (r != WEIR_OK && r != WEIR_MORE)
			return turn_drop(worker, r);
		output_item_end(worker);
		baggage_end(worker);
		worker->produce_wanted = r == WEIR_MORE;
		r = worker->produce_wanted ? turn_commit(worker) : 0; /* else with the end: it is not called again */
	}
	while (r == 0 && worker->produce_wanted) {
		r = turn_produce(worker);
		if (r == 0)
			r = wait_check_order(worker);
		if (r == 0)
			r = retire_check(worker);
		turn_begin(worker);
	}
	if (r != 0)
		return r;
	output_end_runs(worker, OUTPUT_RUNS_ALL);
	worker->cursor.finished = end;
	worker->changed = true;
	return turn_commit(worker);
}

/* What is the same for all turns. An operator that keeps items back can't tell which of them led to nothing. */
static void turn_prepare(struct worker *worker)
{
	bool filters = !worker->stage.produce && !worker->stage.finish;

	worker->ledger_done = worker->stage.role == WEIR_SINK ? LEDGER_DELIVERED : LEDGER_CONSUMED;
	worker->ledger_quiet = worker->stage.role == WEIR_SINK || !filters ? worker->ledger_done : LEDGER_FILTERED;
	worker->reserved.output = NO_LANE;
	worker->turn_bytes = UINT64_MAX;
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++) {
			uint64_t bytes = lane_turn_bytes(worker->inputs[i].lanes[j].lane.capacity_bytes);

			worker->turn_bytes = bytes < worker->turn_bytes ? bytes : worker->turn_bytes;
		}
	commit_limit_cursor(&worker->commit, worker->n_inputs, worker->n_outputs, worker->stage.cursor_size_bytes);
}

/* The look before the sleep may itself be what ends the last pin (wait_is_over()), and nobody rings for it again. */
static bool turn_holds_nothing(struct worker *worker, const void *data)
{
	(void)data;
	return !pins_in_inputs(worker);
}

/*
 * Whoever leaves with pins leaves its inputs held for ever. Nobody writes into them any more, but a producer that has closed only
 * this lane may itself hold its inputs for it: so stay until the last reference is freed, or everybody is to stop.
 */
int turn_linger(struct worker *worker)
{
	const struct wait_request request = { .is_over = turn_holds_nothing };
	int r = 0;

	while (r == 0 && pins_in_inputs(worker))
		r = wait_for_request(worker, &request);
	return r;
}

void turn_start(struct worker *worker)
{
	worker->item_number = 1;
	turn_prepare(worker);
	worker_set_state(worker, WORKER_STATE_BUSY, NO_LANE);
	/* What open() has decided (where a file's new bytes begin) counts before the first effect. No turn, so no heartbeat. */
	keyed_item_end(worker);
	keyed_collect(worker);
	commit_add_cursor(&worker->commit, &worker->cursor);
	commit_publish(&worker->commit);
	turn_greet(worker);
}

int turn_loop(struct worker *worker)
{
	bool source = worker->stage.role == WEIR_SOURCE, failed;
	int r = 0;

	worker->produce_wanted = worker->stage.produce != NULL;
	turn_start(worker);
	while (r == 0 && !worker->cursor.finished) {
		r = retire_check(worker);
		if (r != 0)
			break;
		turn_begin(worker);
		r = wait_check_order(worker);
		if (r == 0)
			r = admission_hand_over(worker);
		if (r != 0)
			break;
		if (source && worker->order_seen >= BOARD_DRAIN) {
			r = rest_for(worker, REST_PATIENCE_NS);
			continue;
		}
		r = leave_follow(worker);
		if (r == 0 && !source && !worker->produce_wanted && !worker->in_flight && replay_is_due(worker) &&
		    !worker->postponed.letter)
			r = replay_turn(worker);
		if (r != 0)
			break;
		r = source || worker->produce_wanted ? turn_produce(worker) :
		    worker->in_flight                ? in_flight_turn(worker) :
						       turn_take(worker);
		if (r == WEIR_CLOSED && !source && !worker->ordered && replay_is_due(worker))
			r = worker->postponed.letter ? wait_sleep(worker, 0, 0) : 0; /* not before the last letter */
		if (r == TURN_IDLE || r == IN_FLIGHT_E_IDLE) {
			r = turn_commit(worker); /* runs that were due */
			if (r == 0)
				r = wait_sleep(worker, worker->in_flight ? in_flight_wait_events(worker) : ARM_DATA, 0);
		}
	}
	if (r == REST_E_OVER)
		r = 0;
	/* A source that failed has still handed on what came before: the rest of the pipeline may finish it. */
	failed = source && (r == WEIR_FAILED || worker->cursor.finished == CURSOR_END_FAILED);
	if (r == 0 && failed)
		snprintf(worker->reason, sizeof(worker->reason),
			 "it had failed already, and its worker was killed before it could say why; see the log");
	if (r == 0 || r == WEIR_CLOSED || failed)
		r = turn_finish(worker, failed ? CURSOR_END_FAILED : CURSOR_END_CLEAN);
	if (r == 0)
		r = retire_linger(worker);
	if (r == 0) {
		turn_close(worker);
		r = loop_end(worker);
		if (r == 0)
			r = turn_linger(worker);
		if (r == 0)
			r = rest_stay(worker);
	}
	return r == 0 && failed ? WEIR_FAILED : r;
}
