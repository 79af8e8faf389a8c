/* SPDX-License-Identifier: Apache-2.0 */
/* The same with a lane that is full: it waits for room in the middle of a step. */
#include "tests/crash/scenario.h"

SCENARIO(run_full) = {
	.name = "run_full",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_run_operator },
	.victim = 1,
	.sleeps = 1,
	.items = 14,
	.item_bytes = 1000,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, 2 } },
};
