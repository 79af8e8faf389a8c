/* SPDX-License-Identifier: Apache-2.0 */
/* Passes items on, but one of its workers dies of every item, once `after` items have gone well. */
#include <unistd.h>
#include <weir/stage.h>

#define ALL_WORKERS 64

struct unlucky_cursor {
	uint64_t passed;
};

static int unlucky_open(struct weir_context *context, void **ret_state)
{
	*ret_state = context;
	return 0;
}

static int unlucky_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct unlucky_cursor *cursor = weir_cursor(context);

	(void)state;
	if ((weir_option_integer(context, "worker") == ALL_WORKERS ||
	     weir_worker_index(context) == (uint32_t)weir_option_integer(context, "worker")) &&
	    cursor->passed >= (uint64_t)weir_option_integer(context, "after"))
		_exit(9);
	cursor->passed++;
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_option options[] = {
	{ .name = "worker",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1",
	  .maximum = ALL_WORKERS,
	  .summary = "index of the one that dies; 64: all of them" },
	{ .name = "after",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = INT64_MAX,
	  .summary = "how many items it passes on before" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(struct unlucky_cursor),
	.name = "unlucky",
	.summary = "passes items on; one worker dies of them",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = unlucky_open,
	.process = unlucky_process,
};

WEIR_STAGE_EXPORT(stage)
