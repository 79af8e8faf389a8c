/* SPDX-License-Identifier: Apache-2.0 */
/* A source deals out to three workers, the least loaded first; one of them is slow. */
#include "tests/crash/scenario.h"

SCENARIO(fan) = {
	.name = "fan",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate, batch: 2}\n"
		"  - {name: through, exec: [cat], workers: 3}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 0,
	.items = 9,
	.steps = { { 0, 4 }, { 2, UNTIL_ASLEEP }, { 4, UNTIL_ASLEEP } },
};
