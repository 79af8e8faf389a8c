/* SPDX-License-Identifier: Apache-2.0 */
/* A sink whose source was given up: what is there is taken, and then it fails. */
#include "common/flow/commit.h"
#include "tests/crash/world.h"

static const char *check_end(const struct world *world)
{
	return cursor_current(&world->segments[1])->ledger[LEDGER_DELIVERED] !=
			       cursor_current(&world->segments[0])->ledger[LEDGER_ACCEPTED] ?
		       "what was sent before has not arrived" :
		       NULL;
}

SCENARIO(lost) = {
	.name = "lost",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, batch: 3}\n",
	.lost = 1,
	.check_end = check_end,
	.victim = 1,
	.items = 30,
	.steps = { { 0, 20 } },
};
