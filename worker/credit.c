/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credit of a feedback edge bounds how many items lie on it, of one producer over all its lanes. Nobody grants it: the producer
 * counts its own records, built ones at one end as they come, and at the other those that the reader's `done` has passed.
 *
 *      done             tail     built
 *   -----+----------------+--------+          n records in [from, to): each is looked at twice, once as it
 *       from                      to          comes, once as it goes, and only its size
 *
 * An item that is dropped takes its records back: then what is left is counted again. After an attach everything is.
 */
#include "worker/credit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"

/* Own records, so their sizes are believed; but not beyond `to`, for a stray pointer of the stage can have hit them. */
static uint32_t count(const struct lane_out *lane, uint64_t from, uint64_t to)
{
	uint32_t n = 0;

	while ((int64_t)(to - from) > 0) {
		struct item_header header;

		memcpy(&header, lane->data + (from & (lane->capacity_bytes - 1)), sizeof(header));
		from += item_record_size(header.size_bytes);
		n++;
	}
	return n;
}

/* What has come since. */
static void count_built(struct credit *credit, const struct lane_out *lane)
{
	if ((int64_t)(lane->built - credit->to) < 0) {
		credit->n = count(lane, credit->from, lane->built);
	} else {
		credit->n += count(lane, credit->to, lane->built);
	}
	credit->to = lane->built;
}

/* What has gone since: looks at the reader's line. */
static void count_done(struct credit *credit, const struct lane_out *lane)
{
	uint64_t done = load_acquire(&lane->peer->done); /* [L4] mate: commit_apply_these */

	if (done - credit->from > credit->to - credit->from)
		return; /* makes no sense: the lane will be found broken when its room is asked for */
	credit->n -= count(lane, credit->from, done);
	credit->from = done;
}

void credit_attach(struct output_edge *edge)
{
	if (!edge->heritage->credit)
		return;
	edge->credit = calloc(edge->n_lanes, sizeof(*edge->credit));
	must(edge->credit);
	for (uint32_t i = 0; i < edge->n_lanes; i++) {
		const struct lane_out *lane = &edge->lanes[i].lane;
		uint64_t done = load_acquire(&lane->peer->done); /* [L4] mate: commit_apply_these */

		edge->credit[i].from = edge->credit[i].to =
			lane->tail - done <= lane->capacity_bytes ? done : lane->tail;
	}
}

void credit_detach(struct output_edge *edge)
{
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
