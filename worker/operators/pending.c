/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots that never move, found in two ways:
 *
 *      buckets[hash]  ->  slot -> slot        by mark
 *      heap[0]        ->  slot                by time: a binary heap of slot numbers; each slot knows its place in it
 *      first_free     ->  slot -> slot
 */
#include "worker/operators/pending.h"

#include <errno.h>
#include <stdlib.h>

#include "common/base/error.h"

#define N_LIMIT (UINT32_C(1) << 24)

static uint32_t buckets_for(uint32_t n_max)
{
	uint32_t n = 16;

	while (n < n_max)
		n *= 2;
	return n;
}

/* Those from `from` on are free, before any other. */
static void free_from(struct pending *pending, uint32_t from)
{
	for (uint32_t i = from; i < pending->n_max; i++)
		pending->slots[i].next = i + 1 < pending->n_max ? i + 1 : pending->first_free;
	pending->first_free = from;
}

int pending_init(struct pending *pending, uint32_t n_max)
{
	*pending = (struct pending){
		.n_max = n_max, .n_limit = N_LIMIT, .n_buckets = buckets_for(n_max), .first_free = PENDING_NONE
	};
	pending->slots = calloc(n_max, sizeof(*pending->slots));
	pending->heap = calloc(n_max, sizeof(*pending->heap));
	pending->buckets = calloc(pending->n_buckets, sizeof(*pending->buckets));
	if (!pending->slots || !pending->heap || !pending->buckets)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < pending->n_buckets; i++)
		pending->buckets[i] = PENDING_NONE;
	free_from(pending, 0);
	return 0;
}

void pending_deinit(struct pending *pending)
{
	free(pending->slots);
	free(pending->heap);
	free(pending->buckets);
	*pending = (struct pending){ 0 };
}

static uint32_t *bucket_of(const struct pending *pending, const struct mark *mark)
{
	uint64_t hash = (mark->number ^ (uint64_t)mark->worker << 48) * UINT64_C(0x9e3779b97f4a7c15);

	return &pending->buckets[(hash >> 32) & (pending->n_buckets - 1)];
}

uint32_t pending_find(const struct pending *pending, const struct mark *mark)
{
	uint32_t number = *bucket_of(pending, mark);

	while (number != PENDING_NONE && !mark_is(&pending->slots[number].mark, mark))
		number = pending->slots[number].next;
	return number;
}

/* ---- the heap ---- */

static void put(struct pending *pending, uint32_t place, uint32_t number)
{
	pending->heap[place] = number;
	pending->slots[number].place = place;
}

static uint64_t due_at(const struct pending *pending, uint32_t place)
{
	return pending->slots[pending->heap[place]].due_ns;
}

static void rise(struct pending *pending, uint32_t place)
{
	uint32_t number = pending->heap[place];
	uint64_t due_ns = pending->slots[number].due_ns;

	for (; place && due_ns < due_at(pending, (place - 1) / 2); place = (place - 1) / 2)
		put(pending, place, pending->heap[(place - 1) / 2]);
	put(pending, place, number);
}

static void sink(struct pending *pending, uint32_t place)
{
	uint32_t number = pending->heap[place], child;
	uint64_t due_ns = pending->slots[number].due_ns;

	for (; (child = 2 * place + 1) < pending->n; place = child) {
		if (child + 1 < pending->n && due_at(pending, child + 1) < due_at(pending, child))
			child++;
		if (due_ns <= due_at(pending, child))
			break;
		put(pending, place, pending->heap[child]);
	}
	put(pending, place, number);
}

/* ---- changes ---- */

static void put_into_buckets(struct pending *pending, uint32_t *buckets, uint32_t n_buckets)
{
	free(pending->buckets);
	pending->buckets = buckets;
	pending->n_buckets = n_buckets;
	for (uint32_t i = 0; i < n_buckets; i++)
		buckets[i] = PENDING_NONE;
	for (uint32_t i = 0; i < pending->n; i++) {
		uint32_t number = pending->heap[i], *bucket = bucket_of(pending, &pending->slots[number].mark);

		pending->slots[number].next = *bucket;
		*bucket = number;
	}
}

uint32_t pending_grown(const struct pending *pending)
{
	return pending->n_max < pending->n_limit / 2 ? 2 * pending->n_max : pending->n_limit;
}

int pending_grow(struct pending *pending)
{
	uint32_t n_before = pending->n_max, n_max = pending_grown(pending), n_buckets = buckets_for(n_max);
	struct pending_slot *slots;
	uint32_t *heap, *buckets;

	if (n_before >= pending->n_limit)
		return error_origin(-E2BIG);
	slots = reallocarray(pending->slots, n_max, sizeof(*slots));
	pending->slots = slots ? slots : pending->slots;
	heap = reallocarray(pending->heap, n_max, sizeof(*heap));
	pending->heap = heap ? heap : pending->heap;
	buckets = slots && heap ? calloc(n_buckets, sizeof(*buckets)) : NULL;
	if (!buckets)
		return error_origin(-ENOMEM);
	put_into_buckets(pending, buckets, n_buckets);
	pending->n_max = n_max;
	free_from(pending, n_before);
	return 0;
}

uint32_t pending_add(struct pending *pending, const struct mark *mark, uint64_t due_ns)
{
	uint32_t number = pending->first_free, *bucket = bucket_of(pending, mark);

	if (pending_is_full(pending))
		return PENDING_NONE;
	pending->first_free = pending->slots[number].next;
	pending->slots[number] = (struct pending_slot){ .mark = *mark, .due_ns = due_ns, .next = *bucket };
	*bucket = number;
	put(pending, pending->n++, number);
	rise(pending, pending->n - 1);
	return number;
}

void pending_remove(struct pending *pending, uint32_t number)
{
	uint32_t *link = bucket_of(pending, &pending->slots[number].mark), place = pending->slots[number].place;

	while (*link != number)
		link = &pending->slots[*link].next;
	*link = pending->slots[number].next;
	pending->slots[number].next = pending->first_free;
	pending->first_free = number;
	if (place != --pending->n) {
		put(pending, place, pending->heap[pending->n]);
		rise(pending, place);
		sink(pending, pending->slots[pending->heap[place]].place);
	}
}

void pending_move(struct pending *pending, uint32_t number, uint64_t due_ns)
{
	pending->slots[number].due_ns = due_ns;
	rise(pending, pending->slots[number].place);
	sink(pending, pending->slots[number].place);
}

uint32_t pending_first(const struct pending *pending)
{
	return pending->n ? pending->heap[0] : PENDING_NONE;
}
