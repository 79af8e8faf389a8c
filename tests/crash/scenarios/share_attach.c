/* SPDX-License-Identifier: Apache-2.0 */
/* A source takes its seat again while one reader has freed what the other still refers to. */
#include "tests/crash/scenario.h"

SCENARIO(share_attach) = {
	.name = "share_attach",
	.spec = "pipeline: walk\n"
		"stages:\n"
		"  - {name: from, source: generate}\n"
		"  - {name: left, sink: discard, from: from, batch: 1}\n"
		"  - {name: right, sink: discard, from: from, batch: 1}\n",
	.items = 8,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 0,
	.sleeps = 1,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, 2 } },
};

#define THREE                                                       \
	"pipeline: walk\n"                                          \
	"stages:\n"                                                 \
	"  - {name: from, source: generate}\n"                      \
	"  - {name: left, sink: discard, from: from, batch: 1}\n"   \
	"  - {name: middle, sink: discard, from: from, batch: 1}\n" \
	"  - {name: right, sink: discard, from: from, batch: 1}\n"

/* Three readers, each elsewhere: the oldest item that anyone refers to counts. */
SCENARIO(share_attach_three) = {
	.name = "share_attach_three",
	.spec = THREE,
	.items = 5,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 0,
	.interludes = 2,
	.steps = { { 0, UNTIL_ASLEEP }, { 1, UNTIL_ASLEEP }, { 2, 3 }, { 3, 2 } },
};

SCENARIO(share_three) = {
	.name = "share_three",
	.spec = THREE,
	.items = 2,
	.item_bytes = 4200,
	.lane_bytes = 16384,
	.victim = 0,
	.interludes = 2,
	.steps = { { 1, UNTIL_ASLEEP }, { 2, UNTIL_ASLEEP }, { 3, UNTIL_ASLEEP } },
};
