/* SPDX-License-Identifier: Apache-2.0 */
/* One member of an item that is a map, and other members in its place. Pure. */
#pragma once

#include "common/record/record.h"

/*
 * The string that the item has under this name; of a name that comes twice the last counts. Returns 0; RECORD_E_BAD and why: it is no
 * map, has none of that name, or it is no string.
 */
int member_text(const void *item, size_t size_bytes, const char *name, const char **ret_text, size_t *ret_size_bytes,
		struct record_fault *fault);

/* Room for what member_replace() makes of an item and a map of so many bytes. */
static inline size_t member_bound(size_t item_bytes, size_t map_bytes)
{
	return item_bytes + map_bytes + 16;
}

/*
 * The item, a map, without the member of this name, and with all that `map` has; where both have one, that of `map` counts. Into `room`,
 * member_bound() bytes large. The scratch is used for the names. Returns 0 and its size; RECORD_E_BAD and why.
 */
int member_replace(struct record_scratch *scratch, const void *item, size_t item_bytes, const char *name,
		   const void *map, size_t map_bytes, void *room, size_t *ret_size_bytes, struct record_fault *fault);
