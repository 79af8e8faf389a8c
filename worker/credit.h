/* SPDX-License-Identifier: Apache-2.0 */
/* How many items lie on a feedback edge: the producer's end. */
#pragma once

#include "worker/worker.h"

/* The records in [from, to) of one lane, as last counted. */
struct credit {
	uint64_t from, to;
	uint64_t *ends; /* of the records: ends[first & mask] is that of the first; owned */
	uint32_t first, n, mask;
};

/* At attach: counts what lies there. Nothing to do for an edge without credit. */
void credit_attach(struct output_edge *edge);
void credit_detach(struct output_edge *edge);

/* Items that may still be built before the reader takes some, at least; UINT32_MAX: no limit. 0 is exact. */
uint32_t credit_left(const struct output_edge *edge);
/* The same; it reads the reader's line only if less than n_wanted would be left without, and is exact then. Else it may be more. */
uint32_t credit_left_of(const struct output_edge *edge, uint32_t n_wanted);
/* True if so many could be built at once, nothing else lying there. */
static inline bool credit_possible(const struct output_edge *edge, uint32_t n)
{
	return !edge->credit || n <= edge->heritage->credit;
}
