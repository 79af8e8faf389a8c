/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A join that wants its inputs in turn: one item of the first, one of the second, and so on, until one has ended. Behind a fork, of whose
 * branches one says nothing, it waits for ever while the other fills up.
 */
#include <weir/channel.h>

static int zip_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int zip_run(struct weir_context *context, void *state)
{
	struct weir_item item;
	int r = WEIR_OK;

	(void)state;
	for (uint32_t input = 0; r == WEIR_OK; input = (input + 1) % weir_inputs(context)) {
		r = weir_recv(context, input, WEIR_FOREVER, &item);
		if (r == WEIR_OK)
			r = weir_send(context, 0, item.data, item.size_bytes, WEIR_FOREVER);
	}
	return r;
}

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "zip",
	.summary = "takes its inputs in turn",
	.open = zip_open,
	.run = zip_run,
};

WEIR_STAGE_EXPORT(stage)
