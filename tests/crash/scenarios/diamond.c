/* SPDX-License-Identifier: Apache-2.0 */
/* An operator with two inputs and two outputs: each commit moves two tails, the cursor and two dones. */
#include "tests/crash/scenario.h"

SCENARIO(diamond) = {
	.name = "diamond",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: other, source: generate}\n"
		"  - {name: both, exec: [cat], from: [from, other], batch: 3}\n"
		"  - {name: left, sink: discard, from: both}\n"
		"  - {name: right, sink: discard, from: both}\n",
	.stages = { [1] = &crash_source_second },
	.victim = 2,
	.items = 3,
	.steps = { { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, 3 } },
};
