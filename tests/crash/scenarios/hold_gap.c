/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a lane whose last items were given up for one that never came: they are counted at the end. */
#include "common/flow/commit.h"
#include "tests/crash/world.h"

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	bool last = payload->number == scenario_now->items - 1;
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, 0, item->data, last ? 1900 : item->size_bytes);
	for (unsigned i = 0; r == 0 && last && i < 1; i++)
		r = crash_emit(context, 0, item->data, 1900);
	if (r == 0 && last)
		r = crash_refuse(context, "the last one");
	crash_item_over(context);
	return r;
}

static const struct weir_stage boaster = CRASH_STAGE(WEIR_OPERATOR, .process = process);

static const char *check_end(const struct world *world)
{
	const uint64_t *to = cursor_current(&world->segments[2])->ledger;

	return to[LEDGER_DELIVERED] + to[LEDGER_DROPPED_OLD] != scenario_now->items - 1 ?
		       "an item neither arrived nor was counted as dropped" :
		       NULL;
}

#define SPEC                                           \
	"pipeline: walk\n"                             \
	"stages:\n"                                    \
	"  - {name: from, source: generate}\n"         \
	"  - {name: through, exec: [cat], batch: 1}\n" \
	"  - {name: to, sink: discard, full: drop-old}\n"

SCENARIO(hold_gap) = {
	.name = "hold_gap",
	.spec = SPEC,
	.stages = { [1] = &boaster },
	.items = 4,
	.item_bytes = 1000,
	.check_end = check_end,
	.victim = 2,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP } },
};

SCENARIO(hold_gap_made) = {
	.name = "hold_gap_made",
	.spec = SPEC,
	.stages = { [1] = &boaster },
	.items = 4,
	.item_bytes = 1000,
	.check_end = check_end,
	.victim = 1,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};

/* The reader comes in between: there is room again without dropping. */
SCENARIO(hold_gap_read) = {
	.name = "hold_gap_read",
	.spec = SPEC,
	.stages = { [1] = &boaster },
	.items = 4,
	.item_bytes = 1000,
	.check_end = check_end,
	.victim = 1,
	.interludes = 2,
	.steps = { { 0, UNTIL_ASLEEP } },
};
