/* SPDX-License-Identifier: Apache-2.0 */
/* The second worker on an item that the first one died with: it takes that item alone, and it is killed again. */
#include "tests/crash/scenario.h"

SCENARIO(suspect) = {
	.name = "suspect",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: other, source: generate}\n"
		"  - {name: through, exec: [cat], from: [from, other]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &crash_source_second },
	.victim = 2,
	.items = 4,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, 2 } },
};
