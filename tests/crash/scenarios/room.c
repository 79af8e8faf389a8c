/* SPDX-License-Identifier: Apache-2.0 */
/* A sink takes all that lies in the lane, one item, in one turn; its source sleeps for the room, and nothing else brings it back. */
#include "tests/crash/scenario.h"

SCENARIO(room) = {
	.name = "room",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 1,
	.sleeps = 1,
	.items = 5,
	.item_bytes = 2040,
	.steps = { { 0, UNTIL_ASLEEP } },
};
