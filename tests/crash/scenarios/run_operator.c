/* SPDX-License-Identifier: Apache-2.0 */
/* A stage with a loop of its own: receive, send, wait for items and for room. */
#include "tests/crash/scenario.h"

SCENARIO(run_operator) = {
	.name = "run_operator",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], batch: 2}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &crash_run_operator },
	.victim = 1,
	.items = 6,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 5 } },
};
