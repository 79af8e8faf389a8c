/* SPDX-License-Identifier: Apache-2.0 */
/*
 * full: drop-old. The producer may overwrite what its reader has not begun, so the reader copies a record out of the lane, into
 * the hold of its own segment, before it works on it. Both ends; protocol in hold.c.
 */
#pragma once

#include "common/flow/lane.h"

/* What lies at the start of a hold; the payload follows. Plain memory of the reader's worker; outlives it. */
struct hold_record {
	uint64_t position, ordinal;
	struct item_header header;
	uint8_t pad[16]; /* 0 */
};
static_assert(sizeof(struct hold_record) == 64 && offsetof(struct hold_record, header) == 16, "layout");

/* The reader's private handle. */
struct hold {
	struct hold_record *record; /* in the own segment, as many bytes as the lane; NULL: a lane without one */
	uint64_t done_ordinal;      /* records that `done` has passed, whatever became of them */
	uint64_t next_ordinal;      /* the same, once this turn is committed */
	bool taken;                 /* in this turn: commit before the next look */
};

/* Reader, after lane_in_attach: takes up what the generation before has left. Returns 0, LANE_E_BROKEN. */
int hold_attach(struct hold *hold, struct lane_in *lane);
/*
 * Reader: as lane_in_peek(); lane->next is the record's position. LANE_E_CLOSED and LANE_E_LOST are final once hold_end() is 0.
 * LANE_E_EMPTY also while what was taken is not committed. Wait-free.
 */
int hold_peek(struct hold *hold, struct lane_in *lane, struct item_header *ret_header, const void **ret_payload);
/* Reader: steps over the record just peeked. Returns how many records before it were overwritten. */
uint64_t hold_advance(struct hold *hold, struct lane_in *lane);
/*
 * Reader, behind LANE_E_CLOSED or LANE_E_LOST: steps over the end of the lane. Returns how many records were overwritten and are not
 * counted yet; 0: nothing to do.
 */
uint64_t hold_end(struct hold *hold, struct lane_in *lane);
/* Reader: the turn is committed. */
void hold_settle(struct hold *hold);

/* Producer: instead of lane_out_rewind(). */
void lane_out_rewind_dropping(struct lane_out *lane);
/* Producer: as lane_out_reserve(), drops nothing. */
int lane_out_reserve_beside(struct lane_out *lane, uint64_t payload_bytes, void **ret_payload);
/*
 * Producer: gives up committed records, from the oldest on, until there is room for payload_bytes and an eighth of the lane
 * beside. Returns 0; LANE_E_FULL: what is not committed takes the room. Bounded by the records in the lane.
 */
int lane_out_drop(struct lane_out *lane, uint64_t payload_bytes);
