/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the end of an output lane back, whose reader is dead for good, and putting it into another lane. The producer's. */
#pragma once

#include <stdint.h>

#include "common/flow/lane.h"

/*
 * The longest run of whole records at the end of [done, tail) that is at most bytes_max long: [*ret_cut, tail); it is empty if the
 * last record alone is longer. *ret_last_bytes: size of that one. done < tail, done was read from the dead reader and is
 * believed in nothing. Returns 0 or LANE_E_BROKEN.
 */
int retract_cut(const struct lane_out *lane, uint64_t done, uint64_t bytes_max, uint64_t *ret_cut,
		uint64_t *ret_last_bytes);

/* Copies [cut, tail) of a lane behind what `to` has built, record by record as they are; `to` has the room. */
void retract_copy(const struct lane_out *lane, uint64_t cut, struct lane_out *to);
