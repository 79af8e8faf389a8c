/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin: checks what comes as the bare transports' consumer does, and writes into `file` how fast it came: the time from the first
 * item after a tenth of them to the last, as one line of JSON. One producer's items must come in turn, several producers' only all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

#include "bench/plugins/message.h"

#define WARM_UP_PART 10u

struct sink {
	uint64_t count; /* of all producers */
	uint64_t n_producers;
	size_t size_bytes;
	bool in_turn;
	uint64_t n_warm_up, n_taken, sum, sequences, begun_ns, ended_ns;
};

static int sink_open(struct weir_context *context, void **ret_state)
{
	struct sink *state = calloc(1, sizeof(*state));
	int r = message_begin(context);

	if (r != 0 || !state) {
		free(state);
		return r != 0 ? r : -ENOMEM;
	}
	state->count = (uint64_t)weir_option_integer(context, "count");
	state->n_warm_up = state->count / WARM_UP_PART;
	state->n_producers = (uint64_t)weir_option_integer(context, "producers");
	state->size_bytes = (size_t)weir_option_integer(context, "size");
	state->in_turn = weir_option_boolean(context, "in_turn");
	*ret_state = state;
	return 0;
}

/* Apart: a place for the clock's answer on the stack would cost every item a check of that stack. */
static __attribute__((noinline, cold)) void sink_note_time(struct sink *state)
{
	if (state->n_taken == state->n_warm_up)
		state->begun_ns = message_now_ns();
	else
		state->ended_ns = message_now_ns();
}

/* Apart, too: a call with more arguments would cost every item a frame. */
static __attribute__((noinline, cold)) int sink_refuse_size(struct weir_context *context, const struct sink *state,
							    const struct weir_item *item)
{
	weir_fail(context, "an item has %zu bytes instead of %zu", item->size_bytes, state->size_bytes);
	return WEIR_FAILED;
}

static __attribute__((noinline, cold)) int sink_refuse_sequence(struct weir_context *context, const struct sink *state,
								uint64_t sequence)
{
	weir_fail(context, "item %llu came instead of %llu", (unsigned long long)sequence,
		  (unsigned long long)state->n_taken);
	return WEIR_FAILED;
}

static int sink_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct sink *state = data;
	const unsigned char *message = item->data;
	uint64_t sequence;

	if (item->size_bytes != state->size_bytes)
		return sink_refuse_size(context, state, item);
	memcpy(&sequence, message, sizeof(sequence));
	if (state->in_turn && sequence != state->n_taken)
		return sink_refuse_sequence(context, state, sequence);
	for (size_t at = MESSAGE_LINE; at < item->size_bytes; at += MESSAGE_LINE)
		state->sum += message[at];
	state->sequences += sequence;
	state->n_taken++;
	if (state->n_taken == state->n_warm_up || state->n_taken == state->count)
		sink_note_time(state);
	return 0;
}

static int sink_report(struct weir_context *context, const struct sink *state)
{
	double rate = (double)(state->count - state->n_warm_up) * 1e9 / (double)(state->ended_ns - state->begun_ns);

	return message_report(context, "{\"rate\": %.0f, \"bytes_per_s\": %.0f}\n", rate,
			      rate * (double)state->size_bytes);
}

static int sink_finish(struct weir_context *context, void *data)
{
	const struct sink *state = data;
	uint64_t each = state->count / state->n_producers;

	if (state->n_taken != state->count || state->sequences != state->n_producers * (each * (each - 1) / 2)) {
		weir_fail(context, "%llu items of %llu came, or not the same ones", (unsigned long long)state->n_taken,
			  (unsigned long long)state->count);
		return WEIR_FAILED;
	}
	if (state->sum != state->n_taken * message_sum(state->size_bytes)) {
		weir_fail(context, "an item has changed on its way");
		return WEIR_FAILED;
	}
	return sink_report(context, state);
}

static void sink_close(struct weir_context *context, void *state)
{
	(void)context;
	free(state);
}

static const struct weir_option options[] = {
	{ .name = "count", .type = WEIR_TYPE_INTEGER, .required = true, .summary = "items that will come" },
	{ .name = "size",
	  .type = WEIR_TYPE_SIZE,
	  .fallback = "64",
	  .minimum = 8,
	  .maximum = 64 << 20,
	  .summary = "bytes of an item" },
	{ .name = "producers",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1",
	  .minimum = 1,
	  .maximum = 64,
	  .summary = "sources" },
	{ .name = "in_turn",
	  .type = WEIR_TYPE_BOOLEAN,
	  .fallback = "true",
	  .summary = "items must come in the order of their numbers" },
	MESSAGE_FILE_OPTION,
	MESSAGE_CPU_OPTION,
};

static const struct weir_stage sink = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_SINK,
	.name = "bench-sink",
	.summary = "checks and times items",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = sink_open,
	.process = sink_process,
	.finish = sink_finish,
	.close = sink_close,
};

WEIR_STAGE_EXPORT(sink)
