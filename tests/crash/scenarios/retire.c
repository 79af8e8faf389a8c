/* SPDX-License-Identifier: Apache-2.0 */
/* A source takes its seat and finds one of three readers retired, with items in its lane: it moves them to the others, and lingers. */
#include "tests/crash/scenario.h"

SCENARIO(retire) = {
	.name = "retire",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], workers: 3, on_failure: degrade, batch: 1}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 0,
	.retired = 2,
	.items = 20,
	.interludes = 3,
	.steps = { { 0, 13 }, { 2, 2 }, { 1, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP } },
};
