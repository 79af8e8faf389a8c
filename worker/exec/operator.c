/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec operator: one kind, two modes. Which one is decided at open(); here each callback only goes on to its
 * mode's.
 */
#include <stdlib.h>
#include <weir/stage.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/exec/filter.h"
#include "worker/exec/line.h"
#include "worker/exec/options.h"

struct operator_mode {
	int (*open)(struct weir_context *context, void **ret_state);
	int (*process)(struct weir_context *context, void *state, const struct weir_item *item);
	int (*produce)(struct weir_context *context, void *state);
	int (*flush)(struct weir_context *context, void *state);
	int (*end_run)(struct weir_context *context, void *state);
	int (*finish)(struct weir_context *context, void *state);
	void (*close)(struct weir_context *context, void *state);
};

static const struct operator_mode mode_block = {
	filter_open, filter_process, filter_produce, filter_flush, filter_complete, filter_complete, filter_close,
};

static const struct operator_mode mode_line = {
	line_open, line_process, line_produce, line_flush, line_end_run, line_finish, line_close,
};

struct operator
{
	const struct operator_mode *mode;
	void *state;
};

static int operator_open(struct weir_context *context, void **ret_state)
{
	struct operator* operator= calloc(1, sizeof(*operator));
	int r;

	if (!operator)
		return error_origin(-ENOMEM);
	operator->mode = exec_option_is(context, "mode", "line") ? &mode_line : &mode_block;
	r = operator->mode->open(context, &operator->state);
	if (r) {
		free(operator);
		return r;
	}
	*ret_state = operator;
	return 0;
}

static int operator_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct operator* operator= state;

	return operator->mode->process(context, operator->state, item);
}

static int operator_produce(struct weir_context *context, void *state)
{
	struct operator* operator= state;

	return operator->mode->produce(context, operator->state);
}

static int operator_flush(struct weir_context *context, void *state)
{
	struct operator* operator= state;

	return operator->mode->flush(context, operator->state);
}

static int operator_end_run(struct weir_context *context, void *state)
{
	struct operator* operator= state;

	return operator->mode->end_run(context, operator->state);
}

static int operator_finish(struct weir_context *context, void *state)
{
	struct operator* operator= state;

	return operator->mode->finish(context, operator->state);
}

static void operator_close(struct weir_context *context, void *state)
{
	struct operator* operator= state;

	operator->mode->close(context, operator->state);
	free(operator);
}

const struct weir_stage exec_operator_callbacks = {
	.open = operator_open,
	.process = operator_process,
	.produce = operator_produce,
	.flush = operator_flush,
	.end_run = operator_end_run,
	.finish = operator_finish,
	.close = operator_close,
};
