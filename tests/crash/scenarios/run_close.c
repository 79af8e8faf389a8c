/* SPDX-License-Identifier: Apache-2.0 */
/* A stage that closes one output after two items, and sends the rest to the other. */
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

static int run(struct weir_context *context, void *state)
{
	uint64_t *cursor = weir_cursor(context);
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item)) == WEIR_OK) {
		crash_item(context, &item);
		r = weir_send(context, *cursor < 3 ? 0 : WEIR_ALL_OUTPUTS, item.data, item.size_bytes, WEIR_FOREVER);
		if (r == WEIR_OK && *cursor < 2)
			r = weir_send(context, 1, item.data, item.size_bytes, WEIR_FOREVER);
		if (r == WEIR_OK && *cursor == 1)
			r = weir_close(context, 1);
		if (r != WEIR_OK)
			return r;
		++*cursor;
		crash_item_over(context);
	}
	return r;
}

static const struct weir_stage closer = CRASH_STAGE(WEIR_OPERATOR, .run = run);

static const char *check_end(const struct world *world)
{
	struct crash_seen left, right;

	memcpy(&left, cursor_current(&world->segments[2])->stage, sizeof(left));
	memcpy(&right, cursor_current(&world->segments[3])->stage, sizeof(right));
	return left.bits[0][0] != 31 ? "an item never arrived" :
	       right.bits[0][0] != 3 ? "the output was closed too early or too late" :
				       NULL;
}

SCENARIO(run_close) = {
	.name = "run_close",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], batch: 1}\n"
		"  - {name: left, sink: discard, from: through}\n"
		"  - {name: right, sink: discard, from: through}\n",
	.stages = { [1] = &closer },
	.victim = 1,
	.items = 5,
	.steps = { { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
	.check_end = check_end,
};
