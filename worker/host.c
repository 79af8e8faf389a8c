/* SPDX-License-Identifier: Apache-2.0 */
/* The stage's calls, answered by the worker. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/error.h"
#include "worker/admission.h"
#include "worker/baggage.h"
#include "worker/cancelled.h"
#include "worker/channel.h"
#include "worker/burial.h"
#include "worker/host.h"
#include "worker/identity.h"
#include "worker/decode.h"
#include "worker/encode.h"
#include "worker/expiry.h"
#include "worker/group.h"
#include "worker/in_flight.h"
#include "worker/item_key.h"
#include "worker/keyed.h"
#include "worker/leave.h"
#include "worker/output.h"
#include "worker/postpone.h"
#include "worker/scopes.h"
#include "worker/sharing.h"
#include "worker/stamp.h"
#include "worker/take.h"
#include "worker/turn.h"
#include "worker/wait.h"
#include "worker/window.h"

/* A record that produce() has built is an item of its own. WEIR_REJECTED: it went nowhere, and a source should know. */
static int host_produced(struct worker *worker, uint32_t output)
{
	bool refused = worker->stage.role == WEIR_SOURCE && admission_refused(worker, output);

	worker->produced = true;
	if (worker->stage.role == WEIR_SOURCE)
		worker->cursor.ledger[LEDGER_ACCEPTED]++;
	if (!worker->group.is_open) {
		output_item_end(worker);
		window_open(worker);
	}
	return refused ? WEIR_REJECTED : WEIR_OK;
}

static bool host_may_emit(const struct worker *worker, uint32_t output)
{
	return output < worker->n_outputs || output == WEIR_ALL_OUTPUTS;
}

/* What a stage wants to put into its outputs. */
struct emission {
	uint32_t output;
	size_t size_bytes;
	const void *data;             /* copied ... */
	const struct weir_item *item; /* ... or the item in hand, passed on ... */
	void **ret_payload;           /* ... or only room, to be filled */
};

static enum output_code host_try(struct worker *worker, const struct emission *emission)
{
	if (emission->ret_payload)
		return output_reserve(worker, emission->output, emission->size_bytes, emission->ret_payload);
	if (emission->item)
		return sharing_forward(worker, emission->output, emission->item);
	return output_push(worker, emission->output, emission->data, emission->size_bytes);
}

/*
 * Puts a record into its lane, or finds room for it. In produce() a turn that has built its share is ended; elsewhere this
 * waits, with everything before this item committed.
 */
static int host_place(struct worker *worker, const struct emission *emission)
{
	window_shut(worker);
	/* What never fits is told at once: no room would be enough to wait for. */
	if (worker->phase == PHASE_PRODUCE && !worker->group.is_open && output_turn_full(worker) &&
	    emission->size_bytes + baggage_size(worker) <= output_payload_max(worker)) {
		expiry_begin_wait(worker);
		worker->full = true;
		worker->need_bytes = item_record_size(baggage_size(worker) + emission->size_bytes);
		worker->need_output = emission->output;
		return WEIR_FULL;
	}
	for (;;) {
		enum output_code code = host_try(worker, emission);
		int r;

		if (code == OUTPUT_E_FULL && worker->phase == PHASE_PRODUCE && expiry_at_door(worker))
			return WEIR_REJECTED;
		if (code == OUTPUT_E_FULL && worker->group.is_open)
			return group_no_room(worker);
		worker->full = worker->full || (code == OUTPUT_E_FULL && worker->phase == PHASE_PRODUCE);
		if (code != OUTPUT_E_FULL || worker->phase == PHASE_PRODUCE)
			return output_status(code);
		turn_commit_complete(worker);
		if (!output_possible(worker, worker->need_bytes))
			return WEIR_TOO_LARGE;
		r = wait_sleep(worker, ARM_SPACE, worker->need_bytes);
		if (r != 0)
			return r;
	}
}

/* Refusals that no stage may overlook: see outcome_after_emits(). */
static int host_refuse(struct worker *worker, int r)
{
	if (r != 0 && worker->phase != PHASE_PRODUCE)
		worker->emit_refused = r;
	return r;
}

/* In run() it is the call's outcome; elsewhere what was meant for it would be lost without a word. */
static int host_refuse_output(struct worker *worker)
{
	return worker->phase == PHASE_RUN ? error_origin(-EINVAL) : host_refuse(worker, error_origin(-EINVAL));
}

static int host_check_phase(struct worker *worker)
{
	if (worker->phase != PHASE_PRODUCE && worker->phase != PHASE_PROCESS && worker->phase != PHASE_FINISH)
		return error_origin(-EPERM);
	if (worker->phase != PHASE_FINISH || !worker->ordered)
		return 0;
	snprintf(
		worker->reason, sizeof(worker->reason),
		"a stage with order: fifo and several workers can not emit at the end of the stream; give it workers: 1");
	return WEIR_FAILED;
}

/* What a source emits gets its deadline, if it says one. */
static int host_place_stamped(struct worker *worker, const struct emission *emission)
{
	const void *data = emission->item ? emission->item->data : emission->data;
	int r = 0;

	if (!worker->stamp)
		return host_place(worker, emission);
	if (emission->ret_payload)
		stamp_begin_reserved(worker);
	else
		r = stamp_begin(worker, data, emission->size_bytes);
	if (r == 0)
		r = host_place(worker, emission);
	if (r == 0 && emission->ret_payload)
		stamp_reserved(worker, emission->ret_payload);
	stamp_end(worker);
	return r;
}

/* One output that takes whatever comes, and nobody who would have to look at the item first: it is built where it will lie. */
static bool host_decodes_in_place(const struct worker *worker, uint32_t output, size_t bound_bytes)
{
	return worker->n_outputs == 1 && (uint32_t)(output + 1) <= 1 && worker->outputs[0].plain && !worker->stamp &&
	       !worker->heritage.admission_ns && bound_bytes + baggage_size(worker) <= output_payload_max(worker);
}

/* In one lane: room for the worst case, of which the item takes what it needs. */
static int host_place_in_lane(struct worker *worker, const void *text, size_t text_bytes, size_t bound_bytes)
{
	void *room;
	const struct emission reserve = { .size_bytes = bound_bytes, .ret_payload = &room };
	const void *item;
	size_t size_bytes = 0;
	int r = host_place(worker, &reserve);

	if (r != 0)
		return r;
	r = decode_item(worker, text, text_bytes, room, &item, &size_bytes);
	if (r == 0)
		return output_status(output_push_reserved(worker, 0, size_bytes));
	worker->reserved.output = NO_LANE;
	return r;
}

/* What a source with `decode` emits. */
static int host_place_decoded(struct worker *worker, const struct emission *emission)
{
	struct emission decoded = { .output = emission->output };
	const void *text = emission->item ? emission->item->data : emission->data;
	size_t text_bytes = emission->size_bytes, bound_bytes;
	int r = decode_begin(worker, &text, &text_bytes);

	if (r != 0)
		return r;
	bound_bytes = decode_bound(worker, text_bytes);
	if (host_decodes_in_place(worker, emission->output, bound_bytes))
		return host_place_in_lane(worker, text, text_bytes, bound_bytes);
	r = decode_item(worker, text, text_bytes, NULL, &decoded.data, &decoded.size_bytes);
	return r ? r : host_place_stamped(worker, &decoded);
}

static int host_send(struct worker *worker, const struct emission *emission)
{
	int r;

	worker->asked = true;
	if (worker->resting)
		return WEIR_CLOSED;
	if (!host_may_emit(worker, emission->output))
		return host_refuse_output(worker);
	if (worker->phase == PHASE_RUN)
		return channel_send(&worker->context, emission->output,
				    emission->item ? emission->item->data : emission->data, emission->size_bytes,
				    WEIR_FOREVER);
	r = host_check_phase(worker);
	if (r < 0)
		return r;
	if (r == 0)
		r = worker->decode ? host_place_decoded(worker, emission) : host_place_stamped(worker, emission);
	if (r == DECODE_E_NONE)
		return WEIR_OK;
	if (r == 0 && worker->phase == PHASE_PRODUCE)
		r = host_produced(worker, emission->output);
	return group_note(worker, host_refuse(worker, r));
}

static int host_emit(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes)
{
	const struct emission emission = { .output = output, .size_bytes = size_bytes, .data = data };

	return host_send(worker_of(context), &emission);
}

static int host_forward(struct weir_context *context, uint32_t output, const struct weir_item *item)
{
	const struct emission emission = { .output = output, .size_bytes = item->size_bytes, .item = item };

	return host_send(worker_of(context), &emission);
}

static int host_reserve(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload)
{
	struct worker *worker = worker_of(context);
	struct emission emission = { .output = output, .size_bytes = size_bytes, .ret_payload = ret_payload };
	int r;

	worker->asked = true;
	if (worker->resting)
		return WEIR_CLOSED;
	if (output == WEIR_ALL_OUTPUTS && worker->n_outputs == 1)
		emission.output = 0;
	if (emission.output >= worker->n_outputs)
		return host_refuse_output(worker);
	if (worker->decode)
		return decode_reserve(worker, emission.output, size_bytes, ret_payload);
	if (worker->phase == PHASE_RUN)
		return channel_reserve(context, emission.output, size_bytes, ret_payload);
	r = host_check_phase(worker);
	if (r < 0)
		return r;
	if (r == 0)
		r = host_place_stamped(worker, &emission);
	return group_note(worker, host_refuse(worker, r));
}

/* What was built in the decoder's memory is emitted from there. */
static int host_push_decoded(struct worker *worker, uint32_t output, size_t size_bytes)
{
	const struct emission emission = { .output = output,
					   .size_bytes = size_bytes,
					   .data = decode_reserved(worker, output, size_bytes) };

	return emission.data ? host_send(worker, &emission) : host_refuse_output(worker);
}

static int host_push(struct weir_context *context, uint32_t output, size_t size_bytes)
{
	struct worker *worker = worker_of(context);
	int r;

	worker->asked = true;
	if (output == WEIR_ALL_OUTPUTS && worker->n_outputs == 1)
		output = 0;
	if (worker->decode)
		return host_push_decoded(worker, output, size_bytes);
	if (worker->phase == PHASE_RUN)
		return channel_push(context, output, size_bytes);
	r = host_check_phase(worker);
	if (r < 0)
		return r;
	/* A reservation shuts the window: where it is open again, the item that had one is over. */
	if (r == 0 && worker->window.is_open)
		r = output_status(OUTPUT_E_UNRESERVED);
	if (r == 0)
		r = stamp_push(worker, output, size_bytes);
	if (r == 0 && worker->phase == PHASE_PRODUCE)
		r = host_produced(worker, output);
	return group_note(worker, host_refuse(worker, r));
}

static uint32_t host_outputs(const struct weir_context *context)
{
	return worker_of(context)->n_outputs;
}

static const char *host_input_name(const struct weir_context *context, uint32_t input)
{
	const struct worker *worker = worker_of(context);

	return input < worker->n_inputs ? worker->inputs[input].heritage->peer_stage : NULL;
}

static uint64_t host_output_names(const struct weir_context *context, uint32_t output)
{
	const struct heritage *heritage = &worker_of(context)->heritage;

	return output < heritage->n_outputs ? heritage->outputs[output].names : 0;
}

static size_t host_item_size_max(const struct weir_context *context)
{
	return output_payload_max(worker_of(context)) - stamp_size(worker_of(context));
}

static void *host_cursor(struct weir_context *context)
{
	return worker_of(context)->cursor.stage;
}

static int host_spool(struct weir_context *context, uint32_t index)
{
	return index < WEIR_SPOOLS_MAX ? worker_of(context)->heritage.spool_fds[index] : -1;
}

static int host_accept_rejected(struct weir_context *context, const void *data, size_t size_bytes, const char *reason)
{
	struct worker *worker = worker_of(context);
	struct dead_letter letter = {
		.cause = DEAD_LETTER_REJECTED,
		.reason = reason,
		.sequence = worker->cursor.sequence,
		.input = "",
		.data = data,
		.size_bytes = size_bytes,
		.producer = worker->heritage.slot,
		.part = DEAD_LETTER_PART(DEAD_LETTER_AT_SOURCE, worker->cursor.ledger[LEDGER_REJECTED_OUT]),
	};
	int r = burial_keep(worker, &letter);

	if (r != 0)
		return r;
	weir_log(WEIR_LOG_WARNING, "rejected: %s; kept in %s", reason, burial_place(worker));
	worker->cursor.ledger[LEDGER_ACCEPTED]++;
	worker->cursor.ledger[LEDGER_REJECTED_OUT]++;
	worker->step.n_complete++; /* else a loop that only refuses would never commit */
	worker->changed = true;
	return 0;
}

static void host_reason(struct weir_context *context, const char *reason)
{
	snprintf(worker_of(context)->reason, sizeof(worker_of(context)->reason), "%s", reason);
}

static void host_reject(struct weir_context *context, const char *reason)
{
	host_reason(context, reason);
	if (worker_of(context)->phase == PHASE_RUN)
		channel_give(worker_of(context), WEIR_REJECTED);
}

static int host_give_up(struct weir_context *context, uint64_t n_items, const void *data, size_t size_bytes,
			const char *reason)
{
	struct worker *worker = worker_of(context);
	uint64_t *ledger = worker->cursor.ledger, n;
	struct dead_letter letter = {
		.cause = DEAD_LETTER_DEADLINE,
		.reason = reason,
		.attempts = worker->heritage.attempts,
		.sequence = worker->cursor.sequence,
		.input = worker->n_inputs ? worker->inputs[0].heritage->peer_stage : "",
		.data = data,
		.size_bytes = size_bytes,
		.accepted_ns = worker->context.accepted_ns,
		.producer = worker->heritage.slot,
		.part = DEAD_LETTER_PART(DEAD_LETTER_HELD, ledger[LEDGER_DEAD_LETTERED]),
	};
	char packed[WEIR_BAGGAGE_PACKED_MAX];
	int r;

	if (worker->phase == PHASE_PRODUCE &&
	    worker->baggage.n_words) { /* what it would have emitted brought this along */
		letter.baggage = packed;
		letter.baggage_bytes = (uint32_t)baggage_pack(context, packed);
	}
	r = burial_keep(worker, &letter);
	if (r != 0)
		return r;
	weir_log(WEIR_LOG_ERROR, "%llu item%s given up: %s; %s in %s", (unsigned long long)n_items,
		 n_items == 1 ? " is" : "s are", reason, n_items == 1 ? "it lies" : "they lie", burial_place(worker));
	take_settle(worker);
	n = n_items < ledger[LEDGER_HELD] ? n_items : ledger[LEDGER_HELD];
	ledger[LEDGER_HELD] -= n;
	ledger[LEDGER_DEAD_LETTERED] += n;
	worker->changed = true;
	return 0;
}

static void host_overran(struct weir_context *context)
{
	counter_add(worker_of(context), COUNTER_OVERRUNS, 1);
}

static void host_settle(struct weir_context *context, uint64_t n_items)
{
	struct worker *worker = worker_of(context);
	uint64_t *ledger = worker->cursor.ledger, n;

	take_settle(worker); /* it may be some that were held in this very turn */
	n = n_items < ledger[LEDGER_HELD] ? n_items : ledger[LEDGER_HELD];
	ledger[LEDGER_HELD] -= n;
	ledger[worker->stage.role == WEIR_SINK ? LEDGER_DELIVERED : LEDGER_CONSUMED] += n;
	worker->changed = true;
}

static void host_progress(struct weir_context *context, uint64_t position, uint64_t total)
{
	struct segment_status *status = worker_of(context)->segment.status;

	store_relaxed(&status->progress_position, position);
	store_relaxed(&status->progress_total, total);
}

static int host_wait(struct weir_context *context, struct pollfd *fds, size_t n_fds, uint64_t deadline_ns)
{
	if (worker_of(context)->phase == PHASE_RUN)
		return channel_wait(context, fds, n_fds, deadline_ns);
	return wait_for_stage(worker_of(context), fds, n_fds, deadline_ns);
}

static void host_watch(struct weir_context *context, int fd, short events, uint64_t wake_ns)
{
	worker_of(context)->watch = (struct watch){ .fd = fd, .events = events, .wake_ns = wake_ns };
}

static int host_leave(struct weir_context *context, uint32_t input)
{
	return leave_ask(worker_of(context), input);
}

static int host_postpone(struct weir_context *context, uint64_t until_ns)
{
	return postpone_ask(worker_of(context), until_ns);
}

static void host_produce_next(struct weir_context *context)
{
	worker_of(context)->asked = true;
	worker_of(context)->produce_wanted = worker_of(context)->stage.produce != NULL;
}

static uint32_t host_in_flight(const struct weir_context *context)
{
	return in_flight_capacity(worker_of(context));
}

static uint64_t host_defer(struct weir_context *context)
{
	return in_flight_defer(worker_of(context));
}

static int host_resume(struct weir_context *context, uint64_t token, const struct weir_item **ret_item)
{
	return in_flight_resume(worker_of(context), token, ret_item);
}

static int host_complete(struct weir_context *context, uint64_t token, int status)
{
	return in_flight_complete(worker_of(context), token, status);
}

static bool host_draining(const struct weir_context *context)
{
	return worker_of(context)->resting;
}

static bool host_cancelled(const struct weir_context *context)
{
	return worker_cancelled(worker_of(context));
}

static uint64_t host_now_ns(const struct weir_context *context)
{
	return worker_now_ns((struct worker *)(uintptr_t)context);
}

static const char *host_stage_name(const struct weir_context *context)
{
	return worker_of(context)->heritage.stage;
}

static const char *host_pipeline_name(const struct weir_context *context)
{
	return worker_of(context)->heritage.pipeline;
}

static uint64_t host_run(const struct weir_context *context)
{
	return worker_of(context)->heritage.run;
}

static uint32_t host_worker_index(const struct weir_context *context)
{
	return worker_of(context)->heritage.worker_index;
}

static uint32_t host_generation(const struct weir_context *context)
{
	return worker_of(context)->heritage.generation;
}

static bool host_has_run(const struct weir_context *context)
{
	return worker_of(context)->item_number != 0;
}

static const struct heritage_option *host_option(const struct weir_context *context, const char *name)
{
	const struct heritage *heritage = &worker_of(context)->heritage;

	for (uint32_t i = 0; i < heritage->n_options; i++)
		if (strcmp(heritage->options[i].name, name) == 0)
			return &heritage->options[i];
	return NULL;
}

const struct weir_host worker_host = {
	.emit = host_emit,
	.reserve = host_reserve,
	.push = host_push,
	.forward = host_forward,
	.group_begin = group_begin,
	.group_end = group_end,
	.group_drop = group_drop,
	.group_fault = group_fault,
	.outputs = host_outputs,
	.item_size_max = host_item_size_max,
	.input_name = host_input_name,
	.output_names = host_output_names,
	.cursor = host_cursor,
	.spool = host_spool,
	.accept_rejected = host_accept_rejected,
	.reject = host_reject,
	.settle = host_settle,
	.give_up = host_give_up,
	.overran = host_overran,
	.fail = host_reason,
	.progress = host_progress,
	.wait = host_wait,
	.watch = host_watch,
	.leave = host_leave,
	.produce_next = host_produce_next,
	.postpone = host_postpone,
	.in_flight = host_in_flight,
	.defer = host_defer,
	.resume = host_resume,
	.complete = host_complete,
	.cancelled = host_cancelled,
	.draining = host_draining,
	.now_ns = host_now_ns,
	.stage_name = host_stage_name,
	.worker_index = host_worker_index,
	.generation = host_generation,
	.has_run = host_has_run,
	.inputs = channel_inputs,
	.recv = channel_recv,
	.send = channel_send,
	.select = channel_select,
	.close = channel_close,
	.hold = channel_hold,
	.recv_in = channel_recv_in,
	.send_in = channel_send_in,
	.select_in = channel_select_in,
	.baggage_set = baggage_set,
	.baggage_get = baggage_get,
	.baggage_clear = baggage_clear,
	.baggage_pack = baggage_pack,
	.baggage_unpack = baggage_unpack,
	.scope_id = baggage_scope,
	.scope_enter = baggage_enter,
	.scope_cancel = cancelled_ask,
	.scope_of_item = scopes_scope_of_item,
	.scope = scopes_scope,
	.budget = scopes_budget,
	.exit_point = scopes_exit_point,
	.coordinator = scopes_coordinator,
	.expire_at = baggage_expire_at,
	.decodes = decode_is_wanted,
	.cutting = decode_cutting,
	.cut = decode_cut,
	.cut_short = decode_cut_short,
	.place = decode_place,
	.ends_lines = encode_ends_lines,
	.state_get = keyed_get,
	.state_put = keyed_put,
	.state_delete = keyed_delete,
	.state_seek = keyed_seek,
	.state_usage = keyed_usage,
	.key_new = item_key_new,
	.key_free = item_key_free,
	.key_bytes = item_key_bytes,
	.key_number = item_key_number,
	.key_integer = item_key_integer,
	.key_time = item_key_time,
	.identify = identity_of_hand,
	.pipeline_name = host_pipeline_name,
	.run = host_run,
	.log_item = baggage_log_item,
	.option = host_option,
};
