/* SPDX-License-Identifier: Apache-2.0 */
/* An ordered worker finds no room for the end of a run, and then some. */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

/* The first items fill its lane, of the others nothing but the ends of runs is left. */
static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	int r = 0;

	(void)state;
	crash_item(context, item);
	if (payload->number < 8)
		r = crash_emit(context, 0, item->data, item->size_bytes);
	crash_item_over(context);
	return r;
}

static const struct weir_stage filter = CRASH_STAGE(WEIR_OPERATOR, .process = process);

static const char *check_end(const struct world *world)
{
	struct crash_seen seen;

	memcpy(&seen, cursor_current(&world->segments[3])->stage, sizeof(seen));
	return seen.bits[0][0] != 0xff ? "another item than the first eight arrived" : NULL;
}

SCENARIO(runs_full) = {
	.name = "runs_full",
	.spec = CRASH_ORDERED_SPEC,
	.adapt = crash_runs_of_two,
	.ordered = true,
	.victim = 1,
	.items = 18,
	.item_bytes = 900,
	.interludes = 4,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};

SCENARIO(runs_empty) = {
	.name = "runs_empty",
	.spec = CRASH_ORDERED_SPEC,
	.stages = { [1] = &filter },
	.adapt = crash_runs_of_two,
	.check_end = check_end,
	.ordered = true,
	.victim = 1,
	.items = 24,
	.item_bytes = 960,
	.interludes = 3,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
