/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of JSON objects that come twice.
 *
 *      {"a": 1, "b": 2, "a": 3}      room   .. a1a 01  a1b 02  a1a 03
 *                                    notes     ^old    ^       ^            two members are left: b, and the second a
 *
 * The places of the names of all open objects are noted, one behind the other; an object's own are the last ones when it ends. A small
 * one compares each with each, a large one sorts them, so no text takes longer than n log n.
 */
#include "common/record/json_names.h"

#include <stdbool.h>

#include "common/record/pack.h"

#define FEW_NAMES 12u /* up to here comparing each with each is the faster way */

/* One name: where it begins in the room. */
struct note {
	uint32_t at;
	uint32_t is_old; /* the name comes again */
};

static struct note *notes(const struct json_names *names)
{
	return names->scratch->data;
}

void json_names_note(struct json_names *names, const unsigned char *name)
{
	(void)record_scratch_get(names->scratch, (names->n + 1) * sizeof(struct note));
	notes(names)[names->n++] = (struct note){ .at = (uint32_t)(name - names->room) };
}

static int compare_names(const struct json_names *names, const struct note *a, const struct note *b)
{
	const unsigned char *x = names->room + a->at, *y = names->room + b->at;
	size_t n = pack_string_size(x), m = pack_string_size(y);

	return n != m ? (n < m ? -1 : 1) : memcmp(x, y, n);
}

static bool mark_few(const struct json_names *names, struct note *first, uint32_t n)
{
	bool any = false;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = i + 1; j < n && !first[i].is_old; j++) {
			first[i].is_old = compare_names(names, &first[i], &first[j]) == 0;
			any = any || first[i].is_old;
		}
	return any;
}

/* By name, and of the same name by place. */
static bool is_before(const struct json_names *names, const struct note *first, uint32_t a, uint32_t b)
{
	int order = compare_names(names, &first[a], &first[b]);

	return order ? order < 0 : a < b;
}

static void sift(const struct json_names *names, const struct note *first, uint32_t *order, uint32_t root, uint32_t n)
{
	uint32_t moved = order[root];

	for (uint32_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && is_before(names, first, order[child], order[child + 1]))
			child++;
		if (!is_before(names, first, moved, order[child]))
			break;
		order[root] = order[child];
	}
	order[root] = moved;
}

/* Heap sort: qsort() may allocate. The order lies in the scratch behind the notes. */
static bool mark_many(struct json_names *names, uint32_t first_note, uint32_t n)
{
	size_t notes_bytes = names->n * sizeof(struct note);
	uint32_t *order = (uint32_t *)((char *)record_scratch_get(names->scratch, notes_bytes + n * sizeof(*order)) +
				       notes_bytes);
	struct note *first = notes(names) + first_note;
	bool any = false;

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n / 2; i-- > 0;)
		sift(names, first, order, i, n);
	for (uint32_t left = n - 1; left; left--) {
		uint32_t last = order[left];

		order[left] = order[0];
		order[0] = last;
		sift(names, first, order, 0, left);
	}
	for (uint32_t i = 0; i + 1 < n; i++) {
		first[order[i]].is_old = compare_names(names, &first[order[i]], &first[order[i + 1]]) == 0;
		any = any || first[order[i]].is_old;
	}
	return any;
}

/* The members that are left close ranks. Returns how many. */
static uint32_t drop_old(const struct json_names *names, const struct note *first, uint32_t n, unsigned char **end)
{
	unsigned char *to = names->room + first[0].at;
	uint32_t n_left = 0;

	for (uint32_t i = 0; i < n; i++) {
		unsigned char *from = names->room + first[i].at;
		size_t size = (size_t)((i + 1 < n ? names->room + first[i + 1].at : *end) - from);

		if (first[i].is_old)
			continue;
		memmove(to, from, size);
		to += size;
		n_left++;
	}
	*end = to;
	return n_left;
}

uint32_t json_names_forget(struct json_names *names, uint32_t n, unsigned char **end)
{
	uint32_t first_note = names->n - n;
	bool any = n > FEW_NAMES ? mark_many(names, first_note, n) :
		   n > 1         ? mark_few(names, notes(names) + first_note, n) :
				   false;

	names->n = first_note;
	return any ? drop_old(names, notes(names) + first_note, n, end) : n;
}
