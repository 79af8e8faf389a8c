/*
 * An operator: each item with a prefix before it. What a stage may do is in <weir/stage.h>, and in man libweir.
 *
 * A worker may be killed at any moment. What process() has emitted takes effect together with the item that it was given, or not at
 * all; so whatever has to outlive this process belongs into weir_cursor(), and nowhere else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

/* What this worker made for itself; made again by the next one. */
struct state {
	const char *prefix;
	size_t prefix_size, size_max;
	char *line;
};

static int stage_open(struct weir_context *context, void **ret_state)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	state->prefix = weir_option_string(context, "prefix");
	state->prefix_size = strlen(state->prefix);
	state->size_max = weir_item_size_max(context);
	state->line = malloc(state->size_max);
	if (!state->line) {
		free(state);
		return -ENOMEM;
	}
	*ret_state = state;
	return 0;
}

static int stage_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct state *state = data;

	if (state->prefix_size > state->size_max || item->size_bytes > state->size_max - state->prefix_size) {
		weir_reject(context, "no room for the prefix before an item of %zu bytes", item->size_bytes);
		return WEIR_REJECTED; /* a dead letter: weir dlq */
	}
	memcpy(state->line, state->prefix, state->prefix_size);
	memcpy(state->line + state->prefix_size, item->data, item->size_bytes);
	return weir_emit(context, WEIR_ALL_OUTPUTS, state->line, state->prefix_size + item->size_bytes);
}

static void stage_close(struct weir_context *context, void *data)
{
	struct state *state = data;

	(void)context;
	free(state->line);
	free(state);
}

/* `weir check` checks specs by this, and `weir stages ./@NAME@.so` shows it. */
static const struct weir_option options[] = {
	{ .name = "prefix",
	  .type = WEIR_TYPE_STRING,
	  .fallback = "> ",
	  .summary = "what stands before each item",
	  .example = "'* '" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "@NAME@",
	.summary = "puts a prefix before each item",
	.description = "Each item leaves with the prefix before it.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = stage_open,
	.process = stage_process,
	.close = stage_close,
};

WEIR_STAGE_EXPORT(stage)
