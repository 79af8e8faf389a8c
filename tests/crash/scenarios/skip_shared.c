/* SPDX-License-Identifier: Apache-2.0 */
/* A payload for two outputs, which drop what does not fit: now in the one, now in the other. */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

static const char *check_end(const struct world *world)
{
	uint64_t n = cursor_current(&world->segments[0])->ledger[LEDGER_DROPPED_NEW];

	for (uint32_t slot = 1; slot < 3; slot++)
		n += cursor_current(&world->segments[slot])->ledger[LEDGER_DELIVERED];
	return n != 2 * scenario_now->items ? "an item neither arrived nor was counted as dropped" : NULL;
}

SCENARIO(skip_shared) = {
	.name = "skip_shared",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: left, sink: discard, from: from, batch: 1, full: drop-new}\n"
		"  - {name: right, sink: discard, from: from, batch: 1, full: drop-new}\n",
	.items = 9,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.check_end = check_end,
	.victim = 0,
	.interludes = 3,
	.steps = { { 0, 4 }, { 1, UNTIL_ASLEEP }, { 2, 2 } },
};
