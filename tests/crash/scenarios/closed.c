/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing more is dealt to one of several readers, which lives: it takes what it has, and the others get what comes. */
#include "tests/crash/scenario.h"

static int produce(struct weir_context *context, void *state)
{
	int r = WEIR_OK;

	for (unsigned i = 0; i < 3 && r == WEIR_OK; i++)
		r = crash_source_produce(context, state);
	return r;
}

static const struct weir_stage source = CRASH_STAGE(WEIR_SOURCE, .produce = produce);

/* The producer takes its seat with a run open for that reader: it ends the run where it lies. */
SCENARIO(closed_run) = {
	.name = "closed_run",
	.spec = CRASH_ORDERED_SPEC,
	.stages = { [0] = &source },
	.adapt = crash_runs_of_two,
	.victim = 0,
	.closed = 2,
	.items = 12,
	.ordered = true,
	.interludes = 3,
	.steps = { { 3, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, 5 } },
};

/* References lie in that reader's lane, and hold room of the producer's own input. */
SCENARIO(closed_forward) = {
	.name = "closed_forward",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: on, exec: [cat], workers: 2, balance: round-robin, batch: 1}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_forwarder, [2] = &crash_forwarder },
	.items = 9,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 1,
	.closed = 2,
	.interludes = 3,
	.steps = { { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
