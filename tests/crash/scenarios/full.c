/* SPDX-License-Identifier: Apache-2.0 */
/* An operator whose output is nearly full: it commits what is complete and waits for room inside of process(). Past 2^32. */
#include "tests/crash/scenario.h"

SCENARIO(full) = {
	.name = "full",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard, batch: 1}\n",
	.victim = 1,
	.sleeps = 1,
	.items = 14,
	.item_bytes = 1000,
	.position = (UINT64_C(1) << 32) - 56,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, 2 } },
};
