/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a loop whose only output needs credit: it takes the short way as far as the credit surely reaches. */
#include "tests/crash/scenario.h"

#define SPEC                                                                      \
	"pipeline: walk\n"                                                        \
	"stages:\n"                                                               \
	"  - {name: from, source: generate}\n"                                    \
	"  - {name: head, from: [from, {stage: body, credit: 4}], exec: [cat]}\n" \
	"  - {name: body, from: head, exec: [cat]}\n"                             \
	"  - {name: to, from: head, sink: discard}\n"

/* What comes from outside goes round once, what comes back goes on. */
static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	int r;

	(void)state;
	crash_item(context, item);
	r = crash_emit(context, item->input == 0 ? 0 : 1, item->data, item->size_bytes);
	crash_item_over(context);
	return r;
}

static int flush(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

static const struct weir_stage durable = CRASH_STAGE(WEIR_OPERATOR, .process = crash_operator_process, .flush = flush);
static const struct weir_stage head = CRASH_STAGE(WEIR_OPERATOR, .process = process);

SCENARIO(loop_credit) = {
	.name = "loop_credit",
	.spec = SPEC,
	.stages = { [1] = &head },
	.items = 5,
	.timers = true,
	.victim = 2,
	.interludes = 2,
	.steps = { { 1, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP } },
};

/* With a flush() each item ends its turn. */
SCENARIO(loop_credit_flush) = {
	.name = "loop_credit_flush",
	.spec = SPEC,
	.stages = { [1] = &head, [2] = &durable },
	.items = 5,
	.timers = true,
	.victim = 2,
	.interludes = 2,
	.steps = { { 1, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP } },
};
