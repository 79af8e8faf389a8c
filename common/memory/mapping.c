/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lane data, mapped twice back to back:
 *
 *      data             data + size          data + 2 size
 *      | page 0 ... page n | page 0 ... page n |
 *                     [-- record --]             starts in the first, never needs to be cut
 *
 * A position p is at data[p & (size - 1)], and any record of up to `size` bytes that starts there is contiguous.
 */
#include <errno.h>
#include <sys/mman.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "common/memory/segment.h"

static int map_halves(int fd, uint64_t offset, size_t size_bytes, int protection, int flags, unsigned char *place)
{
	for (unsigned half = 0; half < 2; half++) {
		void *want = place + half * size_bytes;

		if (mmap(want, size_bytes, protection, MAP_SHARED | MAP_FIXED | flags, fd, (off_t)offset) != want)
			return error_origin(-errno);
	}
	return 0;
}

int lane_map(int fd, uint64_t offset, size_t size_bytes, enum segment_access access, bool populate,
	     unsigned char **ret_data)
{
	int protection = access == SEGMENT_WRITE ? PROT_READ | PROT_WRITE : PROT_READ, r;
	unsigned char *place;

	must(size_bytes && !(size_bytes % SEGMENT_PAGE_SIZE) && !(offset % SEGMENT_PAGE_SIZE));
	place = mmap(NULL, 2 * size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (place == MAP_FAILED)
		return error_origin(-errno);
	r = map_halves(fd, offset, size_bytes, protection, populate ? MAP_POPULATE : 0, place);
	/* a child that outlives its worker must not write into the next generation's lanes */
	if (!r && access == SEGMENT_WRITE && madvise(place, 2 * size_bytes, MADV_DONTFORK))
		r = error_origin(-errno);
	if (r) {
		munmap(place, 2 * size_bytes);
		return error_trace(r);
	}
	*ret_data = place;
	return 0;
}

void lane_unmap(unsigned char *data, size_t size_bytes)
{
	if (data)
		munmap(data, 2 * size_bytes);
}
