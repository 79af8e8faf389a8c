/* SPDX-License-Identifier: Apache-2.0 */
/* A source in front of three workers whose lanes are full, but for the little that one of them has taken. */
#include "tests/crash/scenario.h"

SCENARIO(fan_full) = {
	.name = "fan_full",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], workers: 3, batch: 1}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 0,
	.sleeps = 1,
	.items = 16,
	.item_bytes = 1000,
	.steps = { { 0, UNTIL_ASLEEP }, { 2, 3 } },
};
