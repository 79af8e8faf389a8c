/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items by number modulo 3: without baggage, and the operator gives it some; of scope 5, and the operator goes on with it in
 * produce(); of scope 7, which is cancelled. What arrives belongs to what it should, what does not is counted.
 */
#include <string.h>
#include <weir/baggage.h>
#include <weir/scope.h>

#include "common/flow/commit.h"
#include "common/scope/cause.h"
#include "tests/crash/world.h"

enum { PLAIN = 0, OF_SCOPE = 1, OF_CANCELLED = 2, KINDS };
#define SCOPE 5u
#define CANCELLED 7u

struct carried {
	uint64_t next;    /* of the item that produce() goes on with: number + 1; 0: none */
	uint64_t n_taken; /* a torn copy of the cursor shows */
};

static int source_produce(struct weir_context *context, void *state)
{
	uint64_t number = *(uint64_t *)weir_cursor(context);

	if (number % KINDS != PLAIN && weir_scope_enter(context, number % KINDS == OF_SCOPE ? SCOPE : CANCELLED) != 0)
		crash_wrong("a source may not enter a scope");
	return crash_source_produce(context, state);
}

static int carry_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct carried *carried = weir_cursor(context);
	const struct payload *payload = item->data;
	int r;

	(void)state;
	crash_item(context, item);
	carried->n_taken++;
	if (payload->number % KINDS == OF_CANCELLED)
		crash_wrong("an item of a cancelled scope was started");
	if (payload->number % KINDS == OF_SCOPE) {
		carried->next = payload->number + 1;
		crash_item_over(context);
		return WEIR_MORE;
	}
	r = weir_baggage_set(context, "key", "value", 5);
	if (r == 0)
		r = crash_emit(context, 0, item->data, item->size_bytes);
	crash_item_over(context);
	return r;
}

static int carry_produce(struct weir_context *context, void *state)
{
	struct carried *carried = weir_cursor(context);
	int r;

	(void)state;
	if (!carried->next)
		return WEIR_OK;
	r = crash_emit(context, 0, payload_of(0, carried->next - 1), payload_size(carried->next - 1));
	if (r != 0)
		return r == WEIR_FULL ? WEIR_MORE : r;
	carried->next = 0;
	return WEIR_OK;
}

static int sink_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const struct payload *payload = item->data;
	bool of_scope = payload->number % KINDS == OF_SCOPE;
	const void *value;
	size_t n;

	if (weir_scope_id(context) != (of_scope ? SCOPE : 0))
		crash_wrong("an item has lost its scope, or got another's");
	if ((weir_baggage_get(context, "key", &value, &n) == 0) == of_scope)
		crash_wrong("an item has lost its baggage, or got another's");
	return crash_sink_process(context, state, item);
}

static const char *check_end(const struct world *world)
{
	const struct cursor *through = cursor_current(&world->segments[1]), *to = cursor_current(&world->segments[2]);
	struct crash_seen seen;
	uint64_t n_cancelled = 0;

	memcpy(&seen, to->stage, sizeof(seen));
	for (uint64_t number = 0; number < scenario_now->items; number++) {
		bool cancelled = number % KINDS == OF_CANCELLED;

		n_cancelled += cancelled;
		if ((seen.bits[0][number / 64] >> number % 64 & 1) == cancelled)
			return "an item is missing, or came though its scope is cancelled";
	}
	if (through->ledger[LEDGER_CANCELLED] != n_cancelled || through->cancelled_by[CAUSE_USER] != n_cancelled)
		return "cancelled items are not counted once, with their cause";
	return NULL;
}

static const struct weir_stage source = CRASH_STAGE(WEIR_SOURCE, .produce = source_produce);
static const struct weir_stage carry = CRASH_STAGE(WEIR_OPERATOR, .process = carry_process, .produce = carry_produce);
static const struct weir_stage sink = CRASH_STAGE(WEIR_SINK, .process = sink_process);

SCENARIO(baggage) = {
	.name = "baggage",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], batch: 4}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { &source, &carry, &sink },
	.victim = 1,
	.items = 7,
	.cancelled_scope = CANCELLED,
	.check_end = check_end,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 7 } },
};
