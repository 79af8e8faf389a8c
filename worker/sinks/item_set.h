/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of items' identities, as spans of numbers that follow each other: what a database is told of a turn, in a few dozen bytes. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/identity.h>

#define ITEM_SPAN_BYTES 40u

struct item_span {
	struct weir_identity first;
	uint64_t n; /* it, and those of the next sequence numbers */
};
static_assert(sizeof(struct item_span) == ITEM_SPAN_BYTES, "spans are kept as they lie in memory");

/* All zero: empty. */
struct item_set {
	struct item_span *spans; /* owned */
	size_t n, capacity;
};

void item_set_deinit(struct item_set *set);
static inline void item_set_clear(struct item_set *set)
{
	set->n = 0;
}

/* Adds one. Cheapest in the order of their numbers. Aborts the process when memory is out. */
void item_set_add(struct item_set *set, const struct weir_identity *identity);
/* Takes one out, if it is there. */
void item_set_remove(struct item_set *set, const struct weir_identity *identity);
bool item_set_has(const struct item_set *set, const struct weir_identity *identity);

/* The bytes to keep: they live until the set changes. */
static inline const void *item_set_bytes(const struct item_set *set, size_t *ret_size_bytes)
{
	*ret_size_bytes = set->n * ITEM_SPAN_BYTES;
	return set->spans;
}
/* Joins what such bytes say; nobody has to trust them. Returns 0, or -EBADMSG: they are none, and nothing is added. */
int item_set_read(struct item_set *set, const void *bytes, size_t size_bytes);
