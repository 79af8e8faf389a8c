/* SPDX-License-Identifier: Apache-2.0 */
/* A reader takes its seat again with an item in the hold; the lane has been overwritten since. */
#include "tests/crash/scenario.h"

SCENARIO(hold_attach) = {
	.name = "hold_attach",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, full: drop-old}\n",
	.items = 12,
	.item_bytes = 1000,
	.check_end = crash_check_dropped,
	.victim = 1,
	.steps = { { 0, 3 }, { 1, 2 }, { 0, 7 } },
};
