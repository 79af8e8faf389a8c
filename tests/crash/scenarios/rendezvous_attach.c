/* SPDX-License-Identifier: Apache-2.0 */
/* The sender of a rendezvous takes its seat again: its last item is still with the reader. */
#include "tests/crash/scenario.h"

SCENARIO(rendezvous_attach) = {
	.name = "rendezvous_attach",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: to, sink: discard, capacity: 0}\n",
	.victim = 0,
	.items = 4,
	.sleeps = 3,
	.steps = { { 0, UNTIL_ASLEEP } },
};
