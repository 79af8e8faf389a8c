/* SPDX-License-Identifier: Apache-2.0 */
/* Slots of a consumer that are given up: what lies in their lanes moves to the others. */
#pragma once

#include "worker/worker.h"

/* News on the board since the last look: a slot, anybody's, was retired, is dealt to again, or no more. One load. */
static inline bool retire_is_due(const struct worker *worker)
{
	return load_acquire(&worker->board->dealings) != worker->dealings_seen; /* [B2] mate: seat_retire */
}

/*
 * Between turns, with nothing built: deals to the lanes that the board names (dealing.h), and moves what those hold whose slots are
 * retired to the lanes that are left. Waits while those are full. Returns 0; WEIR_CANCELLED; WEIR_FAILED (worker->reason).
 */
int retire_move(struct worker *worker);

static inline int retire_check(struct worker *worker)
{
	return retire_is_due(worker) ? retire_move(worker) : 0;
}

/*
 * For a stage with a loop of its own, between steps and while it waits: the same without waiting. What finds no room now is moved
 * when this is called again; what the step at work has built must not move, so then nothing does. Returns 0; WEIR_FAILED
 * (worker->reason).
 */
int retire_advance(struct worker *worker);
/* True if that would do something now. Reads the consumers' lines only if something waits for room. */
bool retire_may_advance(const struct worker *worker);
/* The smallest record that waits for room; 0: nothing does. */
uint64_t retire_need_bytes(const struct worker *worker);
/* True if one of those that wait would find it now. Reads the consumers' lines. */
bool retire_has_room(const struct worker *worker);

/*
 * Before the lanes close: waits until the slots that may be retired have taken all that was sent to them, for after that nobody could
 * move it. Returns as retire_move().
 */
int retire_linger(struct worker *worker);
/* True when they have. Reads the consumers' lines. */
bool retire_is_drained(const struct worker *worker);
/* The same of one edge; true if its slots are never retired. */
bool retire_edge_is_drained(const struct output_edge *edge);
