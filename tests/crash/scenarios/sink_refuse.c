/* SPDX-License-Identifier: Apache-2.0 */
/* A sink that refuses every second item: what it has taken before in the same turn counts first. */
#include "common/flow/commit.h"
#include "tests/crash/world.h"

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	int r = crash_sink_process(context, state, item);

	return r == WEIR_OK && payload->number % 2 ? crash_refuse(context, "odd") : r;
}

static const struct weir_stage picky = CRASH_STAGE(WEIR_SINK, .process = process);

static const char *check_end(const struct world *world)
{
	const uint64_t *ledger = cursor_current(&world->segments[1])->ledger;

	return ledger[LEDGER_DELIVERED] + ledger[LEDGER_REJECTED_IN] != scenario_now->items ?
		       "an item was neither delivered nor refused" :
		       NULL;
}

SCENARIO(sink_refuse) = {
	.name = "sink_refuse",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, batch: 4}\n",
	.stages = { [1] = &picky },
	.check_end = check_end,
	.victim = 1,
	.items = 5,
	.steps = { { 0, UNTIL_ASLEEP } },
};
