/* SPDX-License-Identifier: Apache-2.0 */
/* One payload for two outputs: the second gets a reference into the lane of the first, which gets full. */
#include "tests/crash/scenario.h"

SCENARIO(share) = {
	.name = "share",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: left, sink: discard, from: from, batch: 1}\n"
		"  - {name: right, sink: discard, from: from, batch: 1}\n",
	.items = 8,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 0,
	.steps = { { 1, UNTIL_ASLEEP }, { 2, UNTIL_ASLEEP } },
};
