/* SPDX-License-Identifier: Apache-2.0 */
/* The second forwarder in a row: what it passes on came as a reference. Past 2^32. */
#include "tests/crash/scenario.h"

SCENARIO(forward_on) = {
	.name = "forward_on",
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
	.victim = 2,
	.position = (UINT64_C(1) << 32) - 4224,
	.steps = { { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP } },
};
