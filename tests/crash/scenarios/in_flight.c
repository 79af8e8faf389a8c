/* SPDX-License-Identifier: Apache-2.0 */
/* Three items at a time, completed newest first: done-bits. */
#include <stdlib.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

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

	crash_item(context, NULL);
	crash_item_in_flight(context, item, !pending->n);
	pending->tokens[pending->n++] = weir_defer(context);
	weir_watch(context, -1, 0, 1); /* due at once, but not before the turn has ended */
	crash_item_over(context);
	return WEIR_PENDING;
}

/* Two a call. */
static int produce(struct weir_context *context, void *state)
{
	struct pending *pending = state;

	for (unsigned i = 0; i < 2 && pending->n; i++) {
		uint64_t token = pending->tokens[pending->n - 1];
		const struct weir_item *item;
		int r;

		crash_item(context, NULL);
		r = weir_resume(context, token, &item);

		if (r == 0) {
			crash_item_in_flight(context, item, pending->n == 1);
			r = crash_emit(context, 0, item->data, item->size_bytes);
			crash_item_over(context);
		}
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

static int leave_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;

	if (payload->number == 2)
		(void)weir_leave(context, WEIR_ALL_INPUTS);
	return process(context, state, item);
}

static const struct weir_stage leaver = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "leaver",
	.open = open,
	.process = leave_process,
	.produce = produce,
};

static int no_work(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

static const struct weir_stage async_head = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "async head",
	.open = open,
	.process = crash_head_process,
	.produce = no_work,
};

static const char *check_lost(const struct world *world)
{
	return cursor_current(&world->segments[2])->ledger[LEDGER_DELIVERED] !=
			       cursor_current(&world->segments[0])->ledger[LEDGER_ACCEPTED] ?
		       "what was sent before has not arrived" :
		       NULL;
}

static const char *check_left(const struct world *world)
{
	const uint64_t *ledger = cursor_current(&world->segments[1])->ledger;

	return ledger[LEDGER_UNWANTED] + cursor_current(&world->segments[2])->ledger[LEDGER_DELIVERED] !=
			       cursor_current(&world->segments[0])->ledger[LEDGER_ACCEPTED] ?
		       "an item neither arrived nor was unwanted" :
		       NULL;
}

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
	.interludes = 1,
	.sleeps = 1,
	.items = 14,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, 16 } },
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
	.items = 9,
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

/* The one item that was in hand is suspected: it comes first. */
SCENARIO(in_flight_suspect) = {
	.name = "in_flight_suspect",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: slow, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &slow },
	.adapt = three_at_a_time,
	.victim = 1,
	.sleeps = 1,
	.items = 3,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, 1 } },
};

static void no_second_attempt(struct plan *plan)
{
	plan->stages[1].in_flight = WIDTH;
	plan->stages[1].attempts = 1;
}

static const char *check_buried(const struct world *world)
{
	return cursor_current(&world->segments[2])->ledger[LEDGER_DELIVERED] +
				       cursor_current(&world->segments[1])->ledger[LEDGER_DEAD_LETTERED] !=
			       scenario_now->items ?
		       "an item neither arrived nor was given up" :
		       NULL;
}

/* ... and is given up, if that was once too often. */
SCENARIO(in_flight_give_up) = {
	.name = "in_flight_give_up",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: slow, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &slow },
	.adapt = no_second_attempt,
	.check_end = check_buried,
	.victim = 1,
	.sleeps = 1,
	.items = 3,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, 1 } },
};

/* Its producer was given up. */
SCENARIO(in_flight_lost) = {
	.name = "in_flight_lost",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: slow, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &slow },
	.adapt = three_at_a_time,
	.check_end = check_lost,
	.lost = 1,
	.endless = true,
	.victim = 1,
	.items = 8,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 4 } },
};

/* It has enough, and throws away what still comes. */
SCENARIO(in_flight_leave) = {
	.name = "in_flight_leave",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: slow, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &leaver },
	.adapt = three_at_a_time,
	.check_end = check_left,
	.victim = 1,
	.interludes = 2,
	.items = 20,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 4 } },
};

/* The head of a loop, asynchronous. */
SCENARIO(in_flight_loop) = {
	.name = "in_flight_loop",
	.spec = CRASH_LOOP_SPEC,
	.stages = { [1] = &async_head, [2] = &crash_loop_body },
	.adapt = three_at_a_time,
	.items = 2,
	.timers = true,
	.victim = 1,
	.interludes = 2,
	.steps = { { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
