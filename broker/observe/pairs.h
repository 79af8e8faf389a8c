/* SPDX-License-Identifier: Apache-2.0 */
/* Who has held which lane full or empty, for whom, and for how long. Pure. */
#pragma once

#include "broker/observe/pace.h"

struct pair {
	uint32_t lane;
	bool full;               /* its producer has waited for room; else its consumer for an item */
	uint32_t waiter, holder; /* slots */
	uint64_t waited_ns;
	uint64_t n_waits; /* sleeps, at least 1 */
};

/*
 * All pairs of two views, who has waited longest first: *ret_pairs is the caller's to free. Returns how many. How long each has waited is
 * counted; which lanes that was at is what the looks between the views have found. Who waits for any of several lanes waits for each of
 * them for a part.
 */
size_t pairs_find(const struct catalog *catalog, const struct pace_view *before, const struct pace_view *after,
		  struct pair **ret_pairs);
