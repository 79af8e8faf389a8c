/* SPDX-License-Identifier: Apache-2.0 */
/* Items without the field that is their key: they go to one worker, and are counted. */
#include "tests/crash/scenario.h"

SCENARIO(unkeyed) = {
	.name = "unkeyed",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, workers: 2, balance: \"key(bytes(4000, 8))\"}\n",
	.victim = 0,
	.items = 3,
	.steps = { { 1, UNTIL_ASLEEP } },
};
