/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec sink: a program that takes the data out of the pipeline. It is run once per block of items, which it finds
 * on its stdin; they are delivered when it has ended well. What it writes to stdout goes to weir's own stdout: a
 * chart is seen, a redirection catches it. A kill between the program's end and the commit makes it run once more on
 * the same block.
 */
#include <stdlib.h>
#include <unistd.h>
#include <weir/stage.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/exec/block.h"

static int sink_open(struct weir_context *context, void **ret_state)
{
	struct block *block = calloc(1, sizeof(*block));
	int r;

	if (!block)
		return error_origin(-ENOMEM);
	r = block_init(block, context, false);
	if (r) {
		block_deinit(block);
		free(block);
		return r;
	}
	if (block->cursor->phase != BLOCK_COLLECT)
		weir_produce_next(context);
	*ret_state = block;
	return 0;
}

static int sink_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	return block_add(state, context, item);
}

static int sink_flush(struct weir_context *context, void *state)
{
	return block_flush(state, context);
}

static int sink_complete(struct weir_context *context, void *state)
{
	(void)context;
	return block_complete(state);
}

static int sink_produce(struct weir_context *context, void *state)
{
	struct block *block = state;
	int r;

	if (block->cursor->phase == BLOCK_COLLECT)
		return block_check_wait(block, context);
	if (!block_is_committed(block))
		return WEIR_MORE;
	r = block_run(block, context, STDOUT_FILENO);
	if (r == WEIR_EXPIRED)
		return WEIR_MORE; /* so that "given up" is committed before the spool is used again */
	if (r)
		return r;
	block_end(block, context);
	return WEIR_MORE; /* so that "delivered" is committed before the spool is used again */
}

static void sink_close(struct weir_context *context, void *state)
{
	(void)context;
	block_deinit(state);
	free(state);
}

const struct weir_stage exec_sink_callbacks = {
	.open = sink_open,
	.process = sink_process,
	.produce = sink_produce,
	.flush = sink_flush,
	.end_run = sink_complete,
	.finish = sink_complete,
	.close = sink_close,
};
