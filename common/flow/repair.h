/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor does to the segment of a worker that the kernel has proved dead, and how it counts what is left. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/memory/segment.h"

enum { REPAIR_E_CORRUPT = 1 }; /* the record names lanes that are not there: nothing was touched, quarantine the slot */

struct repair_report {
	bool applied;          /* a committed turn was finished */
	uint32_t in_flight;    /* asynchronous stages: items that were given and had not ended */
	bool in_hand;          /* one item alone was in hand and is not behind the repaired position: the suspect */
	uint32_t suspect_lane; /* reader index, or HAND_LETTER */
	uint64_t suspect_position;
	uint64_t suspect_sequence;
};

/*
 * Finishes a committed turn (every store again; each is idempotent), clears armed and hand; leaves `free` to the next
 * generation. May itself die at any instruction and be run again. `segment` is mapped for writing. Supervisor only.
 * Returns 0 or REPAIR_E_CORRUPT.
 */
int repair_run(struct segment *segment, struct repair_report *ret_report);

/* Whether what lies, or the letter that is given again, at that position is still to be taken, as the repaired segment says. */
bool repair_is_untaken(const struct segment *segment, uint32_t lane, uint64_t position);

/*
 * Closes all output lanes of a slot that nobody will ever sit in again, after repair_run(): what it had committed is taken, then its
 * consumers see the end. `segment` is mapped for writing. Supervisor only.
 */
void repair_close(struct segment *segment);

/*
 * Counts the items (data records and references) in [done, tail) of a lane, trusting nothing that it reads. Supervisor, when
 * both ends are dead or quiet; `data` mapped twice, read-only. Returns 0; REPAIR_E_CORRUPT: the bytes are no chain of records.
 */
int census_lane(const unsigned char *data, uint64_t capacity_bytes, uint64_t done, uint64_t tail, uint64_t *ret_items);
/* The same for a lane of an asynchronous stage, whose consumer's done-bits say what has ended behind `done`. bits NULL: none. */
int census_lane_with_bits(const unsigned char *data, uint64_t capacity_bytes, uint64_t done, uint64_t tail,
			  const struct done_bits *bits, uint64_t *ret_items);
