/* SPDX-License-Identifier: Apache-2.0 */
/* A source in front of a lane that is full is told so, and goes on with the next item; another output blocks. */
#include "common/flow/commit.h"
#include "tests/crash/world.h"

static const char *check_end(const struct world *world)
{
	const uint64_t *from = cursor_current(&world->segments[0])->ledger,
		       *to = cursor_current(&world->segments[1])->ledger;

	return to[LEDGER_DELIVERED] + from[LEDGER_REFUSED] != scenario_now->items ?
		       "an item neither arrived nor was refused" :
		       NULL;
}

SCENARIO(rejected) = {
	.name = "reject",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, full: reject, batch: 1}\n",
	.stages = { [0] = &crash_source },
	.items = 7,
	.item_bytes = 1000,
	.check_end = check_end,
	.victim = 0,
	.steps = { { 0, 3 }, { 1, 2 } },
};
