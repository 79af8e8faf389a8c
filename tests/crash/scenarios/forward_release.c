/* SPDX-License-Identifier: Apache-2.0 */
/* A forwarder at work while those behind it take and free: pins end, room goes back, the last one is waited for. */
#include "tests/crash/scenario.h"

SCENARIO(forward_release) = {
	.name = "forward_release",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: on, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_forwarder, [2] = &crash_forwarder },
	.items = 6,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 1,
	.interludes = 8,
	.steps = { { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
