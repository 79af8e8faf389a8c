/* SPDX-License-Identifier: Apache-2.0 */
/* A sink that makes its effects durable in flush(): nothing may be committed in the middle of an item. */
#include "tests/crash/scenario.h"

static int flush(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

static const struct weir_stage durable = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_SINK,
	.cursor_size_bytes = sizeof(struct crash_seen),
	.name = "durable",
	.open = crash_open,
	.process = crash_sink_process,
	.flush = flush,
};

SCENARIO(flushes) = {
	.name = "flush",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, batch: 2}\n",
	.stages = { [1] = &durable },
	.victim = 1,
	.items = 4,
	.steps = { { 0, UNTIL_ASLEEP } },
};
