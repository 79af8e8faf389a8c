/* SPDX-License-Identifier: Apache-2.0 */
/* sink: discard. The runtime counts; there is nothing else to do. */
#include "worker/builtin.h"

static int discard_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int discard_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context;
	(void)state;
	(void)item;
	return 0;
}

const struct weir_stage discard_sink_callbacks = { .open = discard_open, .process = discard_process };
