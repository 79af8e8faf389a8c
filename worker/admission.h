/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At the door of a lane that asks for more than "wait until there is room": `full: reject | drop-new`, `capacity: 0`. Of the general path of
 * output.c; plain edges never come here. Worker process.
 */
#pragma once

#include "worker/worker.h"

/* balance: key: looks for the item's key, and sets edge->key_lane. Nothing happens on other edges. An item without one is counted. */
void admission_find_lane(struct worker *worker, struct output_edge *edge, const void *data, size_t size_bytes);
/* Room for a payload that can't be built in its lane, because the lane depends on it. The worker's; until the next call. */
void *admission_scratch(struct worker *worker, size_t size_bytes);

/*
 * As lane_out_reserve(), but a lane of a rendezvous edge has room only while all that it held before the item in hand is done and
 * committed by its reader. Wait-free.
 */
int admission_reserve(const struct worker *worker, const struct output_edge *edge, uint32_t lane, size_t size_bytes,
		      void **ret_payload);

/*
 * full: drop-old, and no lane has room: the oldest records of this one go, once everything complete is committed. Returns as
 * admission_reserve(). LANE_E_FULL: the item in hand alone fills the lane, or what is complete has to be committed first.
 */
int admission_drop_old(const struct worker *worker, const struct output_edge *edge, uint32_t lane, size_t size_bytes,
		       void **ret_payload);

/*
 * No lane of the edge that the item may go to has room. True: the item is not to wait but to be skipped, by admission_skip(). False:
 * it has to wait, or what is complete has to be committed first, so that nothing is skipped that a reader could have made room for.
 */
bool admission_gives_up(const struct worker *worker, const struct output_edge *edge);

/*
 * The item in hand does not go to this edge: counted, with the item, as output_item_end() says; an operator's item that is refused is
 * kept as a dead letter now. Returns 0; WEIR_FAILED: it could not be kept, worker->reason says why. Blocks on the disk for a dead letter.
 */
int admission_skip(struct worker *worker, struct output_edge *edge, const void *data, size_t size_bytes);

/* The item in hand is complete: what was skipped of it goes into the ledger. */
void admission_item_end(struct worker *worker, struct output_edge *edge);

/* What was just pushed went nowhere, because every edge that it was meant for refused it. */
bool admission_refused(const struct worker *worker, uint32_t output);

/* True if the edge never lets its producer wait for room. */
static inline bool admission_never_waits(const struct output_edge *edge)
{
	return edge->heritage->full != HERITAGE_FULL_BLOCK;
}

/* Where the complete items end: behind it lies only what the item in hand has built. */
uint64_t admission_complete_end(const struct worker *worker, const struct output_lane *lane);

/* True if the lane has nothing in it that its reader has not done, but for what the item in hand has put there. */
bool admission_lane_empty(const struct worker *worker, const struct output_lane *lane);

/* True if every rendezvous lane's committed items are done and committed by their reader. Reads the readers' lines. Wait-free. */
bool admission_handed_over(const struct worker *worker);
/* Waits for that, at the start of a turn. Returns 0, WEIR_CANCELLED, what retire_move() says, -errno. */
int admission_hand_over(struct worker *worker);
/* The same for the start of a step: whether one may be begun. One look at a flag if there is no such edge. */
static inline bool admission_has_met(const struct worker *worker)
{
	return !worker->rendezvous || admission_handed_over(worker);
}
