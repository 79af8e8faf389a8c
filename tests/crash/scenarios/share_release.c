/* SPDX-License-Identifier: Apache-2.0 */
/* A source that shares payloads while its readers take and free: its own room comes back when the last of them has. */
#include "tests/crash/scenario.h"

SCENARIO(share_release) = {
	.name = "share_release",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: left, sink: discard, from: from, batch: 1}\n"
		"  - {name: right, sink: discard, from: from, batch: 1}\n",
	.items = 6,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 0,
	.interludes = 6,
	.steps = { { 1, UNTIL_ASLEEP }, { 2, UNTIL_ASLEEP } },
};
