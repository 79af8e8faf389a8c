/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sinks/item_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"

#define CAPACITY_MIN 16u

void item_set_deinit(struct item_set *set)
{
	free(set->spans);
	*set = (struct item_set){ 0 };
}

static bool same_source(const struct weir_identity *a, const struct weir_identity *b)
{
	return a->run == b->run && a->part == b->part && a->producer == b->producer && a->input == b->input;
}

static bool holds(const struct item_span *span, const struct weir_identity *identity)
{
	return same_source(&span->first, identity) && identity->sequence - span->first.sequence < span->n;
}

static struct item_span *append(struct item_set *set)
{
	if (set->n == set->capacity) {
		set->capacity = set->capacity ? 2 * set->capacity : CAPACITY_MIN;
		set->spans = reallocarray(set->spans, set->capacity, sizeof(*set->spans));
		must(set->spans);
	}
	return &set->spans[set->n++];
}

void item_set_add(struct item_set *set, const struct weir_identity *identity)
{
	struct item_span *last = set->n ? &set->spans[set->n - 1] : NULL;

	if (last && same_source(&last->first, identity) && identity->sequence == last->first.sequence + last->n)
		last->n++;
	else
		*append(set) = (struct item_span){ *identity, 1 };
}

/* The span falls into what was before it and what was behind it. */
static void split(struct item_set *set, size_t index, uint64_t before)
{
	struct item_span rest = set->spans[index];

	rest.first.sequence += before + 1;
	rest.n -= before + 1;
	set->spans[index].n = before;
	if (!before)
		set->spans[index] = set->spans[--set->n];
	if (rest.n)
		*append(set) = rest;
}

void item_set_remove(struct item_set *set, const struct weir_identity *identity)
{
	for (size_t i = 0; i < set->n; i++)
		if (holds(&set->spans[i], identity)) {
			split(set, i, identity->sequence - set->spans[i].first.sequence);
			return;
		}
}

bool item_set_has(const struct item_set *set, const struct weir_identity *identity)
{
	for (size_t i = 0; i < set->n; i++)
		if (holds(&set->spans[i], identity))
			return true;
	return false;
}

int item_set_read(struct item_set *set, const void *bytes, size_t size_bytes)
{
	const char *at = bytes;

	if (size_bytes % ITEM_SPAN_BYTES)
		return error_origin(-EBADMSG);
	for (size_t i = 0; i < size_bytes; i += ITEM_SPAN_BYTES)
		memcpy(append(set), at + i, ITEM_SPAN_BYTES);
	return 0;
}
