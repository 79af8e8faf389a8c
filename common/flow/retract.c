/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that nobody will read any more move to lanes that somebody reads. A tail can go back, the dead reader's `done` can't go ahead:
 * it is in another's segment. So what moves in one commit is the end of the lane:
 *
 *      dead lane   --+----------+------------------+        live lane   --------+- - - - - - -
 *                    done       cut               tail                          tail
 *                               \______ copied _______________________________/ \_ its new tail with the same record
 *                               RETRACT: the tail is here now
 *
 * What is left in front waits for room and goes the same way. Order is lost, which is why only edges without order can do this.
 * A reader's number is checked before it is used; the records are the producer's own, but a stray pointer of its stage can have hit them.
 */
#include "common/flow/retract.h"

#include <string.h>

#include "common/base/must.h"

int retract_cut(const struct lane_out *lane, uint64_t done, uint64_t bytes_max, uint64_t *ret_cut,
		uint64_t *ret_last_bytes)
{
	uint64_t tail = lane->tail, cut = tail, last = done;

	if (tail - done > lane->capacity_bytes || done == tail || done % ITEM_ALIGNMENT)
		return LANE_E_BROKEN;
	for (uint64_t position = done; position != tail;) {
		struct item_header header;

		if (tail - position < sizeof(header))
			return LANE_E_BROKEN;
		memcpy(&header, lane->data + (position & (lane->capacity_bytes - 1)), sizeof(header));
		if (item_record_size(header.size_bytes) > tail - position)
			return LANE_E_BROKEN;
		if (cut == tail && tail - position <= bytes_max)
			cut = position;
		last = position;
		position += item_record_size(header.size_bytes);
	}
	*ret_cut = cut;
	*ret_last_bytes = tail - last;
	return 0;
}

void retract_copy(const struct lane_out *lane, uint64_t cut, struct lane_out *to)
{
	uint64_t size_bytes = lane->tail - cut;

	must(size_bytes <= lane->capacity_bytes && to->built - to->free_cached + size_bytes <= to->capacity_bytes);
	memcpy(to->data + (to->built & (to->capacity_bytes - 1)), lane->data + (cut & (lane->capacity_bytes - 1)),
	       size_bytes);
	to->built += size_bytes;
}
