/* SPDX-License-Identifier: Apache-2.0 */
/* A reader takes into its hold what may be overwritten at any time, and counts what was. */
#include "tests/crash/scenario.h"

SCENARIO(hold) = {
	.name = "hold",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, full: drop-old}\n",
	.items = 12,
	.item_bytes = 1000,
	.check_end = crash_check_dropped,
	.victim = 1,
	.steps = { { 0, 8 } },
};

/* Several to a turn, if it were not that each is committed before the next is looked at. */
SCENARIO(hold_small) = {
	.name = "hold_small",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, full: drop-old}\n",
	.items = 5,
	.item_bytes = 100,
	.check_end = crash_check_dropped,
	.victim = 1,
	.steps = { { 0, 5 } },
};
