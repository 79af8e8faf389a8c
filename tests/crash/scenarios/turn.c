/* SPDX-License-Identifier: Apache-2.0 */
/* An operator between a source that has given four items and a sink that sleeps: attach, turns of two items, sleep. Past 2^31. */
#include "tests/crash/scenario.h"

SCENARIO(turn) = {
	.name = "turn",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], batch: 2}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 1,
	.items = 6,
	.position = (UINT64_C(1) << 31) - 56,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, 5 } },
};
