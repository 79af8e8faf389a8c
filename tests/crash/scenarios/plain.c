/* SPDX-License-Identifier: Apache-2.0 */
/* As turn.c, with an operator that has no cursor, as most have: what comes before each of its items is but a look at the orders. */
#include "tests/crash/scenario.h"

static int plain_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, 0, item->data, item->size_bytes);
	crash_item_over(context);
	return r;
}

static const struct weir_stage plain_stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "plain",
	.open = crash_open,
	.process = plain_process,
};

SCENARIO(plain) = {
	.name = "plain",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: plain, exec: [cat], batch: 2}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &plain_stage },
	.victim = 1,
	.items = 6,
	.position = (UINT64_C(1) << 32) - 56,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 5 } },
};
