/* SPDX-License-Identifier: Apache-2.0 */
/* A forwarder that takes back what it has passed on: the item is refused, its pin goes away. */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	uint64_t number = payload->number;
	int r;

	(void)state;
	crash_item(context, item);
	r = weir_forward(context, 0, item);
	if (r == 0 && number % 2 == 0)
		r = crash_refuse(context, "even");
	crash_item_over(context);
	return r;
}

static const struct weir_stage odds = CRASH_STAGE(WEIR_OPERATOR, .process = process, .flags = WEIR_STAGE_FORWARDS);

static const char *check_end(const struct world *world)
{
	const uint64_t *through = cursor_current(&world->segments[1])->ledger;
	struct crash_seen seen;

	memcpy(&seen, cursor_current(&world->segments[3])->stage, sizeof(seen));
	return through[LEDGER_REJECTED_IN] != scenario_now->items / 2 || seen.bits[0][0] != 0x2a ?
		       "another item than the odd ones arrived" :
		       NULL;
}

SCENARIO(forward_drop) = {
	.name = "forward_drop",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: on, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &odds, [2] = &crash_forwarder },
	.items = 6,
	.item_bytes = 4200,
	.lane_bytes = 32768,
	.check_end = check_end,
	.victim = 1,
	.interludes = 2,
	.steps = { { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
