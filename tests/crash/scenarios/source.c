/* SPDX-License-Identifier: Apache-2.0 */
/* A source from its first item to its end, in front of a sink that sleeps. Past 2^63. */
#include "tests/crash/scenario.h"

SCENARIO(source) = {
	.name = "source",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 0,
	.items = 3,
	.position = (UINT64_C(1) << 63) - 56,
	.steps = { { 1, UNTIL_ASLEEP } },
};
