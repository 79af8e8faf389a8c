/* SPDX-License-Identifier: Apache-2.0 */
/* Built in place for a key's lane, which is full: dropped and counted. */
#include "common/flow/commit.h"
#include "tests/crash/world.h"

static const char *check_end(const struct world *world)
{
	uint64_t n = cursor_current(&world->segments[0])->ledger[LEDGER_DROPPED_NEW];

	for (uint32_t slot = 1; slot < 3; slot++)
		n += cursor_current(&world->segments[slot])->ledger[LEDGER_DELIVERED];
	return n != scenario_now->items ? "an item neither arrived nor was counted as dropped" : NULL;
}

SCENARIO(keyed_full) = {
	.name = "keyed_full",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, workers: 2, balance: \"key(bytes(0, 8))\", full: drop-new, batch: 1}\n",
	.stages = { [0] = &crash_builder },
	.items = 6,
	.item_bytes = 1000,
	.check_end = check_end,
	.victim = 0,
	.steps = { { 0, 3 }, { 1, 1 }, { 2, 1 } },
};
