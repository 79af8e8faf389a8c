/* SPDX-License-Identifier: Apache-2.0 */
/* An operator that emits, and then refuses the item all the same: what it has built is taken back. On the short way, and beside it. */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
	if (r == 0 && payload->number % 2)
		r = crash_refuse(context, "odd");
	crash_item_over(context);
	return r;
}

static const struct weir_stage evens = CRASH_STAGE(WEIR_OPERATOR, .process = process);

static const char *check_end(const struct world *world)
{
	for (uint32_t slot = 2; slot < world_plan_now->n_slots; slot++) {
		struct crash_seen seen;

		memcpy(&seen, cursor_current(&world->segments[slot])->stage, sizeof(seen));
		if (seen.bits[0][0] != 5)
			return "another item than the even ones arrived";
	}
	return cursor_current(&world->segments[1])->ledger[LEDGER_REJECTED_IN] != 2 ? "not two were refused" : NULL;
}

SCENARIO(refuse) = {
	.name = "refuse",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &evens },
	.items = 4,
	.check_end = check_end,
	.victim = 1,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};

SCENARIO(refuse_two) = {
	.name = "refuse_two",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: left, sink: discard, from: through}\n"
		"  - {name: right, sink: discard, from: through}\n",
	.stages = { [1] = &evens },
	.items = 4,
	.check_end = check_end,
	.victim = 1,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
