/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: take. The first `count` items, then the end of the stream, upward too. The cursor is the number of items that have passed,
 * so it is exact over any number of kills: an item passes and is counted in one commit, and so is the leaving after the last.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "worker/builtin.h"

struct take_cursor {
	uint64_t passed;
};

struct take {
	uint64_t count;
};

static int take_open(struct weir_context *context, void **ret_state)
{
	struct take *state = malloc(sizeof(*state));

	if (!state)
		return error_origin(-ENOMEM);
	state->count = (uint64_t)weir_option_integer(context, "count");
	*ret_state = state;
	return 0;
}

static int take_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	const struct take *state = data;
	struct take_cursor *cursor = weir_cursor(context);
	int r;

	if (cursor->passed >= state->count) /* it has left: whoever still asks gets the same answer */
		return weir_leave(context, WEIR_ALL_INPUTS);
	r = weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
	if (r != 0)
		return r;
	return ++cursor->passed == state->count ? weir_leave(context, WEIR_ALL_INPUTS) : WEIR_OK;
}

static void take_close(struct weir_context *context, void *data)
{
	(void)context;
	free(data);
}

const struct weir_stage take_operator_callbacks = {
	.open = take_open,
	.process = take_process,
	.close = take_close,
};
