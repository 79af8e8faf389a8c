/* SPDX-License-Identifier: Apache-2.0 */
/* An item whose bytes lie in another lane: the record that says where, and the way from there to the bytes. */
#pragma once

#include <stdint.h>

#include "common/flow/lane.h"

/* Items below this size are copied: a reference would cost more than it saves. */
#define REFERENCE_SIZE_MIN UINT64_C(4096)

/* One output lane of another slot, as this process knows it: capacity and mapping are private, never read from a segment. */
struct reference_lane {
	const unsigned char *data; /* mapped twice, read-only; NULL: not mapped yet */
	uint64_t off_data;         /* in its segment */
	uint64_t capacity_bytes;
};

/* Consumer: copies the reference out of a peeked ITEM_REFERENCE record. What comes back is another process's word. Wait-free. */
struct item_reference reference_read(const void *payload);

/*
 * Consumer: where the bytes are, if position and size are possible in that lane, which is mapped. Returns 0, or
 * LANE_E_BROKEN; any 24 bytes give one of the two, and the bytes from *ret_payload on can be read.
 */
int reference_resolve(const struct item_reference *reference, const struct reference_lane *lane,
		      const void **ret_payload);
