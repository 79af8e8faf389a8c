/* SPDX-License-Identifier: Apache-2.0 */
/* A forwarder behind an edge that drops takes its seat again with an item in the hold: the room before it is not its own any more. */
#include "common/flow/commit.h"
#include "tests/crash/world.h"

static const char *check_passed_on(const struct world *world)
{
	const uint64_t *through = cursor_current(&world->segments[1])->ledger,
		       *to = cursor_current(&world->segments[2])->ledger;

	return to[LEDGER_DELIVERED] + through[LEDGER_DROPPED_OLD] != scenario_now->items ?
		       "an item neither arrived nor was counted as dropped" :
		       NULL;
}

SCENARIO(forward_hold) = {
	.name = "forward_hold",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], full: drop-old}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_forwarder },
	.items = 9,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.check_end = check_passed_on,
	.victim = 1,
	.steps = { { 0, 3 }, { 1, 2 }, { 0, 6 } },
};
