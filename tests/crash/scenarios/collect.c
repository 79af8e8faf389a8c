/* SPDX-License-Identifier: Apache-2.0 */
/* An operator that holds its items until the end of the stream, and then makes more of them than one call gives: finish, produce. */
#include "tests/crash/scenario.h"

struct collected {
	uint64_t held, given;
};

static int collect_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct collected *collected = weir_cursor(context);

	(void)state;
	crash_item(context, item);
	collected->held++;
	crash_item_over(context);
	return WEIR_HELD;
}

static int collect_finish(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_MORE;
}

static int collect_produce(struct weir_context *context, void *state)
{
	struct collected *collected = weir_cursor(context);
	int r;

	(void)state;
	if (collected->given == collected->held)
		return WEIR_OK;
	r = crash_build(context, 0, payload_of(0, collected->given), payload_size(collected->given));
	if (r != 0)
		return r == WEIR_FULL ? WEIR_MORE : r;
	collected->given++;
	weir_settle(context, 1);
	return WEIR_MORE;
}

static const struct weir_stage collect = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = sizeof(struct collected),
	.name = "collect",
	.open = crash_open,
	.process = collect_process,
	.produce = collect_produce,
	.finish = collect_finish,
};

SCENARIO(collects) = {
	.name = "collect",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: collect, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &collect },
	.victim = 1,
	.items = 4,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
