/* SPDX-License-Identifier: Apache-2.0 */
/* An operator with a last turn of items, after which nothing comes: whoever dies before it rings leaves a sleeper. */
#include "tests/crash/scenario.h"

SCENARIO(idle) = {
	.name = "idle",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 1,
	.sleeps = 1,
	.items = 2,
	.endless = true,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
