/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References. An item that a stage passes on unchanged, or sends to several edges, is written once; every other lane carries 24 bytes that
 * say where.
 *
 *      A's lane to B       ..[ header | payload ]..............        inline
 *                                       ^      ^
 *      B's lane to C       ..[ header | A, lane, position ]..  |       B has passed it on
 *      C's lane to D       ..[ header | A, lane, position ]....|       C too: the same words, so a chain of any length is one step
 *
 * Nothing counts references. Who emits one holds the room of what it has itself received (worker/pins.c): B does not let its `free`
 * of A's lane pass the item before C's `free` has passed the reference, and C does the same for D. So the payload stays, hop by
 * hop, as long as anyone may read it, and after a death the lanes themselves tell what is still referred to.
 *
 * A reference is another process's word: slot and writer are looked up in private tables, position and size are held against the private
 * capacity. A lane is mapped twice, so a payload of at most half of it that begins anywhere in the first half can be read.
 */
#include "common/flow/reference.h"

#include <string.h>

struct item_reference reference_read(const void *payload)
{
	struct item_reference reference;

	memcpy(&reference, payload, sizeof(reference));
	return reference;
}

int reference_resolve(const struct item_reference *reference, const struct reference_lane *lane,
		      const void **ret_payload)
{
	if (reference->position % ITEM_ALIGNMENT || reference->size_bytes > lane_payload_max(lane->capacity_bytes))
		return LANE_E_BROKEN;
	*ret_payload = lane->data + (reference->position & (lane->capacity_bytes - 1));
	return 0;
}
