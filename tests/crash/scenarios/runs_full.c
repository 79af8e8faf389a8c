/* SPDX-License-Identifier: Apache-2.0 */
/* An ordered worker finds no room for the end of a run, and then some. */
#include "tests/crash/scenario.h"

SCENARIO(runs_full) = {
	.name = "runs_full",
	.spec = CRASH_ORDERED_SPEC,
	.adapt = crash_runs_of_two,
	.ordered = true,
	.victim = 1,
	.items = 18,
	.item_bytes = 900,
	.interludes = 4,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
