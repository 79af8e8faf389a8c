/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed state for tests of stages: a sorted array, with the answers of weir/state.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/state.h>

struct fake_entry {
	unsigned char *key, *value; /* owned */
	size_t key_size_bytes, size_bytes;
};

struct fake_map {
	struct fake_entry *list; /* owned, in the order of the keys */
	size_t n;
	uint64_t used_bytes;
};

int fake_map_get(const struct fake_map *map, const void *key, size_t key_size_bytes, const void **ret_value,
		 size_t *ret_size_bytes);
int fake_map_put(struct fake_map *map, uint64_t bound_bytes, const void *key, size_t key_size_bytes, const void *value,
		 size_t size_bytes);
int fake_map_delete(struct fake_map *map, const void *key, size_t key_size_bytes);
int fake_map_seek(const struct fake_map *map, const void *prefix, size_t prefix_size_bytes, bool next,
		  struct weir_state_entry *entry);
void fake_map_copy(struct fake_map *to, const struct fake_map *from);
void fake_map_deinit(struct fake_map *map);
