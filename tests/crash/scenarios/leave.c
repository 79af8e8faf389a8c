/* SPDX-License-Identifier: Apache-2.0 */
/* A sink that has enough after three items, behind an operator and a source without an end: closing comes down from above. */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct crash_seen *seen = weir_cursor(context);

	if (seen->next[0] == 3)
		crash_wrong("an item for one that has left");
	if (seen->next[0] == 2)
		(void)weir_leave(context, WEIR_ALL_INPUTS);
	return crash_sink_process(context, state, item);
}

static const struct weir_stage leaver = CRASH_STAGE(WEIR_SINK, .process = process);

static const char *check_end(const struct world *world)
{
	return cursor_current(&world->segments[2])->ledger[LEDGER_DELIVERED] != 3 ? "it did not get what it wanted" :
										    NULL;
}

SCENARIO(leaves) = {
	.name = "leave",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &crash_operator, [2] = &leaver },
	.check_end = check_end,
	.victim = 2,
	.items = 40,
	.interludes = 3,
	.steps = { { 0, 5 }, { 1, UNTIL_ASLEEP } },
};

SCENARIO(leave_upward) = {
	.name = "leave_upward",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &crash_operator, [2] = &leaver },
	.check_end = check_end,
	.victim = 1,
	.items = 40,
	.interludes = 3,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 5 } },
};
