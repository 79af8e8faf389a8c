/* SPDX-License-Identifier: Apache-2.0 */
/* Items as entries of a table, and entries as parts of items. Pure, but for the scratch. */
#pragma once

#include <stdbool.h>

#include "common/record/record.h"

/*
 * What a table knows a key by: of the JSON text of a string what the string says, anything else as it stands; so 17 and "17" are one
 * key. In these bytes or in the scratch. Returns 0; RECORD_E_BAD and why: no JSON, though it begins like a string.
 */
int entry_key(struct record_scratch *scratch, const void *json, size_t size_bytes, const void **ret_key,
	      size_t *ret_size_bytes, struct record_fault *fault);

/*
 * An item as one msgpack value: in place if it is structured, else its JSON, in the scratch; `json_scratch` is for the decoder. Returns 0;
 * RECORD_E_BAD and why.
 */
int entry_value(struct record_scratch *scratch, struct record_scratch *json_scratch, bool structured, const void *item,
		size_t size_bytes, const void **ret_value, size_t *ret_size_bytes, struct record_fault *fault);

/* Whether an item that may be text is one array or map in msgpack: with bytes that no JSON text begins with, and nothing behind it. */
bool entry_is_structured(const void *item, size_t size_bytes);

/* Room for a map with one more member. */
static inline size_t entry_join_bound(size_t map_bytes, size_t name_bytes, size_t value_bytes)
{
	return map_bytes + name_bytes + value_bytes + 16;
}
/*
 * The map (one msgpack value) with this member behind all others, which takes the place of one with that name; the value is one msgpack
 * value. At room, entry_join_bound() bytes large. Returns 0 and its size; RECORD_E_BAD and why: no map, or no value.
 */
int entry_join(const void *map, size_t map_bytes, const char *name, size_t name_bytes, const void *value,
	       size_t value_bytes, void *room, size_t *ret_size_bytes, struct record_fault *fault);
