/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: scatter. Each item goes, as it is, to all who read from the stage, and has a mark by which gather.c knows what became of it
 * there. The numbers are in the cursor: an item that is done again after a kill has not been seen by anybody under its first mark.
 */
#include <errno.h>
#include <stdlib.h>
#include <weir/identity.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/operators/mark.h"

struct scatter_cursor {
	uint64_t n;
};

struct scatter {
	char key[MARK_KEY_SIZE];
};

static int scatter_open(struct weir_context *context, void **ret_state)
{
	struct scatter *state = calloc(1, sizeof(*state));

	if (!state)
		return error_origin(-ENOMEM);
	mark_key(weir_stage_name(context), state->key);
	*ret_state = state;
	return 0;
}

static int scatter_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct scatter_cursor *cursor = weir_cursor(context);
	const struct scatter *state = data;
	const struct mark mark = { .run = weir_run(context),
				   .number = ++cursor->n,
				   .stamp_ns = weir_now_ns(context),
				   .worker = weir_worker_index(context) };
	int r = mark_set(context, state->key, &mark);

	return r == WEIR_OK ? weir_forward(context, WEIR_ALL_OUTPUTS, item) : r;
}

static void scatter_close(struct weir_context *context, void *data)
{
	(void)context;
	free(data);
}

const struct weir_stage scatter_operator_callbacks = {
	.open = scatter_open,
	.process = scatter_process,
	.close = scatter_close,
};
