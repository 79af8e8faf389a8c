/* SPDX-License-Identifier: Apache-2.0 */
/* A source with a loop of its own, which waits for room between two steps. */
#include "tests/crash/scenario.h"

static int run(struct weir_context *context, void *state)
{
	uint64_t *cursor = weir_cursor(context);

	(void)state;
	while (*cursor < scenario_now->items) {
		int r;

		crash_item(context, NULL);
		r = weir_send(context, 0, payload_of(0, *cursor), payload_size(*cursor), WEIR_FOREVER);
		if (r != WEIR_OK)
			return r;
		++*cursor;
	}
	return WEIR_OK;
}

static const struct weir_stage source = CRASH_STAGE(WEIR_SOURCE, .run = run);

SCENARIO(run_source) = {
	.name = "run_source",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate, batch: 3}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [0] = &source },
	.victim = 0,
	.items = 8,
	.item_bytes = 1000,
	.steps = { { 1, UNTIL_ASLEEP } },
};
