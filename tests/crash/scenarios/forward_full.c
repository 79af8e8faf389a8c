/* SPDX-License-Identifier: Apache-2.0 */
/* More references than there are pins for: the next items are copied, and later ones referred to again. */
#include "tests/crash/scenario.h"

SCENARIO(forward_full) = {
	.name = "forward_full",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: on, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_forwarder, [2] = &crash_forwarder },
	.items = 9,
	.item_bytes = 4200,
	.lane_bytes = 32768,
	.victim = 1,
	.interludes = 3,
	.steps = { { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
