/* SPDX-License-Identifier: Apache-2.0 */
/* Every end that an item can have beside others in flight: at once, later, refused, put back, ended without another look. */
#include <stdlib.h>
#include <string.h>

#include "common/flow/commit.h"
#include "tests/crash/world.h"

struct pending {
	uint64_t tokens[4], numbers[4];
	uint32_t n;
	bool put_back;
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
	const struct payload *payload = item->data;

	crash_item(context, NULL);
	if (payload->number % 4 == 0)
		return crash_emit(context, 0, item->data, item->size_bytes);
	pending->numbers[pending->n] = payload->number;
	pending->tokens[pending->n++] = weir_defer(context);
	weir_watch(context, -1, 0, 1);
	return WEIR_PENDING;
}

static int end_one(struct weir_context *context, struct pending *pending, uint64_t token)
{
	const struct weir_item *item;
	const struct payload *payload;
	int r = weir_resume(context, token, &item);

	if (r != 0)
		return r;
	payload = item->data;
	if (payload->number % 4 == 1) {
		weir_reject(context, "1 mod 4");
		return weir_complete(context, token, WEIR_REJECTED);
	}
	if (payload->number % 4 == 2 && !pending->put_back) {
		pending->put_back = true; /* something else first */
		return WEIR_MORE;
	}
	pending->put_back = false;
	r = crash_emit(context, 0, item->data, item->size_bytes);
	return r ? r : weir_complete(context, token, WEIR_OK);
}

static int produce(struct weir_context *context, void *state)
{
	struct pending *pending = state;

	while (pending->n) {
		uint64_t token = pending->tokens[pending->n - 1];
		int r = pending->numbers[pending->n - 1] % 4 == 3 ? weir_complete(context, token, WEIR_OK) :
								    end_one(context, pending, token);

		if (r != 0)
			return r;
		pending->n--;
	}
	return WEIR_OK;
}

static const struct weir_stage mixed = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "mixed",
	.open = open,
	.process = process,
	.produce = produce,
};

static void four_at_a_time(struct plan *plan)
{
	plan->stages[1].in_flight = 4;
}

static const char *check_end(const struct world *world)
{
	const uint64_t *ledger = cursor_current(&world->segments[1])->ledger;
	struct crash_seen seen;

	memcpy(&seen, cursor_current(&world->segments[2])->stage, sizeof(seen));
	return ledger[LEDGER_REJECTED_IN] != 2 || seen.bits[0][0] != 0x155 ? "an item neither arrived nor was refused" :
									     NULL;
}

SCENARIO(in_flight_mixed) = {
	.name = "in_flight_mixed",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: slow, exec: [cat], batch: 3}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &mixed },
	.adapt = four_at_a_time,
	.check_end = check_end,
	.victim = 1,
	.interludes = 2,
	.items = 9,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 3 } },
};
