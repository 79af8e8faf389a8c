/* SPDX-License-Identifier: Apache-2.0 */
/* A source gives up the oldest items of a lane that is full, while its reader sleeps or works. */
#include "tests/crash/scenario.h"

SCENARIO(drop_old) = {
	.name = "drop_old",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, full: drop-old}\n",
	.items = 12,
	.item_bytes = 1000,
	.check_end = crash_check_dropped,
	.victim = 0,
	.position = (UINT64_C(1) << 32) - 1024,
	.steps = { { 1, UNTIL_ASLEEP } },
};
