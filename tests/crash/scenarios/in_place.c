/* SPDX-License-Identifier: Apache-2.0 */
/* An operator that builds its items in place, two for each, in a lane that gets full: the window, what leaves it, a wait in process(). */
#include "tests/crash/scenario.h"

static int twice_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t *cursor = weir_cursor(context);
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_build(context, 0, item->data, item->size_bytes);
	if (r == 0)
		r = crash_emit(context, 0, payload_of(1, *cursor), payload_size(*cursor));
	if (r == 0)
		++*cursor;
	crash_item_over(context);
	return r;
}

static const struct weir_stage twice = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(uint64_t),
	.name = "twice",
	.open = crash_open,
	.process = twice_process,
};

SCENARIO(in_place) = {
	.name = "in_place",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: twice, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &twice },
	.victim = 1,
	.sleeps = 1,
	.items = 60,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, 6 } },
};
