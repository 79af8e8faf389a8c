/* SPDX-License-Identifier: Apache-2.0 */
/* A forwarder of two inputs takes its seat again: the barrier holds both, until all is freed. */
#include "tests/crash/scenario.h"

SCENARIO(forward_merge) = {
	.name = "forward_merge",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: one, source: generate}\n"
		"  - {name: two, source: generate}\n"
		"  - {name: through, exec: [cat], from: [one, two]}\n"
		"  - {name: on, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_source_second, [2] = &crash_forwarder, [3] = &crash_forwarder },
	.items = 3,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 2,
	.interludes = 4,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, 4 }, { 3, UNTIL_ASLEEP }, { 4, 2 } },
};

/* Only the second of its inputs is held. */
SCENARIO(forward_second) = {
	.name = "forward_second",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: one, source: generate}\n"
		"  - {name: two, source: generate}\n"
		"  - {name: through, exec: [cat], from: [one, two]}\n"
		"  - {name: on, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.stages = { [1] = &crash_source_second, [2] = &crash_forwarder, [3] = &crash_forwarder },
	.items = 3,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 2,
	.interludes = 3,
	.steps = { { 1, UNTIL_ASLEEP }, { 4, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP } },
};
