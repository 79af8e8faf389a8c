/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three stages for scenarios with large items, one from each LARGE_STAGE: a source of numbered items whose every word tells its
 * number, an operator that forwards them unchanged, a sink that checks each word and the order. Numbers stand in cursors, so an
 * item that is lost, repeated, torn or overwritten fails the sink, through any number of kills.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <weir/stage.h>

#define LARGE_SOURCE 1
#define LARGE_FORWARD 2
#define LARGE_CHECK 3

struct large_cursor {
	uint64_t n_items;
};

struct large {
	uint64_t count, size_bytes, pause_ns;
	uint64_t *words;
};

static inline uint64_t word_of(uint64_t number, uint64_t i)
{
	return (number << 32 | number) ^ i * UINT64_C(0x9e3779b97f4a7c15);
}

static int large_open(struct weir_context *context, void **ret_state)
{
	struct large *large = calloc(1, sizeof(*large));

	if (!large)
		return -ENOMEM;
	large->count = (uint64_t)weir_option_integer(context, "count");
	large->size_bytes = (uint64_t)weir_option_integer(context, "size") & ~UINT64_C(7);
	large->pause_ns = (uint64_t)weir_option_integer(context, "pause");
	large->words = malloc(large->size_bytes);
	if (!large->words) {
		free(large);
		return -ENOMEM;
	}
	*ret_state = large;
	return 0;
}

static void large_close(struct weir_context *context, void *state)
{
	struct large *large = state;

	(void)context;
	free(large->words);
	free(large);
}

#if LARGE_STAGE == LARGE_SOURCE
static int large_produce(struct weir_context *context, void *state)
{
	struct large_cursor *cursor = weir_cursor(context);
	struct large *large = state;

	for (unsigned n = 0; n < 8 && cursor->n_items < large->count; n++) {
		int r;

		for (uint64_t i = 0; i < large->size_bytes / 8; i++)
			large->words[i] = word_of(cursor->n_items, i);
		r = weir_emit(context, WEIR_ALL_OUTPUTS, large->words, large->size_bytes);
		if (r == WEIR_FULL)
			return WEIR_MORE;
		if (r != 0)
			return r;
		cursor->n_items++;
	}
	return cursor->n_items < large->count ? WEIR_MORE : WEIR_CLOSED;
}
#endif

#if LARGE_STAGE == LARGE_FORWARD
static int large_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return weir_forward(context, WEIR_ALL_OUTPUTS, item);
}
#endif

#if LARGE_STAGE == LARGE_CHECK
static int large_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct large_cursor *cursor = weir_cursor(context);
	const struct large *large = state;
	const uint64_t *words = item->data;

	if (large->pause_ns) {
		int r = weir_wait(context, NULL, 0, weir_now_ns(context) + large->pause_ns);

		if (r != WEIR_EXPIRED)
			return r;
	}
	if (item->size_bytes != large->size_bytes) {
		weir_fail(context, "item %" PRIu64 " has %zu bytes", cursor->n_items, item->size_bytes);
		return WEIR_FAILED;
	}
	for (uint64_t i = 0; i < large->size_bytes / 8; i++)
		if (words[i] != word_of(cursor->n_items, i)) {
			weir_fail(context, "item %" PRIu64 ": word %" PRIu64 " is of item %" PRIu64, cursor->n_items, i,
				  (words[i] ^ word_of(0, i)) & UINT32_MAX);
			return WEIR_FAILED;
		}
	cursor->n_items++;
	return WEIR_OK;
}

static int large_finish(struct weir_context *context, void *state)
{
	const struct large_cursor *cursor = weir_cursor(context);
	const struct large *large = state;

	if (cursor->n_items == large->count)
		return WEIR_OK;
	weir_fail(context, "%" PRIu64 " items came, not %" PRIu64, cursor->n_items, large->count);
	return WEIR_FAILED;
}
#endif

static const struct weir_option options[] = {
	{ .name = "count", .type = WEIR_TYPE_INTEGER, .fallback = "1000", .summary = "items in all" },
	{ .name = "size", .type = WEIR_TYPE_SIZE, .fallback = "1MiB", .summary = "bytes of an item" },
	{ .name = "pause", .type = WEIR_TYPE_DURATION, .fallback = "0", .summary = "wait before each item" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.cursor_size_bytes = sizeof(struct large_cursor),
	.summary = "large items",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = large_open,
	.close = large_close,
#if LARGE_STAGE == LARGE_SOURCE
	.role = WEIR_SOURCE,
	.name = "large_source",
	.produce = large_produce,
#elif LARGE_STAGE == LARGE_FORWARD
	.role = WEIR_OPERATOR,
	.flags = WEIR_STAGE_FORWARDS,
	.name = "large_forward",
	.process = large_process,
#else
	.role = WEIR_SINK,
	.name = "large_check",
	.process = large_process,
	.finish = large_finish,
#endif
};
WEIR_STAGE_EXPORT(stage)
