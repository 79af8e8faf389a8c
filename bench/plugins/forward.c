/* SPDX-License-Identifier: Apache-2.0 */
/* Plugin: passes items on unchanged, by reference if they are large. */
#include <weir/stage.h>

#include "bench/plugins/message.h"

static int forward_open(struct weir_context *context, void **ret_state)
{
	*ret_state = NULL;
	return message_pin(context);
}

static int forward_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return weir_forward(context, 0, item);
}

static const struct weir_option options[] = { MESSAGE_CPU_OPTION };

static const struct weir_stage forward = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.flags = WEIR_STAGE_FORWARDS,
	.name = "bench-forward",
	.summary = "passes items on by reference",
	.options = options,
	.n_options = 1,
	.open = forward_open,
	.process = forward_process,
};

WEIR_STAGE_EXPORT(forward)
