/* SPDX-License-Identifier: Apache-2.0 */
/* The second worker on an item that the first one died with: it takes that item alone, and it is killed again. */
#include <stdlib.h>

#include "tests/crash/scenario.h"

/* Of which inputs it has had items. */
static int open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = calloc(1, sizeof(uint32_t));
	return *ret_state ? 0 : WEIR_FAILED;
}

/* What comes before it in its own lane can't be left out. */
static int process(struct weir_context *context, void *state, const struct weir_item *item)
{
	uint32_t *inputs = state;

	*inputs |= 1u << item->input;
	if (item->attempt && *inputs != 1u << item->input)
		crash_wrong("the suspect does not come before what the other input has");
	return crash_operator_process(context, state, item);
}

static const struct weir_stage careful = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX,
	.name = "careful",
	.open = open,
	.process = process,
};

SCENARIO(suspect) = {
	.name = "suspect",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: other, source: generate}\n"
		"  - {name: through, exec: [cat], from: [from, other]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &crash_source_second, [2] = &careful },
	.victim = 2,
	.items = 4,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, 2 } },
};
