/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      process() x 64:  get ---> own memory ---> touch           flush(): state <--- what was touched, once        commit
 *                        '--- not there: state
 *
 * The size of a block is changed at once (panes_put()), since only that may find no room, while there is an item that can be refused; what
 * flush() writes has the size of what it replaces, so there is room for it.
 *
 * An item that comes to nothing takes back what it has put and deleted in the state, not what it has changed here: so whoever is going to
 * refuse an item does that before it touches a pane.
 */
#include "worker/operators/panes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/fnv.h"

#define BUCKETS 4096u
#define PANES_MAX 4096u
#define BYTES_MAX ((size_t)16 * 1024 * 1024)

struct kept {
	struct pane pane; /* first */
	struct kept *next, *next_touched;
	uint64_t hash;
	bool is_touched, is_gone;
	size_t place_bytes;
	unsigned char place[];
};

struct panes {
	struct kept *buckets[BUCKETS];
	struct kept *touched;
	uint32_t n;
	size_t size_bytes;
};

struct panes *panes_new(void)
{
	return calloc(1, sizeof(struct panes));
}

static void kept_free(struct kept *kept)
{
	free(kept->pane.data);
	free(kept);
}

static void forget_all(struct panes *panes)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		while (panes->buckets[i]) {
			struct kept *kept = panes->buckets[i];

			panes->buckets[i] = kept->next;
			kept_free(kept);
		}
	panes->n = 0;
	panes->size_bytes = 0;
}

/* Of those that were touched the ones that are gone are in no bucket any more. */
static void end_touched(struct panes *panes)
{
	struct kept *kept = panes->touched;

	panes->touched = NULL;
	while (kept) {
		struct kept *next = kept->next_touched;

		kept->is_touched = false;
		if (kept->is_gone)
			kept_free(kept);
		kept = next;
	}
}

void panes_free(struct panes *panes)
{
	if (!panes)
		return;
	end_touched(panes);
	forget_all(panes);
	free(panes);
}

static uint64_t hash_of(const struct place *place)
{
	uint64_t hash = fnv_add(FNV_BEGIN, place->bytes, place->size_bytes);

	return hash ^ hash >> 32;
}

/* Where it hangs, or would. */
static struct kept **find(struct panes *panes, const struct place *place, uint64_t hash)
{
	struct kept **at = &panes->buckets[hash % BUCKETS];

	while (*at && ((*at)->hash != hash || (*at)->place_bytes != place->size_bytes ||
		       memcmp((*at)->place, place->bytes, place->size_bytes) != 0))
		at = &(*at)->next;
	return at;
}

static void drop(struct panes *panes, struct kept **at)
{
	struct kept *kept = *at;

	*at = kept->next;
	panes->n--;
	panes->size_bytes -= kept->pane.size_bytes;
	kept->is_gone = true;
	if (!kept->is_touched)
		kept_free(kept);
}

static int keep(struct panes *panes, const struct place *place, const void *data, size_t size_bytes, struct pane **ret)
{
	struct kept *kept = calloc(1, sizeof(*kept) + place->size_bytes);
	uint64_t hash = hash_of(place);
	struct kept **at = find(panes, place, hash);

	if (kept)
		kept->pane.data = malloc(size_bytes ? size_bytes : 1);
	if (!kept || !kept->pane.data) {
		free(kept);
		return error_origin(-ENOMEM);
	}
	memcpy(kept->pane.data, data, size_bytes);
	if (*at)
		drop(panes, at);
	kept->pane.size_bytes = size_bytes;
	kept->hash = hash;
	kept->place_bytes = place->size_bytes;
	memcpy(kept->place, place->bytes, place->size_bytes);
	kept->next = *at;
	*at = kept;
	panes->n++;
	panes->size_bytes += size_bytes;
	*ret = &kept->pane;
	return WEIR_OK;
}

int panes_get(struct panes *panes, struct weir_context *context, const struct place *place, struct pane **ret_pane)
{
	struct kept *kept = *find(panes, place, hash_of(place));
	const void *value;
	size_t size_bytes;
	int r;

	if (kept) {
		*ret_pane = &kept->pane;
		return WEIR_OK;
	}
	r = weir_state_get(context, place->bytes, place->size_bytes, &value, &size_bytes);
	return r == WEIR_OK ? keep(panes, place, value, size_bytes, ret_pane) : r;
}

int panes_put(struct panes *panes, struct weir_context *context, const struct place *place, const void *data,
	      size_t size_bytes, struct pane **ret_pane)
{
	int r = weir_state_put(context, place->bytes, place->size_bytes, data, size_bytes);

	return r == WEIR_OK ? keep(panes, place, data, size_bytes, ret_pane) : r;
}

void panes_touch(struct panes *panes, struct pane *pane)
{
	struct kept *kept = (struct kept *)pane;

	if (kept->is_touched)
		return;
	kept->is_touched = true;
	kept->next_touched = panes->touched;
	panes->touched = kept;
}

int panes_delete(struct panes *panes, struct weir_context *context, const struct place *place)
{
	int r = weir_state_delete(context, place->bytes, place->size_bytes);
	struct kept **at = find(panes, place, hash_of(place));

	if (r == WEIR_OK && *at)
		drop(panes, at);
	return r;
}

int panes_flush(struct panes *panes, struct weir_context *context)
{
	int r = WEIR_OK;

	for (struct kept *kept = panes->touched; kept && r == WEIR_OK; kept = kept->next_touched)
		if (!kept->is_gone)
			r = weir_state_put(context, kept->place, kept->place_bytes, kept->pane.data,
					   kept->pane.size_bytes);
	end_touched(panes);
	if (panes->n > PANES_MAX || panes->size_bytes > BYTES_MAX)
		forget_all(panes);
	if (r != WEIR_FULL && r != WEIR_TOO_LARGE)
		return r;
	weir_fail(
		context,
		"what a turn has changed finds no room in the state: give the stage a larger state:, or a smaller batch:");
	return WEIR_FAILED;
}
