/* SPDX-License-Identifier: Apache-2.0 */
/* A rendezvous in front of a forwarder: the sender waits for what is done, though its room is still held. */
#include "tests/crash/scenario.h"

SCENARIO(forward_rendezvous) = {
	.name = "forward_rendezvous",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], capacity: 0}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &crash_forwarder },
	.items = 3,
	.item_bytes = 4200,
	.lane_bytes = 32768,
	.victim = 1,
	.interludes = 4,
	.steps = { { 0, UNTIL_ASLEEP } },
};
