/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for answers, by identity and by time: at most so many, in memory that is taken once, or again for twice as many.
 * Private to one worker; what must survive it lies in the stage's keyed state, from which it is filled again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/operators/mark.h"

#define PENDING_NONE UINT32_MAX

struct pending_slot {
	struct mark mark;
	uint64_t due_ns;
	uint32_t next;  /* in its bucket, or among those that are free */
	uint32_t place; /* in the heap */
};

struct pending {
	struct pending_slot *slots; /* owned, as are the next two */
	uint32_t *buckets;
	uint32_t *heap; /* numbers of slots: none is due before the one at half its place */
	uint32_t n, n_max, n_buckets, first_free;
	uint32_t n_limit; /* n_max does not grow beyond: 2^24; tests lower it */
};

/* For at most n_max, 1 to 2^24. Returns 0 or -ENOMEM; pending_deinit() is fine after either, and on zeros. */
int pending_init(struct pending *pending, uint32_t n_max);
void pending_deinit(struct pending *pending);

/* For how many pending_grow() makes room: twice as many, or n_limit. */
uint32_t pending_grown(const struct pending *pending);
/* Those that are there keep their numbers. Returns 0; -ENOMEM, or -E2BIG: there are n_limit. After either all is as it was. */
int pending_grow(struct pending *pending);

/* The number of the slot, below n_max, that holds this mark; PENDING_NONE: none does. */
uint32_t pending_find(const struct pending *pending, const struct mark *mark);
/* One more, whose mark must not be there. Returns its number, which stays until it is removed; PENDING_NONE: there are n_max. */
uint32_t pending_add(struct pending *pending, const struct mark *mark, uint64_t due_ns);
void pending_remove(struct pending *pending, uint32_t number);
/* Another time for it. */
void pending_move(struct pending *pending, uint32_t number, uint64_t due_ns);
/* The one that is due first; PENDING_NONE: there is none. */
uint32_t pending_first(const struct pending *pending);

static inline bool pending_is_full(const struct pending *pending)
{
	return pending->n == pending->n_max;
}

static inline const struct mark *pending_mark(const struct pending *pending, uint32_t number)
{
	return &pending->slots[number].mark;
}

static inline uint64_t pending_due_ns(const struct pending *pending, uint32_t number)
{
	return pending->slots[number].due_ns;
}
