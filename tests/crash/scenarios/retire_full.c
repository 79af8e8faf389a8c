/* SPDX-License-Identifier: Apache-2.0 */
/* The same, but the lanes of the others are full: what lies in the retired one is moved as room comes. */
#include "tests/crash/scenario.h"

SCENARIO(retire_full) = {
	.name = "retire_full",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], workers: 2, on_failure: degrade, batch: 1}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 0,
	.retired = 2,
	.items = 10,
	.item_bytes = 1000,
	.sleeps = 2,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, 2 } },
};
