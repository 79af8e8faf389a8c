/* SPDX-License-Identifier: Apache-2.0 */
/* Items whose time is over: before a stage has begun them (expires), and before they were let in (admission). */
#pragma once

#include "worker/worker.h"

/*
 * When the run of the item in hand is over, from its source on; in flush() the first of those begun since the last commit. UINT64_MAX:
 * never, or no item is in hand. In a callback.
 */
uint64_t expiry_of_hand_ns(const struct worker *worker);

/*
 * An item that the stage would be given now. True: its time is over, and it is counted as expired; the caller takes it and does not
 * begin it. Reads the clock, if items expire here.
 */
bool expiry_has_come(struct worker *worker, const struct weir_item *item);

/*
 * A source has found no room for its next item. True: that has waited for as long as it may; it is counted, and the source is told
 * WEIR_REJECTED. Otherwise it may wait until expiry_of_wait_ns().
 */
bool expiry_at_door(struct worker *worker);
/* It is about to wait, and perhaps for room. */
void expiry_begin_wait(struct worker *worker);
/* When the item that waits to be let in may wait no longer; 0: nothing waits, or it may for ever. */
static inline uint64_t expiry_of_wait_ns(const struct worker *worker)
{
	bool waits = worker->door.since_ns && worker->door.sequence == worker->cursor.sequence + worker->item_emitted;

	return waits ? worker->door.since_ns + worker->heritage.admission_ns : 0;
}
