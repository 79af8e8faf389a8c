/* SPDX-License-Identifier: Apache-2.0 */
/* The stage behind two ordered workers: it takes run after run. */
#include "tests/crash/scenario.h"

SCENARIO(runs_merged) = {
	.name = "runs_merged",
	.spec = CRASH_ORDERED_SPEC,
	.adapt = crash_runs_of_two,
	.victim = 3,
	.items = 7,
	.ordered = true,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, 3 } },
};
