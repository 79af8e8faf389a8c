/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forwarder takes two items in one turn, of which the second lies behind the end of the lane: it is passed on as well. One that it has
 * copied into memory of its own is copied again.
 */
#include <string.h>

#include "tests/crash/scenario.h"

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct weir_item own = *item;
	struct payload payload;
	int r;

	(void)state;
	crash_item(context, item);
	memcpy(&payload, item->data, item->size_bytes);
	own.data = &payload;
	r = weir_forward(context, 0, payload.number == 2 ? &own : item);
	crash_item_over(context);
	return r;
}

static const struct weir_stage passes = CRASH_STAGE(WEIR_OPERATOR, .process = process, .flags = WEIR_STAGE_FORWARDS);

SCENARIO(forward_around) = {
	.name = "forward_around",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &passes },
	.items = 3,
	.item_bytes = 4200,
	.lane_bytes = 65536,
	.position = 65536 - 4096,
	.victim = 1,
	.endless = true, /* so it sleeps beside what it holds */
	.interludes = 2,
	.steps = { { 0, UNTIL_ASLEEP } },
};
