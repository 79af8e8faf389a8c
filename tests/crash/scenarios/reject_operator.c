/* SPDX-License-Identifier: Apache-2.0 */
/* Operators in front of a lane that is full: what does not fit becomes a dead letter. With and without a flush(). */
#include "common/flow/commit.h"
#include "tests/crash/world.h"

static int flush(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

static const struct weir_stage durable = CRASH_STAGE(WEIR_OPERATOR, .process = crash_operator_process, .flush = flush);

static const char *check_end(const struct world *world)
{
	return cursor_current(&world->segments[2])->ledger[LEDGER_DELIVERED] +
				       cursor_current(&world->segments[1])->ledger[LEDGER_REFUSED] !=
			       scenario_now->items ?
		       "an item neither arrived nor was refused" :
		       NULL;
}

#define SPEC                                           \
	"pipeline: walk\n"                             \
	"stages:\n"                                    \
	"  - {name: from, source: generate}\n"         \
	"  - {name: through, exec: [cat], batch: 4}\n" \
	"  - {name: to, sink: discard, full: reject, batch: 1}\n"

SCENARIO(reject_operator) = {
	.name = "reject_operator",
	.spec = SPEC,
	.items = 24,
	.item_bytes = 240,
	.check_end = check_end,
	.victim = 1,
	.interludes = 2,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, 2 } },
};

SCENARIO(reject_flush) = {
	.name = "reject_flush",
	.spec = SPEC,
	.stages = { [1] = &durable },
	.items = 24,
	.item_bytes = 240,
	.check_end = check_end,
	.victim = 1,
	.interludes = 2,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, 2 } },
};
