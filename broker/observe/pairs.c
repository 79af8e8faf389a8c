/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/observe/pairs.h"

#include <stdlib.h>

#include "common/base/must.h"

struct search {
	const struct catalog *catalog;
	const struct pace_view *before, *after;
	uint64_t *n_looks[PACE_WAIT_COUNT]; /* by slot: at all lanes that it has waited at */
	struct pair *pairs;
	size_t n_pairs;
};

static uint32_t looks_at(const struct search *search, uint32_t lane, enum pace_wait wait)
{
	const struct pace_lane *before = &search->before->lanes[lane], *after = &search->after->lanes[lane];

	return wait == PACE_FOR_ROOM ? after->n_room - before->n_room : after->n_item - before->n_item;
}

static uint32_t waiter_at(const struct search *search, uint32_t lane, enum pace_wait wait)
{
	return wait == PACE_FOR_ROOM ? search->catalog->lanes[lane].producer : search->catalog->lanes[lane].consumer;
}

static uint64_t part(uint64_t before, uint64_t after, uint64_t n, uint64_t of)
{
	return after > before ? (uint64_t)((unsigned __int128)(after - before) * n / of) : 0;
}

static void add(struct search *search, uint32_t lane, enum pace_wait wait)
{
	uint32_t waiter = waiter_at(search, lane, wait), n = looks_at(search, lane, wait);
	const struct catalog_lane *of = &search->catalog->lanes[lane];
	const struct pace_worker *before = &search->before->workers[waiter], *after = &search->after->workers[waiter];
	uint64_t all = search->n_looks[wait][waiter];
	uint64_t waited_ns = n ? part(before->waited_ns[wait], after->waited_ns[wait], n, all) : 0;
	uint64_t n_waits = n ? part(before->n_waits[wait], after->n_waits[wait], n, all) : 0;

	if (!waited_ns)
		return;
	search->pairs[search->n_pairs++] = (struct pair){ .lane = lane,
							  .full = wait == PACE_FOR_ROOM,
							  .waiter = waiter,
							  .holder = wait == PACE_FOR_ROOM ? of->consumer : of->producer,
							  .waited_ns = waited_ns,
							  .n_waits = n_waits ? n_waits : 1 };
}

static int longer(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;

	if (a->waited_ns != b->waited_ns)
		return a->waited_ns > b->waited_ns ? -1 : 1;
	return a->lane != b->lane ? (a->lane < b->lane ? -1 : 1) : (int)b->full - (int)a->full;
}

size_t pairs_find(const struct catalog *catalog, const struct pace_view *before, const struct pace_view *after,
		  struct pair **ret_pairs)
{
	const struct catalog_head *head = catalog->head;
	struct search search = { .catalog = catalog, .before = before, .after = after };

	search.pairs = calloc(PACE_WAIT_COUNT * (head->n_lanes + 1ul), sizeof(*search.pairs));
	must(search.pairs);
	for (unsigned wait = 0; wait < PACE_WAIT_COUNT; wait++) {
		search.n_looks[wait] = calloc(head->n_slots + 1ul, sizeof(*search.n_looks[wait]));
		must(search.n_looks[wait]);
		for (uint32_t i = 0; i < head->n_lanes; i++)
			search.n_looks[wait][waiter_at(&search, i, wait)] += looks_at(&search, i, wait);
		for (uint32_t i = 0; i < head->n_lanes; i++)
			add(&search, i, wait);
		free(search.n_looks[wait]);
	}
	qsort(search.pairs, search.n_pairs, sizeof(*search.pairs), longer);
	*ret_pairs = search.pairs;
	return search.n_pairs;
}
