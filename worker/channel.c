/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receive, send, close. Each first does what it can at once; only if that is nothing it commits the complete steps, looks at the
 * clock, and sleeps. So a deadline costs nothing while items are ready, and a cancel one look at the board.
 *
 *                    +----------------- look again -----------------+
 *      end the step -+-> at once? --no--> commit ---> try: WOULD_BLOCK, past the deadline: EXPIRED, else sleep
 *                          |yes                                          | cancelled, supervisor gone
 *                          v                                             v
 *                        0, CLOSED, PEER_LOST ...                     CANCELLED
 *
 * What a run() stage could get wrong is answered by its next call: an outcome that ends it (over) is given again and again.
 */
#include "worker/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/error.h"
#include "worker/admission.h"
#include "worker/channel_priv.h"
#include "worker/decode.h"
#include "worker/expiry.h"
#include "worker/leave.h"
#include "worker/output.h"
#include "worker/replay.h"
#include "worker/retire.h"
#include "worker/stamp.h"
#include "worker/turn_priv.h"
#include "worker/wait.h"

int channel_over(struct worker *worker, int r)
{
	if (r != 0)
		worker->step.over = r;
	return r;
}

static int channel_cancelled(struct worker *worker)
{
	int r = step_commit(worker);

	(void)wait_check_order(worker);
	return channel_over(worker, r ? r : WEIR_CANCELLED);
}

/* A source is told to take nothing more in. */
static int channel_drained(struct worker *worker)
{
	int r = step_commit(worker);

	worker->parted = true; /* its stage is told that this is the end */
	(void)wait_check_order(worker);
	return r ? channel_over(worker, r) : WEIR_CLOSED;
}

/*
 * Between steps: complete ones take effect, and whatever the neighbours want done between turns is done. Returns 0; WEIR_CLOSED: nobody
 * listens to this source any more; what is over.
 */
static int channel_commit(struct worker *worker)
{
	int heard = leave_look(worker), r = leave_tidy(worker);

	if (retire_is_due(worker))
		output_end_runs(worker, OUTPUT_RUNS_ALL); /* dealing.c wants them to be complete */
	if (r == 0)
		r = step_commit(worker);
	if (r == 0)
		r = retire_advance(worker);
	return r ? channel_over(worker, r) : heard;
}

int channel_step(struct worker *worker)
{
	uint32_t order;
	int r = step_end(worker);

	if (__builtin_expect(r != 0, 0))
		return channel_over(worker, r);
	order = board_order_of(worker->board, worker->heritage.slot);
	if (order >= BOARD_CANCEL)
		return channel_cancelled(worker);
	if (worker->stage.role == WEIR_SOURCE && (order >= BOARD_DRAIN || worker->unheard))
		return channel_drained(worker);
	if (!step_is_due(worker))
		return 0;
	r = channel_commit(worker);
	if (r == 0)
		step_turn(worker);
	return r;
}

static int channel_next(struct worker *worker, uint32_t input, struct input *ret_input)
{
	return input == WEIR_ANY_INPUT ? input_next(worker, ret_input) : input_next_of(worker, input, ret_input);
}

/* Takes what is not for the stage: the end of a run, an item of an input that it has left. */
static int channel_skip(struct worker *worker, const struct input *next)
{
	if (next->header.kind == ITEM_RUN_END) {
		if (worker->ordered && output_run_end(worker, next->header.ticket) != 0)
			return CHANNEL_NOTHING;
	} else if (leave_has_left(worker, next->edge)) {
		leave_discard(worker, &(struct weir_item){ .size_bytes = next->size_bytes });
	} else {
		return CHANNEL_ITEM;
	}
	input_take(worker, next);
	return 0;
}

/* Dead letters that are given again come first. Returns 0: one is in hand; REPLAY_E_NONE; what is over. */
static int channel_take_letter(struct worker *worker, uint32_t input)
{
	int r;

	do
		r = step_begin_letter(worker, input);
	while (r == STEP_E_GIVEN_UP);
	return r == REPLAY_E_NONE ? r : channel_over(worker, r);
}

int channel_take(struct worker *worker, uint32_t input)
{
	struct input next;
	int r = replay_is_due(worker) ? channel_take_letter(worker, input) : REPLAY_E_NONE;

	if (r != REPLAY_E_NONE)
		return r;
	for (;;) {
		r = channel_next(worker, input, &next);
		if (r == INPUT_E_EMPTY)
			return CHANNEL_NOTHING;
		if (r == INPUT_E_CLOSED)
			return WEIR_CLOSED;
		if (r == INPUT_E_LOST)
			return WEIR_PEER_LOST;
		if (r != 0)
			return channel_over(worker, WEIR_FAILED);
		r = channel_skip(worker, &next);
		if (r == CHANNEL_NOTHING)
			return r;
		if (r == CHANNEL_ITEM)
			r = step_begin(worker, &next);
		else
			continue;
		if (r != STEP_E_GIVEN_UP)
			return channel_over(worker, r);
	}
}

bool channel_has(struct worker *worker, uint32_t input)
{
	struct input next;
	int r;

	if (replay_has(worker, input))
		return true;
	r = channel_next(worker, input, &next);
	if (r != 0)
		return r != INPUT_E_EMPTY;
	return next.header.kind != ITEM_RUN_END || !worker->ordered || output_run_end_fits(worker, next.header.ticket);
}

int channel_pause(struct worker *worker, bool in_step)
{
	turn_release(worker); /* who only tries never sleeps, where this is done otherwise */
	if (in_step) {
		turn_commit_complete(worker);
		step_close(worker);
		return channel_over(worker, retire_advance(worker));
	}
	if (output_runs_due_ns(worker))
		turn_begin(worker); /* and ends them, if they are */
	return channel_commit(worker);
}

uint32_t channel_inputs(const struct weir_context *context)
{
	return worker_of(context)->n_inputs;
}

static inline __attribute__((always_inline)) int channel_receive(struct worker *worker, uint32_t input,
								 const struct until *until, struct weir_item *ret_item)
{
	struct weir_case any = { .kind = WEIR_CASE_RECV, .index = input };
	int r = channel_enter(worker);

	if (r != 0)
		return r;
	if ((input >= worker->n_inputs && input != WEIR_ANY_INPUT) || !worker->n_inputs)
		return error_origin(-EINVAL);
	r = channel_step(worker);
	while (r == 0) {
		if (until_is_cancelled(until))
			return CHANNEL_SCOPE_DONE;
		r = admission_has_met(worker) ? channel_take(worker, input) : CHANNEL_NOTHING;
		if (__builtin_expect(r == 0, 1)) {
			*ret_item = worker->step.item;
			return 0;
		}
		if (r == CHANNEL_NOTHING)
			r = channel_pause(worker, false);
		if (r == 0)
			r = channel_sleep(worker, &any, 1, false, until);
		if (r == 0)
			step_turn(worker);
	}
	return r;
}

int channel_recv(struct weir_context *context, uint32_t input, uint64_t deadline_ns, struct weir_item *ret_item)
{
	const struct until until = { .deadline_ns = deadline_ns };

	return channel_receive(worker_of(context), input, &until, ret_item);
}

int channel_recv_in(struct weir_context *context, uint32_t input, struct weir_scope *scope,
		    const struct weir_budget *budget, struct weir_item *ret_item)
{
	const struct until until = until_of(worker_of(context), scope, budget);

	return until_outcome(&until, channel_receive(worker_of(context), input, &until, ret_item));
}

/* ---- sending ---- */

/* The step can not become what the stage wanted: no later call may overlook it. Sources send their items one by one: nothing is lost. */
static int channel_refuse(struct worker *worker, int r)
{
	if (worker->stage.role != WEIR_SOURCE)
		worker->emit_refused = r;
	return r;
}

bool channel_is_closed(const struct worker *worker, uint32_t output)
{
	bool closed = true;

	for (uint32_t i = 0; i < worker->n_outputs; i++)
		closed = closed && (worker->outputs[i].closed || (output != WEIR_ALL_OUTPUTS && output != i));
	return closed;
}

static int channel_may_send(struct worker *worker, uint32_t output)
{
	int r = channel_enter(worker);

	if (r != 0)
		return r;
	if ((output >= worker->n_outputs && output != WEIR_ALL_OUTPUTS) || !worker->n_outputs)
		return error_origin(-EINVAL);
	if (worker->stage.role == WEIR_SOURCE)
		return channel_step(worker);
	if (worker_cancelled(worker))
		return channel_refuse(worker, WEIR_CANCELLED);
	if (!worker->ordered || worker->step.has_item)
		return 0;
	snprintf(worker->reason, sizeof(worker->reason),
		 "a stage with order: fifo and several workers can send only for an item in hand; give it workers: 1");
	return channel_over(worker, WEIR_FAILED);
}

/* No room: waits for it. Returns 0: try again. */
static int channel_await_room(struct worker *worker, uint32_t output, size_t size_bytes, const struct until *until)
{
	struct weir_case room = { .kind = WEIR_CASE_SEND, .index = output, .size_bytes = size_bytes };
	bool source = worker->stage.role == WEIR_SOURCE;
	int r = channel_pause(worker, !source);

	if (r != 0)
		return r;
	if (!source && !output_possible(worker, worker->need_bytes))
		return channel_refuse(worker, WEIR_FULL);
	/* Readers had time, and an edge that never waits could not tell before the commit whether it was full of us. */
	if (admission_has_met(worker) && output_room(worker, worker->need_bytes))
		return 0;
	r = channel_sleep(worker, &room, 1, !source, until);
	if (r == WEIR_CANCELLED)
		return source ? channel_cancelled(worker) : channel_refuse(worker, r);
	if (r == 0 && source) {
		step_turn(worker);
		if (worker->order_seen >= BOARD_DRAIN)
			return channel_drained(worker);
	}
	return r < 0 ? channel_over(worker, r) : r;
}

/* What a stage wants to put into an output. */
struct sending {
	uint32_t output;
	size_t size_bytes;
	const void *data;   /* copied ... */
	void **ret_payload; /* ... or only room, to be filled */
};

/* A source begins a step with each send, and so not before its readers at a rendezvous are done with the last one. */
static enum output_code channel_try(struct worker *worker, const struct sending *sending)
{
	if (worker->stage.role == WEIR_SOURCE && !admission_has_met(worker))
		return OUTPUT_E_FULL;
	return sending->ret_payload ?
		       output_reserve(worker, sending->output, sending->size_bytes, sending->ret_payload) :
		       output_push(worker, sending->output, sending->data, sending->size_bytes);
}

/* It waits no longer; what has come of it. */
static int channel_sent(struct worker *worker, uint32_t output, int status)
{
	if (status == WEIR_TOO_LARGE)
		return channel_refuse(worker, status);
	if (status != WEIR_OK)
		return channel_over(worker, status);
	return worker->stage.role == WEIR_SOURCE && admission_refused(worker, output) ? WEIR_REJECTED : WEIR_OK;
}

/* No room: waits for it, or until the item of a source may wait no longer. Returns 0: try again, or look at that. */
static int channel_await_admission(struct worker *worker, const struct sending *sending, const struct until *until)
{
	uint64_t due_ns = until->deadline_ns == WEIR_NOW ? 0 : expiry_of_wait_ns(worker);
	struct until first = *until;
	int r;

	if (due_ns && due_ns < until->deadline_ns)
		first.deadline_ns = due_ns;
	r = channel_await_room(worker, sending->output, sending->size_bytes, &first);
	return r == WEIR_EXPIRED && first.deadline_ns < until->deadline_ns ? 0 : r;
}

static int channel_put(struct worker *worker, const struct sending *sending, const struct until *until)
{
	int r = 0;

	while (r == 0) {
		enum output_code code;

		if (until_is_cancelled(until))
			return CHANNEL_SCOPE_DONE;
		code = channel_try(worker, sending);
		if (code != OUTPUT_E_FULL)
			return channel_sent(worker, sending->output, output_status(code));
		if (until->deadline_ns != WEIR_NOW && expiry_at_door(worker))
			return WEIR_REJECTED;
		r = channel_await_admission(worker, sending, until);
	}
	return r;
}

/* What a source sends gets its deadline, if it says one. */
static int channel_put_stamped(struct worker *worker, const struct sending *sending, const struct until *until)
{
	int r = 0;

	if (sending->ret_payload)
		stamp_begin_reserved(worker);
	else
		r = stamp_begin(worker, sending->data, sending->size_bytes);
	if (r == WEIR_FAILED)
		return channel_over(worker, r);
	if (r == 0)
		r = channel_put(worker, sending, until);
	if (r == 0 && sending->ret_payload)
		stamp_reserved(worker, sending->ret_payload);
	stamp_end(worker);
	return r;
}

static int channel_put_item(struct worker *worker, const struct sending *sending, const struct until *until)
{
	return worker->stamp ? channel_put_stamped(worker, sending, until) : channel_put(worker, sending, until);
}

/* What a source with `decode` sends. A blank line, or a header, is sent as soon as it is looked at. */
static int channel_put_decoded(struct worker *worker, const struct sending *sending, const struct until *until)
{
	struct sending decoded = { .output = sending->output };
	const void *text = sending->data;
	size_t text_bytes = sending->size_bytes;
	int r = decode_begin(worker, &text, &text_bytes);

	if (r == 0)
		r = decode_item(worker, text, text_bytes, NULL, &decoded.data, &decoded.size_bytes);
	if (r == DECODE_E_NONE)
		return WEIR_OK;
	if (r == WEIR_FAILED)
		return channel_over(worker, r);
	return r ? r : channel_put_item(worker, &decoded, until);
}

static int channel_place(struct worker *worker, const struct sending *sending, const struct until *until)
{
	int r = channel_may_send(worker, sending->output);

	if (r == 0 && channel_is_closed(worker, sending->output))
		return WEIR_CLOSED;
	if (!worker->step.has_item)
		worker->context.accepted_ns = worker_now_ns(worker);
	if (r != 0)
		return r;
	return worker->decode ? channel_put_decoded(worker, sending, until) : channel_put_item(worker, sending, until);
}

int channel_send(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		 uint64_t deadline_ns)
{
	const struct sending sending = { .output = output, .size_bytes = size_bytes, .data = data };
	const struct until until = { .deadline_ns = deadline_ns };

	return channel_place(worker_of(context), &sending, &until);
}

int channel_send_in(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes,
		    struct weir_scope *scope, const struct weir_budget *budget)
{
	const struct sending sending = { .output = output, .size_bytes = size_bytes, .data = data };
	const struct until until = until_of(worker_of(context), scope, budget);

	int r = channel_place(worker_of(context), &sending, &until);

	/* The worker's own end is no matter of the scope: this send can not be overlooked. */
	if (r == CHANNEL_SCOPE_DONE && worker_cancelled(worker_of(context)))
		r = worker_of(context)->stage.role == WEIR_SOURCE ? channel_cancelled(worker_of(context)) :
								    channel_refuse(worker_of(context), WEIR_CANCELLED);
	return until_outcome(&until, r);
}

int channel_reserve(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload)
{
	const struct sending sending = { .output = output, .size_bytes = size_bytes, .ret_payload = ret_payload };
	const struct until until = { .deadline_ns = WEIR_FOREVER };

	return channel_place(worker_of(context), &sending, &until);
}

int channel_push(struct weir_context *context, uint32_t output, size_t size_bytes)
{
	struct worker *worker = worker_of(context);
	int r = channel_enter(worker);

	if (r != 0)
		return r;
	r = stamp_push(worker, output, size_bytes);
	if (r == -EINVAL)
		return channel_refuse(worker, r);
	return r == WEIR_REJECTED ? r : channel_sent(worker, output, r);
}

int channel_close(struct weir_context *context, uint32_t output)
{
	struct worker *worker = worker_of(context);
	int r = channel_enter(worker);

	if (r != 0)
		return r;
	if (output >= worker->n_outputs && output != WEIR_ALL_OUTPUTS)
		return error_origin(-EINVAL);
	if (worker->ordered) {
		snprintf(
			worker->reason, sizeof(worker->reason),
			"a stage with order: fifo and several workers can not close an output early; give it workers: 1");
		return channel_over(worker, WEIR_FAILED);
	}
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (output == WEIR_ALL_OUTPUTS || output == i) {
			worker->step.closing |= worker->outputs[i].closed ? 0 : UINT64_C(1) << i;
			worker->outputs[i].closed = true;
			if (worker->reserved.output == i)
				worker->reserved.output = NO_LANE;
		}
	return 0;
}

/* ---- the item in hand ---- */

void channel_give(struct worker *worker, int fate)
{
	if (worker->step.has_item) {
		worker->step.fate = fate;
		return;
	}
	snprintf(worker->reason, sizeof(worker->reason), "its run() called %s without an item in hand; mend the stage",
		 fate == WEIR_HELD ? "weir_hold()" : "weir_reject()");
	worker->emit_refused = WEIR_FAILED;
}

void channel_hold(struct weir_context *context)
{
	if (worker_of(context)->phase == PHASE_RUN)
		channel_give(worker_of(context), WEIR_HELD);
}
