/* SPDX-License-Identifier: Apache-2.0 */
/* All runs have come, and the end: the stage behind two ordered workers takes them in their order and ends. */
#include "tests/crash/scenario.h"

SCENARIO(runs_merged_end) = {
	.name = "runs_merged_end",
	.spec = CRASH_ORDERED_SPEC,
	.adapt = crash_runs_of_two,
	.victim = 3,
	.items = 5,
	.ordered = true,
	.steps = { { 0, UNTIL_ASLEEP }, { 2, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP } },
};
