/* SPDX-License-Identifier: Apache-2.0 */
/* An ordered worker: it passes items and run ends on. */
#include "tests/crash/scenario.h"

SCENARIO(runs_kept) = {
	.name = "runs_kept",
	.spec = CRASH_ORDERED_SPEC,
	.adapt = crash_runs_of_two,
	.victim = 1,
	.items = 7,
	.ordered = true,
	.steps = { { 3, UNTIL_ASLEEP }, { 0, 6 } },
};
