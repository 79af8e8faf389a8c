/* SPDX-License-Identifier: Apache-2.0 */
/* Plugin: passes items on unchanged. */
#include <weir/stage.h>

#include "bench/plugins/message.h"

static int pass_open(struct weir_context *context, void **ret_state)
{
	*ret_state = NULL;
	return message_pin(context);
}

static int pass_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)state;
	return weir_emit(context, 0, item->data, item->size_bytes);
}

static const struct weir_option options[] = { MESSAGE_CPU_OPTION };

static const struct weir_stage pass = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "bench-pass",
	.summary = "passes items on",
	.options = options,
	.n_options = 1,
	.open = pass_open,
	.process = pass_process,
};

WEIR_STAGE_EXPORT(pass)
