/* SPDX-License-Identifier: Apache-2.0 */
/* An operator that answers nothing to most items, on the short way. */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	int r = 0;

	(void)state;
	crash_item(context, item);
	if (payload->number % 3 == 0)
		r = crash_emit(context, 0, item->data, item->size_bytes);
	crash_item_over(context);
	return r;
}

static const struct weir_stage filter = CRASH_STAGE(WEIR_OPERATOR, .process = process);

static const char *check_end(const struct world *world)
{
	struct crash_seen seen;

	memcpy(&seen, cursor_current(&world->segments[2])->stage, sizeof(seen));
	return seen.bits[0][0] != 0x9 ? "another item than each third arrived" : NULL;
}

SCENARIO(quiet) = {
	.name = "quiet",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], batch: 4}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &filter },
	.check_end = check_end,
	.victim = 1,
	.items = 6,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 5 } },
};
