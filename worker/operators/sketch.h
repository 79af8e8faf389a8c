/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiles and numbers of distinct values out of little memory, mergeable, as plain data that may lie in keyed state. Worker process;
 * pure.
 *
 *      sketch     buckets whose bounds grow by 2 %, each with a count: any quantile is within 1 % of a value that has that rank
 *      distinct   up to 512 hashes of 64 bits, all of them: exact; beyond, 4096 registers of HyperLogLog: a standard error of 1.6 %
 *
 * Both begin with a small room, and say when they want a larger one: who owns them gives it (table_room()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_head {
	uint32_t n, room; /* entries behind it */
};

struct sketch_bucket {
	int64_t index; /* in the order of the values */
	uint64_t n;
};

#define SKETCH_ROOM_MIN 8u
#define SKETCH_ROOM_MAX 1024u /* as many buckets hold values of which the largest is 7e8 times the smallest */
#define DISTINCT_ROOM_MIN 8u
#define DISTINCT_ROOM_MAX 512u
#define DISTINCT_REGISTERS 4096u /* of a byte each: as much as DISTINCT_ROOM_MAX hashes */

static inline size_t sketch_bytes(uint32_t room)
{
	return sizeof(struct table_head) + room * sizeof(struct sketch_bucket);
}

static inline size_t distinct_bytes(uint32_t room)
{
	return sizeof(struct table_head) + room * sizeof(uint64_t);
}

/* The room for n entries, and for one more if `spare`. */
uint32_t table_room(uint32_t n, bool spare, uint32_t room_min, uint32_t room_max);

/* Whether one more entry may need more room than there is. A full one of the largest size never does. */
bool sketch_is_tight(const struct table_head *sketch);
bool distinct_is_tight(const struct table_head *distinct);

/*
 * A value more. With SKETCH_ROOM_MAX buckets the two lowest become one for each that is new: low quantiles lose their precision first.
 * Must not be tight.
 */
void sketch_add(struct table_head *sketch, double value);
/* All of `other`, too; there must be room for both together, or SKETCH_ROOM_MAX. */
void sketch_merge(struct table_head *sketch, const struct table_head *other);
/* The value that so large a share (0 to 1) of the values is not above; false: there are none. */
bool sketch_quantile(const struct table_head *sketch, double share, double *ret_value);

void distinct_add(struct table_head *distinct, uint64_t hash);
void distinct_merge(struct table_head *distinct, const struct table_head *other);
uint64_t distinct_count(const struct table_head *distinct);
/* Entries that it needs room for; DISTINCT_ROOM_MAX for registers. */
uint32_t distinct_entries(const struct table_head *distinct);
