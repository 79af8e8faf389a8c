/* SPDX-License-Identifier: Apache-2.0 */
/* A source in front of a reader that does not come: what is new is dropped, and counted. */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

static const char *check_end(const struct world *world)
{
	const uint64_t *from = cursor_current(&world->segments[0])->ledger,
		       *to = cursor_current(&world->segments[1])->ledger;

	return to[LEDGER_DELIVERED] + from[LEDGER_DROPPED_NEW] != scenario_now->items ||
			       from[LEDGER_ACCEPTED] != scenario_now->items ?
		       "an item neither arrived nor was counted as dropped" :
		       NULL;
}

SCENARIO(drop_new) = {
	.name = "drop_new",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, full: drop-new, batch: 1}\n",
	.items = 8,
	.item_bytes = 1000,
	.check_end = check_end,
	.victim = 0,
	.interludes = 2,
	.steps = { { 0, 3 }, { 1, 2 } },
};
