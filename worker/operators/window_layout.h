/* SPDX-License-Identifier: Apache-2.0 */
/* Where a window's panes and what is due lie in keyed state (own folder only). Pure. */
#pragma once

#include <endian.h>
#include <string.h>

#include "worker/operators/panes.h"

/*
 *      p LENGTH KEY START         ->  pane_head, block of aggregates      a pane: a tumbling window, a slide of a sliding one, a session
 *      w DUE START LENGTH KEY     ->  nothing                             what is to be looked at once the watermark is at DUE
 */
#define WINDOW_KEY_SIZE_MAX 480u

struct pane_head {
	uint64_t n_items;
	uint64_t last_ns; /* the latest of them */
};

/* An entry of the second kind. */
struct due {
	uint64_t due_ns, start_ns; /* start_ns: of the session; 0 */
	size_t key_bytes;
	const unsigned char *key;
};

static inline void place_add(struct place *place, const void *bytes, size_t size_bytes)
{
	memcpy(place->bytes + place->size_bytes, bytes, size_bytes);
	place->size_bytes += size_bytes;
}

static inline void place_add_u64(struct place *place, uint64_t value)
{
	value = htobe64(value);
	place_add(place, &value, sizeof(value));
}

static inline void place_add_key(struct place *place, const void *key, size_t key_bytes)
{
	uint16_t length = htobe16((uint16_t)key_bytes);

	place_add(place, &length, sizeof(length));
	place_add(place, key, key_bytes);
}

/* What all panes of a key begin with. */
static inline void place_of_key(struct place *place, const void *key, size_t key_bytes)
{
	place->size_bytes = 0;
	place_add(place, "p", 1);
	place_add_key(place, key, key_bytes);
}

static inline void place_of_pane(struct place *place, const void *key, size_t key_bytes, uint64_t start_ns)
{
	place_of_key(place, key, key_bytes);
	place_add_u64(place, start_ns);
}

static inline void place_of_due(struct place *place, uint64_t due_ns, uint64_t start_ns, const void *key,
				size_t key_bytes)
{
	place->size_bytes = 0;
	place_add(place, "w", 1);
	place_add_u64(place, due_ns);
	place_add_u64(place, start_ns);
	place_add_key(place, key, key_bytes);
}

static inline uint64_t read_u64(const unsigned char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return be64toh(value);
}

static inline uint64_t pane_start_ns(const struct weir_state_entry *entry)
{
	return read_u64(entry->key + entry->key_size_bytes - sizeof(uint64_t));
}

static inline struct due due_read(const struct weir_state_entry *entry)
{
	return (struct due){ .due_ns = read_u64(entry->key + 1),
			     .start_ns = read_u64(entry->key + 9),
			     .key_bytes = entry->key_size_bytes - 19,
			     .key = entry->key + 19 };
}
