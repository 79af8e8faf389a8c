/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in a lane now, read from outside while both its ends work. For people: nothing is decided by it. Does not block. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/memory/segment.h"

struct lane_place {
	const struct segment *producer, *consumer; /* control pages */
	int data_fd;                               /* the producer's segment */
	uint64_t off_data, capacity_bytes;
	uint32_t writer_index, reader_index;
	bool drops_old; /* full: drop-old */
};

struct lane_state {
	uint64_t in_bytes, out_bytes; /* ever committed by its producer, and by its consumer */
	uint64_t bytes;               /* between the two */
	uint64_t items;               /* in it; beyond the first LANE_LOOK_BYTES an estimate, by the mean of those */
	uint64_t oldest_accepted_ns;  /* when its source took the first of them in; 0: not known, or there is none */
	uint64_t blocked_ns;          /* its producer has slept for room in it, or in any of its edge */
};

#define LANE_LOOK_BYTES 16384u

/* What both processes have written may be anything: it is looked at as such. */
void lane_look(const struct lane_place *place, struct lane_state *ret_state);
