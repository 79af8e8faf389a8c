/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage with a loop of its own: run() is called once, and what it returns is judged.
 *
 *      run() --- OK, CLOSED ------> last step counts -> cursor.finished -> outputs close -> the rest of the input is thrown away
 *            \-- FAILED: source --> the same, but finished as failed: what it handed on can still arrive
 *            \-- FAILED, -errno --> the step at work is dropped, complete ones count
 *            \-- CANCELLED -------> the same, if there is an order to cancel
 *
 * Throwing away: a stage that has enough must not leave its producers waiting for room for ever. It leaves its inputs, so that they
 * stop; what still comes is taken and counted as unwanted, until the inputs end. An ordered stage goes on passing ends of runs
 * meanwhile, so that those who merge behind it miss none, and closes afterwards.
 */
#include "worker/run.h"

#include <errno.h>
#include <stdio.h>

#include "worker/leave.h"
#include "worker/loop.h"
#include "worker/outcome.h"
#include "worker/output.h"
#include "worker/retire.h"
#include "worker/step.h"
#include "worker/turn_priv.h"
#include "worker/wait.h"

/* What run() came to: 0, WEIR_CANCELLED, WEIR_FAILED with worker->reason, negative errno. */
static int run_status(struct worker *worker, int status)
{
	int over = worker->step.over;

	if (status == -EINVAL && status == worker->emit_refused) { /* no new worker would do better */
		outcome_explain_refusal(worker);
		status = WEIR_FAILED;
	}
	/* Nobody may overlook a failure, or end cleanly what was cancelled. */
	if (over == WEIR_FAILED || over < 0 || (over == WEIR_CANCELLED && status != WEIR_FAILED && status >= 0))
		status = over;
	if (status == WEIR_CLOSED)
		status = WEIR_OK;
	if (status == WEIR_PEER_LOST)
		return turn_lost(worker);
	return outcome_check(worker, "run", OUTCOMES_ENDING, status);
}

/* The last step. Returns what the stage has come to. */
static int run_conclude(struct worker *worker, int status)
{
	/* What a source that fails has sent counts; what one that is cancelled has sent last may lack its cursor, and be sent again. */
	bool keeps = status == 0 || (worker->stage.role == WEIR_SOURCE && status != WEIR_CANCELLED);
	int r = keeps ? step_end(worker) : 0, committed;

	if (!keeps)
		step_drop(worker);
	committed = step_commit(worker);
	worker->phase = PHASE_NONE;
	if (r == 0)
		r = committed;
	return status ? status : r;
}

static int run_stage(struct worker *worker)
{
	int r;

	step_open(worker);
	step_turn(worker);
	worker->phase = PHASE_RUN;
	r = worker->stage.run(&worker->context, worker->state);
	r = run_status(worker, r);
	return run_conclude(worker, r);
}

/* ---- after it ---- */

static int discard_record(struct worker *worker, const struct input *input)
{
	if (input->header.kind != ITEM_RUN_END)
		leave_discard(worker, &(struct weir_item){ .size_bytes = input->size_bytes });
	while (input->header.kind == ITEM_RUN_END && worker->ordered &&
	       output_run_end(worker, input->header.ticket) == OUTPUT_E_FULL) {
		int r = turn_commit(worker);

		if (r == 0)
			r = wait_sleep(worker, ARM_SPACE, worker->need_bytes);
		if (r != 0)
			return r;
	}
	input_take(worker, input);
	return 0;
}

/* Until the inputs end. Returns 0, WEIR_CANCELLED, WEIR_FAILED, negative errno. */
static int run_discard(struct worker *worker)
{
	uint32_t n = 0;
	int r = 0;

	while (r == 0) {
		struct input input;

		if (worker_cancelled(worker)) {
			(void)turn_commit(worker);
			return WEIR_CANCELLED;
		}
		r = input_next(worker, &input);
		if (r == INPUT_E_CLOSED || r == INPUT_E_LOST)
			return turn_commit(worker);
		if (r == INPUT_E_BROKEN)
			return WEIR_FAILED;
		if (r == 0)
			r = discard_record(worker, &input);
		if (r == INPUT_E_EMPTY || ++n % worker->heritage.batch == 0) {
			int empty = r == INPUT_E_EMPTY;

			r = turn_commit(worker);
			if (r == 0)
				r = retire_check(worker);
			if (r == 0 && empty)
				r = wait_sleep(worker, ARM_DATA, 0);
			input_rotate(worker);
		}
	}
	return r;
}

/* Nothing can come any more. */
static bool run_has_ended(struct worker *worker)
{
	struct input input;
	int r = worker->n_inputs ? input_next(worker, &input) : INPUT_E_CLOSED;

	return r == INPUT_E_CLOSED || r == INPUT_E_LOST;
}

static int run_finish(struct worker *worker, enum cursor_end end)
{
	int r;

	if (!worker->cursor.finished) {
		output_end_runs(worker, OUTPUT_RUNS_ALL);
		if (!run_has_ended(worker))
			leave_ask(worker, WEIR_ALL_INPUTS);
		worker->cursor.finished = end;
		worker->changed = true;
		r = turn_commit(worker);
		if (r != 0)
			return r;
	}
	r = retire_linger(worker);
	if (r != 0)
		return r;
	if (!worker->ordered)
		turn_close_outputs(worker, UINT64_MAX);
	r = worker->n_inputs ? run_discard(worker) : 0;
	if (r == 0) {
		turn_close(worker);
		r = loop_end(worker);
		if (r == 0)
			r = turn_linger(worker);
	}
	return r;
}

int run_loop(struct worker *worker)
{
	bool source = worker->stage.role == WEIR_SOURCE, failed;
	int r;

	turn_start(worker);
	r = wait_check_order(worker);
	/* What an earlier generation has committed, and may not have lived to do. */
	worker->step.closed = worker->cursor.outputs_closed;
	step_close(worker);
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		worker->outputs[i].closed = worker->cursor.outputs_closed >> i & 1;
	worker->parted = worker->cursor.finished || (source && worker->order_seen >= BOARD_DRAIN);
	if (r == 0 && !worker->parted)
		r = run_stage(worker);
	failed = source && (r == WEIR_FAILED || worker->cursor.finished == CURSOR_END_FAILED);
	if (r == 0 && failed)
		snprintf(worker->reason, sizeof(worker->reason),
			 "it had failed already, and its worker was killed before it could say why; see the log");
	if (r == 0 || failed)
		r = run_finish(worker, failed ? CURSOR_END_FAILED : CURSOR_END_CLEAN);
	return r == 0 && failed ? WEIR_FAILED : r;
}
