/* SPDX-License-Identifier: Apache-2.0 */
/* Every memory order that the programs meet, weakened: one row a mutant, and what has to become of it. */
#pragma once

#include "tests/explore/hooks.h"

struct mutant {
	const char *label, *unit, *function, *text;
	uint32_t kind, from, to; /* enum explore_kind, enum explore_order */
	const char *caught_by;   /* program; NULL: nothing can catch it ... */
	const char *because;     /* ... and why */
};

extern const struct mutant mutants[];
extern const unsigned n_mutants;
