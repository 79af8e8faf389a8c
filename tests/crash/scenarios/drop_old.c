/* SPDX-License-Identifier: Apache-2.0 */
/* A source gives up the oldest items of a lane that is full, while its reader sleeps or works. */
#include "common/flow/commit.h"
#include "tests/crash/world.h"

SCENARIO(drop_old) = {
	.name = "drop_old",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, full: drop-old}\n",
	.items = 12,
	.item_bytes = 1000,
	.check_end = crash_check_dropped,
	.victim = 0,
	.position = (UINT64_C(1) << 32) - 1024,
	.steps = { { 1, UNTIL_ASLEEP } },
};

/* It takes its seat again when it has dropped some, and its reader has not come yet. */
SCENARIO(drop_old_attach) = {
	.name = "drop_old_attach",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, full: drop-old}\n",
	.items = 9,
	.item_bytes = 1000,
	.check_end = crash_check_dropped,
	.victim = 0,
	.steps = { { 0, 7 } },
};

static const char *check_through(const struct world *world)
{
	const uint64_t *to = cursor_current(&world->segments[2])->ledger;

	return to[LEDGER_DELIVERED] + to[LEDGER_DROPPED_OLD] != scenario_now->items ?
		       "an item neither arrived nor was counted as dropped" :
		       NULL;
}

/* An operator with several items to a turn: it commits them before it drops any. */
SCENARIO(drop_old_batch) = {
	.name = "drop_old_batch",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], batch: 3}\n"
		"  - {name: to, sink: discard, full: drop-old}\n",
	.items = 24,
	.item_bytes = 240,
	.check_end = check_through,
	.victim = 1,
	.interludes = 1,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
