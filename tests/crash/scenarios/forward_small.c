/* SPDX-License-Identifier: Apache-2.0 */
/* A forwarder of items that are too small to be referred to: they are copied. */
#include "tests/crash/scenario.h"

SCENARIO(forward_small) = {
	.name = "forward_small",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: on, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_forwarder, [2] = &crash_forwarder },
	.items = 3,
	.victim = 1,
	.steps = { { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
