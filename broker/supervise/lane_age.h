/* SPDX-License-Identifier: Apache-2.0 */
/* How long the oldest item of a lane has waited there, from looks at its two positions. Pure: the clock is handed in. */
#pragma once

#include <stdint.h>

#define LANE_AGE_MARKS 8u

/* Where the lane's tail stood when: what lies before it is as old as that, or older. All zero: nothing was seen yet. */
struct lane_mark {
	uint64_t position, seen_ns;
};
struct lane_age {
	struct lane_mark marks[LANE_AGE_MARKS]; /* the oldest first; none at or before `done` */
	uint32_t n;
};

/*
 * Takes a look into account. Returns for how long the item at `done` has lain there: so long at least, by what was seen; 0: the lane is
 * empty, or what lies there is new.
 */
uint64_t lane_age_look(struct lane_age *age, uint64_t tail, uint64_t done, uint64_t now_ns);
