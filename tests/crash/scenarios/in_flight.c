/* SPDX-License-Identifier: Apache-2.0 */
/* Three items at a time, completed newest first: done-bits. */
#include <stdlib.h>

#include "tests/crash/scenario.h"

#define WIDTH 3u
#define WIDTH_WIDE 12u

struct pending {
	uint64_t tokens[WIDTH_WIDE];
	uint32_t n;
};

static int open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = calloc(1, sizeof(struct pending));
	return *ret_state ? 0 : WEIR_FAILED;
}

static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct pending *pending = state;

	(void)item;
	crash_item(context, NULL);
	pending->tokens[pending->n++] = weir_defer(context);
	weir_watch(context, -1, 0, 1); /* due at once, but not before the turn has ended */
	return WEIR_PENDING;
}

/* Two a call. */
static int produce(struct weir_context *context, void *state)
{
	struct pending *pending = state;

	for (unsigned i = 0; i < 2 && pending->n; i++) {
		uint64_t token = pending->tokens[pending->n - 1];
		const struct weir_item *item;
		int r = weir_resume(context, token, &item);

		if (r == 0)
			r = crash_emit(context, 0, item->data, item->size_bytes);
		if (r == 0)
			r = weir_complete(context, token, WEIR_OK);
		if (r != 0)
			return r;
		pending->n--;
	}
	if (pending->n)
		weir_watch(context, -1, 0, 1);
	return WEIR_OK;
}

static const struct weir_stage slow = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "slow",
	.open = open,
	.process = process,
	.produce = produce,
};

static void three_behind(struct plan *plan)
{
	plan->stages[2].in_flight = WIDTH;
}

static void three_at_a_time(struct plan *plan)
{
	plan->stages[1].in_flight = WIDTH;
}

SCENARIO(in_flight) = {
	.name = "in_flight",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: slow, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &slow },
	.adapt = three_at_a_time,
	.victim = 1,
	.sleeps = 6,
	.items = 7,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};

static void twelve_at_a_time(struct plan *plan)
{
	plan->stages[1].in_flight = WIDTH_WIDE;
}

/* The next generation finds the newest done and the oldest not, and takes the rest an eighth as many at a time. */
SCENARIO(in_flight_attach) = {
	.name = "in_flight_attach",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: slow, exec: [cat], batch: 12}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &slow },
	.adapt = twelve_at_a_time,
	.victim = 1,
	.interludes = 3,
	.sleeps = 4,
	.items = 16,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, 15 }, { 2, UNTIL_ASLEEP } },
};

/* So many at a time that after a death fewer are taken. */
SCENARIO(in_flight_wide) = {
	.name = "in_flight_wide",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: slow, exec: [cat], batch: 12}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &slow },
	.adapt = twelve_at_a_time,
	.victim = 1,
	.sleeps = 1,
	.items = 12,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};

/* Asynchronous behind a forwarder: its items are references. */
SCENARIO(in_flight_reference) = {
	.name = "in_flight_reference",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: slow, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &crash_forwarder, [2] = &slow },
	.adapt = three_behind,
	.victim = 2,
	.interludes = 4,
	.items = 4,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.steps = { { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP } },
};
