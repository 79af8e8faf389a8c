/* SPDX-License-Identifier: Apache-2.0 */
/* An operator that goes on only when its reader has committed. */
#include "tests/crash/scenario.h"

SCENARIO(rendezvous) = {
	.name = "rendezvous",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard, capacity: 0}\n",
	.victim = 1,
	.items = 4,
	.interludes = 3,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
