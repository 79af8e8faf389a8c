/* SPDX-License-Identifier: Apache-2.0 */
/* A source that deals by a key: items without one go to one worker, and are counted. Built in place: the key is in the bytes. */
#include "tests/crash/scenario.h"

SCENARIO(keyed) = {
	.name = "keyed",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, workers: 2, balance: \"key(bytes(8, 8))\"}\n",
	.stages = { [0] = &crash_builder },
	.victim = 0,
	.items = 6,
	.steps = { { 1, UNTIL_ASLEEP } },
};
