/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/fake_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/status.h>

#include "common/base/must.h"

#define ENTRY_BYTES 16

/* memcmp() that knows lengths. */
static int compare(const struct fake_entry *entry, const void *key, size_t key_size_bytes)
{
	size_t n = entry->key_size_bytes < key_size_bytes ? entry->key_size_bytes : key_size_bytes;
	int r = n ? memcmp(entry->key, key, n) : 0; /* a prefix of no bytes may be no pointer */

	return r ? r : (entry->key_size_bytes > key_size_bytes) - (entry->key_size_bytes < key_size_bytes);
}

/* Of the first entry that is not before the key. */
static size_t place_of(const struct fake_map *map, const void *key, size_t key_size_bytes)
{
	size_t low = 0, high = map->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&map->list[middle], key, key_size_bytes) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_there(const struct fake_map *map, size_t at, const void *key, size_t key_size_bytes)
{
	return at < map->n && compare(&map->list[at], key, key_size_bytes) == 0;
}

static unsigned char *copy_of(const void *bytes, size_t size_bytes)
{
	unsigned char *copy = malloc(size_bytes + 1);

	must(copy);
	if (size_bytes)
		memcpy(copy, bytes, size_bytes);
	return copy;
}

int fake_map_get(const struct fake_map *map, const void *key, size_t key_size_bytes, const void **ret_value,
		 size_t *ret_size_bytes)
{
	size_t at = place_of(map, key, key_size_bytes);

	must(key_size_bytes && key_size_bytes <= WEIR_STATE_KEY_SIZE_MAX);
	if (!is_there(map, at, key, key_size_bytes))
		return -ENOENT;
	*ret_value = map->list[at].value;
	*ret_size_bytes = map->list[at].size_bytes;
	return WEIR_OK;
}

int fake_map_delete(struct fake_map *map, const void *key, size_t key_size_bytes)
{
	size_t at = place_of(map, key, key_size_bytes);

	must(key_size_bytes && key_size_bytes <= WEIR_STATE_KEY_SIZE_MAX);
	if (!is_there(map, at, key, key_size_bytes))
		return -ENOENT;
	map->used_bytes -= map->list[at].key_size_bytes + map->list[at].size_bytes + ENTRY_BYTES;
	free(map->list[at].key);
	free(map->list[at].value);
	memmove(&map->list[at], &map->list[at + 1], (--map->n - at) * sizeof(*map->list));
	return WEIR_OK;
}

int fake_map_put(struct fake_map *map, uint64_t bound_bytes, const void *key, size_t key_size_bytes, const void *value,
		 size_t size_bytes)
{
	uint64_t before = 0, after = key_size_bytes + size_bytes + ENTRY_BYTES;
	unsigned char *copy;
	const void *old;
	size_t old_bytes, at;

	if (size_bytes > WEIR_STATE_VALUE_SIZE_MAX)
		return WEIR_TOO_LARGE;
	if (fake_map_get(map, key, key_size_bytes, &old, &old_bytes) == WEIR_OK)
		before = key_size_bytes + old_bytes + ENTRY_BYTES;
	if (after > before && map->used_bytes - before + after > bound_bytes)
		return WEIR_FULL;
	copy = copy_of(value, size_bytes);
	fake_map_delete(map, key, key_size_bytes);
	at = place_of(map, key, key_size_bytes);
	map->list = reallocarray(map->list, map->n + 1, sizeof(*map->list));
	must(map->list);
	memmove(&map->list[at + 1], &map->list[at], (map->n++ - at) * sizeof(*map->list));
	map->list[at] = (struct fake_entry){ copy_of(key, key_size_bytes), copy, key_size_bytes, size_bytes };
	map->used_bytes += after;
	return WEIR_OK;
}

int fake_map_seek(const struct fake_map *map, const void *prefix, size_t prefix_size_bytes, bool next,
		  struct weir_state_entry *entry)
{
	size_t at = next ? place_of(map, entry->key, entry->key_size_bytes) : place_of(map, prefix, prefix_size_bytes);
	const struct fake_entry *found;

	at += next && is_there(map, at, entry->key, entry->key_size_bytes);
	found = &map->list[at];
	if (at == map->n || found->key_size_bytes < prefix_size_bytes ||
	    memcmp(found->key, prefix, prefix_size_bytes) != 0)
		return -ENOENT;
	memcpy(entry->key, found->key, found->key_size_bytes);
	entry->key[found->key_size_bytes] = '\0';
	entry->key_size_bytes = found->key_size_bytes;
	entry->value = found->value;
	entry->size_bytes = found->size_bytes;
	return WEIR_OK;
}

void fake_map_copy(struct fake_map *to, const struct fake_map *from)
{
	fake_map_deinit(to);
	to->list = from->n ? calloc(from->n, sizeof(*to->list)) : NULL;
	must(to->list || !from->n);
	for (size_t i = 0; i < from->n; i++) {
		to->list[i] = from->list[i];
		to->list[i].key = copy_of(from->list[i].key, from->list[i].key_size_bytes);
		to->list[i].value = copy_of(from->list[i].value, from->list[i].size_bytes);
	}
	to->n = from->n;
	to->used_bytes = from->used_bytes;
}

void fake_map_deinit(struct fake_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		free(map->list[i].key);
		free(map->list[i].value);
	}
	free(map->list);
	*map = (struct fake_map){ 0 };
}
