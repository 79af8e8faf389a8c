/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the worker that goes first at a reload keeps within the limits of its stage. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

struct canary_limits {
	uint64_t errors;     /* billionths of its items */
	uint64_t latency_ns; /* of an item, on average; 0: none */
};

/* Since it began. */
struct canary_sight {
	uint64_t items, errors;
	uint64_t working_ns; /* the time that it did not wait for input or for room */
};

/* Where one began. */
struct canary_base {
	uint64_t items, errors, waited_ns, at_ns;
	uint32_t generation;
};

enum canary_verdict { CANARY_WITHIN, CANARY_ERRORS, CANARY_SLOW };

/*
 * is_over: its time is. Before that it is outside only if it would be even if all went well until a fair number of items is done: 100
 * for errors, 20 for time.
 */
enum canary_verdict canary_verdict_of(const struct canary_limits *limits, const struct canary_sight *sight,
				      bool is_over);
/* Appends why, for people. */
void canary_explain(enum canary_verdict verdict, const struct canary_limits *limits, const struct canary_sight *sight,
		    struct text *text);
