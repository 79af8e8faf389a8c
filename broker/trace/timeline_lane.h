/* SPDX-License-Identifier: Apache-2.0 */
/* What of a lane's past can still be one end of something: bytes that were emitted and not yet taken, and who has rung of late. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_EMITS_MAX 4096u /* of a lane; older ones are forgotten */
#define TIMELINE_WAKES 8u        /* of each end */

struct timeline_mark {
	uint64_t from, position, time_ns; /* bytes in front of position, from `from` on */
};

/* All zero: nothing is known. */
struct timeline_lane {
	struct timeline_mark *emits; /* a ring; owned */
	uint32_t first, n, capacity;
	struct timeline_mark untold; /* the last take of which no emit was seen yet; time 0: none */
	struct timeline_mark wakes[2][TIMELINE_WAKES];
	uint32_t n_wakes[2];
};

/*
 * So many bytes in front of position were taken. True: *ret_ns is when the last part of them was emitted. Else its emit may yet be told.
 */
bool timeline_lane_take(struct timeline_lane *lane, uint64_t bytes, uint64_t position, uint64_t now_ns,
			uint64_t *ret_ns);
/* So many bytes in front of position were emitted. True: some of them have been taken already, at *ret_ns, and it was not told yet. */
bool timeline_lane_emit(struct timeline_lane *lane, uint64_t bytes, uint64_t position, uint64_t now_ns,
			uint64_t *ret_ns);

/* Its producer, or its consumer, has rung, having got to position. */
void timeline_lane_wake(struct timeline_lane *lane, bool by_producer, uint64_t position, uint64_t now_ns);
/* The first time since begin_ns that that end has rung having got to position at least. False: it has not been seen to. */
bool timeline_lane_find_wake(const struct timeline_lane *lane, bool by_producer, uint64_t begin_ns, uint64_t position,
			     uint64_t *ret_ns);

void timeline_lane_deinit(struct timeline_lane *lane);
