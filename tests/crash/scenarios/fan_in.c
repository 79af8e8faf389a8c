/* SPDX-License-Identifier: Apache-2.0 */
/* A sink that takes fairly from three workers. */
#include "tests/crash/scenario.h"

SCENARIO(fan_in) = {
	.name = "fan_in",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate, batch: 2}\n"
		"  - {name: through, exec: [cat], workers: 3}\n"
		"  - {name: to, sink: discard, batch: 2}\n",
	.victim = 4,
	.items = 9,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, UNTIL_ASLEEP } },
};
