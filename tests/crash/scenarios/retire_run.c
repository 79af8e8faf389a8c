/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source with a loop of its own, which builds in place, takes its seat and finds one of its readers retired: it moves what lies
 * there between two steps.
 */
#include <string.h>

#include "tests/crash/scenario.h"

static int run(struct weir_context *context, void *state)
{
	uint64_t *cursor = weir_cursor(context);

	(void)state;
	while (*cursor < scenario_now->items) {
		int r;

		crash_item(context, NULL);
		r = crash_build(context, 0, payload_of(0, *cursor), payload_size(*cursor));
		if (r != WEIR_OK)
			return r;
		++*cursor;
	}
	return WEIR_OK;
}

static const struct weir_stage builder = CRASH_STAGE(WEIR_SOURCE, .run = run);

SCENARIO(retire_run) = {
	.name = "retire_run",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate, batch: 2}\n"
		"  - {name: through, exec: [cat], workers: 3, on_failure: degrade, batch: 1}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [0] = &builder },
	.victim = 0,
	.retired = 2,
	.items = 20,
	.interludes = 3,
	.steps = { { 0, 13 }, { 2, 2 }, { 1, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP } },
};

/* The lanes of the others are full: what lies in the retired one is moved as room comes. */
SCENARIO(retire_run_full) = {
	.name = "retire_run_full",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate, batch: 2}\n"
		"  - {name: through, exec: [cat], workers: 2, on_failure: degrade, batch: 1}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [0] = &builder },
	.victim = 0,
	.retired = 2,
	.items = 10,
	.item_bytes = 1000,
	.interludes = 3,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, 2 } },
};

/* Answers each item twice, so that room may be missing in the middle of a step. */
static int run_twice(struct weir_context *context, void *state)
{
	uint8_t *cursor = weir_cursor(context);
	struct weir_item item;
	int r;

	(void)state;
	while ((r = weir_recv(context, WEIR_ANY_INPUT, WEIR_FOREVER, &item)) == WEIR_OK) {
		struct payload second;

		crash_item(context, &item);
		memcpy(&second, item.data, item.size_bytes);
		second.source = 1;
		r = weir_send(context, 0, item.data, item.size_bytes, WEIR_FOREVER);
		if (r == WEIR_OK)
			r = weir_send(context, 0, &second, item.size_bytes, WEIR_FOREVER);
		if (r != WEIR_OK)
			return r;
		memset(cursor, cursor[0] + 1, WEIR_CURSOR_SIZE_MAX);
		crash_item_over(context);
	}
	return r;
}

static const struct weir_stage doubler = CRASH_STAGE(WEIR_OPERATOR, .run = run_twice);

/* What the step at work has put into a lane stays where it is until the step is over. */
SCENARIO(retire_step) = {
	.name = "retire_step",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate, batch: 2}\n"
		"  - {name: doubler, exec: [cat], batch: 2}\n"
		"  - {name: through, exec: [cat], workers: 3, on_failure: degrade, batch: 1}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &doubler },
	.victim = 1,
	.retired = 3,
	.items = 12,
	.item_bytes = 1000,
	.interludes = 4,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, 1 } },
};
