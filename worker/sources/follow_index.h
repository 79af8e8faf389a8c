/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers by hash: a table that is filled, asked and thrown away. Who asks compares for himself what has the same hash. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOW_INDEX_NONE UINT32_MAX

struct follow_index {
	uint32_t *slots; /* owned; a power of two of them */
	uint32_t mask;
};

/* Empties it, with room for n. Returns 0 or -1: no memory. */
static inline int follow_index_clear(struct follow_index *index, uint32_t n)
{
	uint32_t size = 16;

	while (size < n * 2)
		size *= 2;
	if (!index->slots || index->mask + 1 < size) {
		free(index->slots);
		index->slots = malloc(size * sizeof(*index->slots));
		index->mask = size - 1;
	}
	if (!index->slots)
		return -1;
	memset(index->slots, 0xff, (index->mask + UINT64_C(1)) * sizeof(*index->slots));
	return 0;
}

static inline void follow_index_add(struct follow_index *index, uint64_t hash, uint32_t number)
{
	uint32_t at = (uint32_t)hash & index->mask;

	while (index->slots[at] != FOLLOW_INDEX_NONE)
		at = (at + 1) & index->mask;
	index->slots[at] = number;
}

/* One number after the other that may have this hash: *at begins as 0. FOLLOW_INDEX_NONE: no more. */
static inline uint32_t follow_index_next(const struct follow_index *index, uint64_t hash, uint32_t *at)
{
	return index->slots ? index->slots[((uint32_t)hash + (*at)++) & index->mask] : FOLLOW_INDEX_NONE;
}
