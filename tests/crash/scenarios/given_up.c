/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that is killed once too often: it is retired, and the source moves what waits for it to its sibling. */
#include "tests/crash/scenario.h"

SCENARIO(given_up) = {
	.name = "given_up",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: through, exec: [cat], workers: 2, on_failure: degrade, batch: 1}\n"
		"  - {name: to, sink: discard}\n",
	.victim = 2,
	.given_up = true,
	.items = 9,
	.steps = { { 0, 8 } },
};
