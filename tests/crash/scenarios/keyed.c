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

/* The lanes of both keys are full: it waits, not knowing yet which one it needs. */
SCENARIO(keyed_wait) = {
	.name = "keyed_wait",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, workers: 2, balance: \"key(bytes(8, 8))\", batch: 1}\n",
	.stages = { [0] = &crash_builder },
	.victim = 0,
	.items = 12,
	.item_bytes = 1000,
	.interludes = 2,
	.steps = { { 1, UNTIL_ASLEEP }, { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
