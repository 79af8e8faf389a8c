/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an item leaves a stage: built in the lane itself where there is one lane and room for it, decoded on the way, given what its age and
 * baggage say, and told to the group that it is part of.
 */
#include "worker/host_emit.h"

#include <errno.h>
#include <string.h>

#include "common/base/error.h"
#include "worker/admission.h"
#include "worker/baggage.h"
#include "worker/channel.h"
#include "worker/dealing.h"
#include "worker/decode.h"
#include "worker/expiry.h"
#include "worker/group.h"
#include "worker/output.h"
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
		if (dealing_may_let_go(worker))
			dealing_let_go(worker);
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

int host_emit(struct weir_context *context, uint32_t output, const void *data, size_t size_bytes)
{
	const struct emission emission = { .output = output, .size_bytes = size_bytes, .data = data };

	return host_send(worker_of(context), &emission);
}

int host_forward(struct weir_context *context, uint32_t output, const struct weir_item *item)
{
	const struct emission emission = { .output = output, .size_bytes = item->size_bytes, .item = item };

	return host_send(worker_of(context), &emission);
}

int host_reserve(struct weir_context *context, uint32_t output, size_t size_bytes, void **ret_payload)
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

int host_push(struct weir_context *context, uint32_t output, size_t size_bytes)
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
