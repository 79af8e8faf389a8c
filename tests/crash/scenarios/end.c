/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the stream passes an operator: its inputs are closed, it commits, and closes. Past 2^64. */
#include "tests/crash/scenario.h"

SCENARIO(end) = {
	.name = "end",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 1,
	.items = 3,
	.position = UINT64_MAX - 71,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
