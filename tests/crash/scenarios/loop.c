/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a loop, which lets in no more than fits, and finds out when nothing is in it any more. */
#include "tests/crash/scenario.h"

static int flush(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

static const struct weir_stage durable = CRASH_STAGE(WEIR_OPERATOR, .process = crash_loop_process, .flush = flush);

SCENARIO(loop) = {
	.name = "loop",
	.spec = CRASH_LOOP_SPEC,
	.stages = { [1] = &crash_loop_head, [2] = &crash_loop_body },
	.items = 3,
	.item_bytes = 1000,
	.timers = true,
	.victim = 1,
	.interludes = 4,
	.steps = { { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};

/* The body, which needs credit, with a flush(): its turns end before the credit does. */
SCENARIO(loop_flush) = {
	.name = "loop_flush",
	.spec = CRASH_LOOP_SPEC,
	.stages = { [1] = &crash_loop_head, [2] = &durable },
	.items = 4,
	.timers = true,
	.victim = 2,
	.interludes = 3,
	.steps = { { 1, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP } },
};
