/* SPDX-License-Identifier: Apache-2.0 */
/* An operator that emits twice for an item, and the second has to wait for room: what it has emitted already stays hidden. */
#include "tests/crash/scenario.h"

static int twice(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t number = ((const struct payload *)item->data)->number;
	/* a copy: others are at work while it waits */
	struct payload second = *payload_of(1, number);
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, 0, item->data, item->size_bytes);
	if (r == 0)
		r = crash_emit(context, 0, &second, payload_size(number));
	crash_item_over(context);
	return r;
}

static int left_then_right(struct weir_context *context, void *state, const struct weir_item *item)
{
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, 0, item->data, item->size_bytes);
	if (r == 0)
		r = crash_emit(context, 1, item->data, item->size_bytes);
	crash_item_over(context);
	return r;
}

static const struct weir_stage doubles = CRASH_STAGE(WEIR_OPERATOR, .process = twice);
static const struct weir_stage deals = CRASH_STAGE(WEIR_OPERATOR, .process = left_then_right);

SCENARIO(full_within) = {
	.name = "full_within",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &doubles },
	.victim = 1,
	.sleeps = 1,
	.interludes = 1,
	.items = 30,
	.item_bytes = 140,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, 4 } },
};

/* The left one has room, the right one none. */
SCENARIO(full_within_pair) = {
	.name = "full_within_pair",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: both, exec: [cat]}\n"
		"  - {name: left, sink: discard, from: both, batch: 1}\n"
		"  - {name: right, sink: discard, from: both, batch: 1}\n",
	.stages = { [1] = &deals },
	.victim = 1,
	.sleeps = 1,
	.interludes = 1,
	.items = 50,
	.item_bytes = 140,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, UNTIL_ASLEEP }, { 3, 3 } },
};
