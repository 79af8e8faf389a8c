/* SPDX-License-Identifier: Apache-2.0 */
/* An operator with two outputs, both nearly full: the items before one that has to wait are committed. */
#include "tests/crash/scenario.h"

SCENARIO(full_pair) = {
	.name = "full_pair",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: both, exec: [cat], batch: 8}\n"
		"  - {name: left, sink: discard, from: both, batch: 1}\n"
		"  - {name: right, sink: discard, from: both, batch: 1}\n",
	.victim = 1,
	.sleeps = 1,
	.items = 140,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 0, UNTIL_ASLEEP }, { 2, 4 }, { 3, 6 } },
};
