/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a forwarder has passed on has been freed behind it, and it sleeps beside that: its producer has plenty of room. Until one item makes
 * the producer fill the lane, with nothing that it could commit: it asks for the room, or nobody ever goes on.
 */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

#define BURST 6u /* one item fills the lane, so nothing else may be held there */

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint64_t number = ((const struct payload *)item->data)->number;
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, 0, item->data, item->size_bytes);
	for (uint64_t i = 0; r == 0 && number == 1 && i < BURST; i++) {
		struct payload copy = *payload_of(1, i); /* others are at work while it waits */

		r = crash_emit(context, 0, &copy, payload_size(i));
	}
	crash_item_over(context);
	return r;
}

static const struct weir_stage bursts = CRASH_STAGE(WEIR_OPERATOR, .process = process);

static const char *check_end(const struct world *world)
{
	struct crash_seen seen;

	memcpy(&seen, cursor_current(&world->segments[3])->stage, sizeof(seen));
	return seen.bits[0][0] != (1u << BURST) - 1 || seen.bits[1][0] != (1u << BURST) - 1 ?
		       "items are missing, or there are too many" :
		       NULL;
}

SCENARIO(forward_ask) = {
	.name = "forward_ask",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: many, exec: [cat], batch: 1}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &bursts, [2] = &crash_forwarder },
	.items = BURST,
	.item_bytes = 4200,
	.lane_bytes = 32768,
	.check_end = check_end,
	.victim = 1,
	.interludes = 2,
	.sleeps = 1,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, 2 }, { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP } },
};
