/* SPDX-License-Identifier: Apache-2.0 */
/* An operator that emits a last item in finish(), and keeps no note of it: once it is committed, finish() is not called again. */
#include "tests/crash/scenario.h"

static int finish(struct weir_context *context, void *state)
{
	struct payload last = *payload_of(1, 0);

	(void)state;
	return crash_emit(context, 0, &last, payload_size(0));
}

static const struct weir_stage sums_up =
	CRASH_STAGE(WEIR_OPERATOR, .process = crash_operator_process, .finish = finish);

SCENARIO(finishes) = {
	.name = "finish",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat]}\n"
		"  - {name: to, sink: discard}\n",
	.stages = { [1] = &sums_up },
	.victim = 1,
	.items = 2,
	.steps = { { 2, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP } },
};
