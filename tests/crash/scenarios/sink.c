/* SPDX-License-Identifier: Apache-2.0 */
/* A sink with items in front of it; it gives room back to a source that sleeps for it. */
#include "tests/crash/scenario.h"

SCENARIO(sink) = {
	.name = "sink",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, batch: 3}\n",
	.victim = 1,
	.items = 8,
	.item_bytes = 500,
	.sleeps = 1,
	.position = UINT64_MAX - 4095,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, 2 } },
};
