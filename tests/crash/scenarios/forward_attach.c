/* SPDX-License-Identifier: Apache-2.0 */
/* A forwarder takes its seat again while references of the one before are not freed: the barrier. */
#include "tests/crash/scenario.h"

SCENARIO(forward_attach) = {
	.name = "forward_attach",
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
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, 2 }, { 0, UNTIL_ASLEEP } },
};
