/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin: makes the messages that bench/transport_main.h makes, as fast as the lane takes them, on one processor. Each is copied from a
 * private warm buffer, as a bare transport's producer does it: by weir_emit(), or with in_place by the stage into the lane itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

#include "bench/plugins/message.h"

#define SMALL 64u /* the one size that is a constant to the compiler, as in bench/transport_main.h */
#define INLINE static inline __attribute__((always_inline))

struct cursor {
	uint64_t made;
};

struct source {
	uint64_t count;
	size_t size_bytes;
	uint32_t batch; /* items a turn */
	bool in_place;
	unsigned char *message;
};

static void source_close(struct weir_context *context, void *data)
{
	struct source *state = data;

	(void)context;
	if (state)
		free(state->message);
	free(state);
}

static int source_open(struct weir_context *context, void **ret_state)
{
	struct source *state = calloc(1, sizeof(*state));
	int r = message_pin(context);

	if (r != 0 || !state) {
		free(state);
		return r != 0 ? r : -ENOMEM;
	}
	state->count = (uint64_t)weir_option_integer(context, "count");
	state->size_bytes = (size_t)weir_option_integer(context, "size");
	state->batch = (uint32_t)weir_option_integer(context, "items_a_turn");
	state->in_place = weir_option_boolean(context, "in_place");
	state->message = malloc(state->size_bytes);
	if (!state->message) {
		free(state);
		return -ENOMEM;
	}
	message_fill(state->message, state->size_bytes);
	*ret_state = state;
	return 0;
}

/* Builds the item where it will be read. Returns as weir_emit(). */
INLINE int source_build(struct weir_context *context, const struct source *state, size_t size_bytes, uint64_t sequence)
{
	void *message;
	int r = weir_reserve(context, 0, size_bytes, &message);

	if (r != 0)
		return r;
	memcpy(message, &sequence, sizeof(sequence));
	memcpy((unsigned char *)message + sizeof(sequence), state->message + sizeof(sequence),
	       size_bytes - sizeof(sequence));
	return weir_push(context, 0, size_bytes);
}

INLINE int source_copy(struct weir_context *context, const struct source *state, size_t size_bytes, uint64_t sequence)
{
	memcpy(state->message, &sequence, sizeof(sequence));
	return weir_emit(context, 0, state->message, size_bytes);
}

INLINE int source_some(struct weir_context *context, const struct source *state, size_t size_bytes, bool in_place)
{
	struct cursor *cursor = weir_cursor(context);

	for (uint32_t i = 0; i < state->batch && cursor->made < state->count; i++) {
		int r = in_place ? source_build(context, state, size_bytes, cursor->made) :
				   source_copy(context, state, size_bytes, cursor->made);

		if (r == WEIR_TOO_LARGE) {
			weir_fail(context, "an item of %zu bytes does not fit the lane", size_bytes);
			return WEIR_FAILED;
		}
		if (r != 0)
			return r == WEIR_FULL ? WEIR_MORE : r;
		cursor->made++;
	}
	return cursor->made < state->count ? WEIR_MORE : WEIR_CLOSED;
}

static int source_produce(struct weir_context *context, void *data)
{
	const struct source *state = data;

	if (state->size_bytes == SMALL)
		return state->in_place ? source_some(context, state, SMALL, true) :
					 source_some(context, state, SMALL, false);
	return source_some(context, state, state->size_bytes, state->in_place);
}

static const struct weir_option options[] = {
	{ .name = "count", .type = WEIR_TYPE_INTEGER, .required = true, .summary = "items to make" },
	{ .name = "size",
	  .type = WEIR_TYPE_SIZE,
	  .fallback = "64",
	  .minimum = 8,
	  .maximum = 64 << 20,
	  .summary = "bytes of an item" },
	{ .name = "items_a_turn",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "64",
	  .minimum = 1,
	  .maximum = 4096,
	  .summary = "items between two commits" },
	{ .name = "in_place",
	  .type = WEIR_TYPE_BOOLEAN,
	  .fallback = "false",
	  .summary = "build items in the lane instead of copying them into it" },
	MESSAGE_CPU_OPTION,
};

static const struct weir_stage source = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_SOURCE,
	.cursor_size_bytes = sizeof(struct cursor),
	.name = "bench-source",
	.summary = "numbered items of one size",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = source_open,
	.produce = source_produce,
	.close = source_close,
};

WEIR_STAGE_EXPORT(source)
