/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of so many bytes that most of their items go the short way: through the window of the one who deals or keeps them, and past the
 * general way of the one who takes them. The source gives several items a turn, so runs end in the middle of one.
 */
#include <string.h>

#include "tests/crash/scenario.h"

#define ITEMS_A_TURN 3u

static void runs_of_bytes(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_edges; i++)
		if (plan->edges[i].order == HERITAGE_ORDER_DEAL)
			plan->edges[i].run_bytes = 180;
}

static int produce(struct weir_context *context, void *state)
{
	int r = WEIR_OK;

	for (uint32_t i = 0; i < ITEMS_A_TURN && r == WEIR_OK; i++)
		r = crash_source_produce(context, state);
	return r;
}

static const struct weir_stage source = CRASH_STAGE(WEIR_SOURCE, .produce = produce);

SCENARIO(runs_windowed_dealt) = {
	.name = "runs_windowed_dealt",
	.spec = CRASH_ORDERED_SPEC,
	.stages = { [0] = &source },
	.adapt = runs_of_bytes,
	.victim = 0,
	.items = 22,
	.ordered = true,
	.steps = { { 3, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, 5 } },
};

SCENARIO(runs_windowed_kept) = {
	.name = "runs_windowed_kept",
	.spec = CRASH_ORDERED_SPEC,
	.stages = { [0] = &source },
	.adapt = runs_of_bytes,
	.victim = 1,
	.items = 22,
	.ordered = true,
	.steps = { { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};

SCENARIO(runs_windowed_merged) = {
	.name = "runs_windowed_merged",
	.spec = CRASH_ORDERED_SPEC,
	.stages = { [0] = &source },
	.adapt = runs_of_bytes,
	.victim = 3,
	.items = 22,
	.ordered = true,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, UNTIL_ASLEEP } },
};

/* ---- as exec does in block mode: held until the end of the run, then given ---- */

struct gathered {
	uint64_t n, given;
	uint64_t numbers[16];
};

static int gather_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct gathered *gathered = weir_cursor(context);
	const struct payload *payload = item->data;

	(void)state;
	crash_item(context, item);
	gathered->numbers[gathered->n++] = payload->number;
	crash_item_over(context);
	return WEIR_HELD;
}

static int gather_end(struct weir_context *context, void *state)
{
	struct gathered *gathered = weir_cursor(context);

	(void)state;
	return gathered->n ? WEIR_MORE : WEIR_OK;
}

static int gather_produce(struct weir_context *context, void *state)
{
	struct gathered *gathered = weir_cursor(context);

	(void)state;
	while (gathered->given < gathered->n) {
		uint64_t number = gathered->numbers[gathered->given];
		int r = crash_emit(context, WEIR_ALL_OUTPUTS, payload_of(0, number), payload_size(number));

		if (r != 0)
			return r == WEIR_FULL ? WEIR_MORE : r;
		gathered->given++;
		weir_settle(context, 1);
	}
	memset(gathered, 0, sizeof(*gathered));
	return WEIR_OK;
}

static const struct weir_stage gather = CRASH_STAGE(WEIR_OPERATOR, .process = gather_process, .produce = gather_produce,
						    .end_run = gather_end, .finish = gather_end);

SCENARIO(runs_gathered) = {
	.name = "runs_gathered",
	.spec = CRASH_ORDERED_SPEC,
	.stages = { [0] = &source, [1] = &gather },
	.adapt = runs_of_bytes,
	.victim = 1,
	.items = 22,
	.ordered = true,
	.steps = { { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};

/* It keeps what it has already given a copy of, and each copy is more than the window holds. */
static int keep_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	int r = crash_operator_process(context, state, item);

	return r == WEIR_OK ? WEIR_HELD : r;
}

static int keep_finish(struct weir_context *context, void *state)
{
	const uint8_t *cursor = weir_cursor(context);

	(void)state;
	weir_settle(context, cursor[0]);
	return WEIR_OK;
}

static const struct weir_stage keep = CRASH_STAGE(WEIR_OPERATOR, .process = keep_process, .finish = keep_finish);

SCENARIO(held_emitted) = {
	.name = "held_emitted",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &keep },
	.victim = 1,
	.items = 8,
	.item_bytes = 700,
	.interludes = 2,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
