/* SPDX-License-Identifier: Apache-2.0 */
/* The sender of a rendezvous takes its seat again: its last item is still with the reader. */
#include "tests/crash/scenario.h"

SCENARIO(rendezvous_attach) = {
	.name = "rendezvous_attach",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, capacity: 0}\n",
	.victim = 0,
	.items = 4,
	.sleeps = 3,
	.steps = { { 0, UNTIL_ASLEEP } },
};

/* As many as it may at once: that is one. */
static int produce(struct weir_context *context, void *state)
{
	uint64_t *cursor = weir_cursor(context);
	int r = 0;

	(void)state;
	while (r == 0 && *cursor < scenario_now->items) {
		crash_item(context, NULL);
		r = crash_emit(context, 0, payload_of(0, *cursor), payload_size(*cursor));
		if (r == 0)
			++*cursor;
	}
	return r == 0 ? WEIR_CLOSED : r == WEIR_FULL ? WEIR_MORE : r;
}

static const struct weir_stage greedy = CRASH_STAGE(WEIR_SOURCE, .produce = produce);

SCENARIO(rendezvous_greedy) = {
	.name = "rendezvous_greedy",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, capacity: 0}\n",
	.stages = { [0] = &greedy },
	.victim = 0,
	.items = 3,
	.interludes = 2,
	.steps = { { 1, UNTIL_ASLEEP } },
};
