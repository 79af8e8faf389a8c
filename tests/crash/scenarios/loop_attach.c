/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a loop takes its seat again: what is on its way round counts. */
#include "tests/crash/scenario.h"

SCENARIO(loop_attach) = {
	.name = "loop_attach",
	.spec = CRASH_LOOP_SPEC,
	.stages = { [1] = &crash_loop_head, [2] = &crash_loop_body },
	.items = 3,
	.item_bytes = 1000,
	.timers = true,
	.victim = 1,
	.interludes = 3,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, 2 }, { 2, UNTIL_ASLEEP } },
};
