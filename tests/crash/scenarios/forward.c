/* SPDX-License-Identifier: Apache-2.0 */
/* A forwarder passes on what it was sent as a reference, and gives room back when its own references have been freed. */
#include "tests/crash/scenario.h"

SCENARIO(forward) = {
	.name = "forward",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: on, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_forwarder, [2] = &crash_forwarder },
	.items = 9,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 1,
	.steps = { { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
