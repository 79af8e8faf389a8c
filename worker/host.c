/* SPDX-License-Identifier: Apache-2.0 */
/* The stage's calls, answered by the worker. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/error.h"
#include "common/wire/socket.h"
#include "worker/admission.h"
#include "worker/baggage.h"
#include "worker/cancelled.h"
#include "worker/channel.h"
#include "worker/burial.h"
#include "worker/credentials.h"
#include "worker/host.h"
#include "worker/host_emit.h"
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
	credentials_hide(worker_of(context)->reason);
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
		.attempts = worker->overran ? worker->heritage.attempts : 0, /* else it was tried once */
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
	meter_settled(worker, n);
	worker->changed = true;
	return 0;
}

static void host_overran(struct weir_context *context)
{
	worker_of(context)->overran = true;
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
	meter_settled(worker, n);
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

static bool host_has_all(struct weir_context *context)
{
	return in_flight_has_all(worker_of(context));
}

static uint64_t host_defer(struct weir_context *context)
{
	return in_flight_defer(worker_of(context));
}

static int host_resume(struct weir_context *context, uint64_t token, const struct weir_item **ret_item)
{
	struct worker *worker = worker_of(context);
	int r = in_flight_resume(worker, token, ret_item);

	if (r == 0 && ret_item && worker->encode)
		*ret_item = encode_again(worker, *ret_item);
	return r;
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

/* The supervisor's socket lies there. */
static const char *host_run_folder(const struct weir_context *context)
{
	static char folder[WIRE_PATH_MAX + 1];
	const char *path = strchr(worker_of(context)->heritage.control_endpoint, '/');

	snprintf(folder, sizeof(folder), "%.*s", (int)(path ? strrchr(path, '/') - path - 2 : 0), path ? path + 2 : "");
	return folder;
}

static int host_listen_fd(const struct weir_context *context)
{
	return worker_of(context)->heritage.socket_fd;
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
	.has_all = host_has_all,
	.defer = host_defer,
	.resume = host_resume,
	.complete = host_complete,
	.cancelled = host_cancelled,
	.draining = host_draining,
	.now_ns = host_now_ns,
	.stage_name = host_stage_name,
	.worker_index = host_worker_index,
	.generation = host_generation,
	.run_folder = host_run_folder,
	.listen_fd = host_listen_fd,
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
