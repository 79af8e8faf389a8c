/* SPDX-License-Identifier: Apache-2.0 */
/* A source that cuts its stream into runs for two ordered workers. */
#include "tests/crash/scenario.h"

SCENARIO(runs_dealt) = {
	.name = "runs_dealt",
	.spec = CRASH_ORDERED_SPEC,
	.adapt = crash_runs_of_two,
	.victim = 0,
	.items = 7,
	.ordered = true,
	.steps = { { 3, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, 2 } },
};
