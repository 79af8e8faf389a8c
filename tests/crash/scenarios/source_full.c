/* SPDX-License-Identifier: Apache-2.0 */
/* A source that finds its lane full, and sleeps for room. */
#include "tests/crash/scenario.h"

SCENARIO(source_full) = {
	.name = "source_full",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.victim = 0,
	.items = 8,
	.item_bytes = 1000,
	.sleeps = 1,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, 2 } },
};
