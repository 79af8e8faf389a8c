/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credit of a feedback edge bounds how many items lie on it, of one producer over all its lanes. Nobody grants it: the producer
 * counts its own records, built ones at one end as they come, and at the other those that the reader's `done` has passed.
 *
 *      done             tail     built
 *   -----+----------------+--------+          n records in [from, to), where each ends is noted in private memory: the
 *       from                      to          reader's processor has the records themselves, and to look at them again is slow
 *
 * An item that is dropped takes its records back. After an attach what lies there is counted again.
 */
#include "worker/credit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"

static uint64_t *last_end(struct credit *credit)
{
	return &credit->ends[(credit->first + credit->n - 1) & credit->mask];
}

/* More than there is room for can't come, unless a stray pointer has hit the records' sizes: then the last ones count as one. */
static void note(struct credit *credit, uint64_t end)
{
	credit->n += credit->n <= credit->mask;
	*last_end(credit) = end;
	credit->to = end;
}

/* What has come since, or gone again. Own records, so their sizes are believed; but not beyond `built`. */
static void count_built(struct credit *credit, const struct lane_out *lane)
{
	while (credit->n && (int64_t)(*last_end(credit) - lane->built) > 0)
		credit->n--;
	if ((int64_t)(lane->built - credit->to) < 0)
		credit->to = lane->built;
	while (credit->to != lane->built) {
		uint64_t left = lane->built - credit->to, size_bytes;
		struct item_header header;

		memcpy(&header, lane->data + (credit->to & (lane->capacity_bytes - 1)), sizeof(header));
		size_bytes = item_record_size(header.size_bytes);
		note(credit, credit->to + (size_bytes < left ? size_bytes : left));
	}
}

/* What has gone since: looks at the reader's line. */
static void count_done(struct credit *credit, const struct lane_out *lane)
{
	uint64_t done = load_acquire(&lane->peer->done); /* [L4] mate: commit_store */

	if (done - credit->from > credit->to - credit->from)
		return; /* makes no sense: the lane will be found broken when its room is asked for */
	while (credit->n && (int64_t)(credit->ends[credit->first & credit->mask] - done) <= 0) {
		credit->first++;
		credit->n--;
	}
	credit->from = done;
}

/* As many as may lie in a lane, a power of two. */
static uint32_t records_max(const struct output_edge *edge, const struct lane_out *lane)
{
	uint32_t n = 1;

	while (n < edge->heritage->credit && n < lane->capacity_bytes / sizeof(struct item_header))
		n *= 2;
	return n;
}

void credit_attach(struct output_edge *edge)
{
	if (!edge->heritage->credit)
		return;
	edge->credit = calloc(edge->n_lanes, sizeof(*edge->credit));
	must(edge->credit);
	for (uint32_t i = 0; i < edge->n_lanes; i++) {
		const struct lane_out *lane = &edge->lanes[i].lane;
		uint64_t done = load_acquire(&lane->peer->done); /* [L4] mate: commit_store */
		struct credit *credit = &edge->credit[i];
		uint32_t n_ends = records_max(edge, lane);

		credit->from = credit->to = lane->tail - done <= lane->capacity_bytes ? done : lane->tail;
		credit->ends = calloc(n_ends, sizeof(*credit->ends));
		must(credit->ends);
		credit->mask = n_ends - 1;
	}
}

void credit_detach(struct output_edge *edge)
{
	for (uint32_t i = 0; edge->credit && i < edge->heritage->n_lanes; i++)
		free(edge->credit[i].ends);
	free(edge->credit);
	edge->credit = NULL;
}

static uint32_t credit_used(const struct output_edge *edge, bool look)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < edge->n_lanes; i++) {
		count_built(&edge->credit[i], &edge->lanes[i].lane);
		if (look)
			count_done(&edge->credit[i], &edge->lanes[i].lane);
		n += edge->credit[i].n;
	}
	return n;
}

uint32_t credit_left_of(const struct output_edge *edge, uint32_t n_wanted)
{
	uint32_t n;

	if (!edge->credit)
		return UINT32_MAX;
	/* The reader's line is worth a look only when the items that are known of leave too little. */
	n = credit_used(edge, false);
	if (n + n_wanted > edge->heritage->credit)
		n = credit_used(edge, true);
	return n < edge->heritage->credit ? edge->heritage->credit - n : 0;
}

uint32_t credit_left(const struct output_edge *edge)
{
	return credit_left_of(edge, 1);
}
