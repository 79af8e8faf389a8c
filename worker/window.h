/* SPDX-License-Identifier: Apache-2.0 */
/* The window of weir/emit.h: the stage's own access to the lane of its one plain output, for one turn. */
#pragma once

#include "worker/worker.h"

/* Opens it if this stage may have one, on the lane of this turn, with at most a turn's worth of room. Wait-free. */
void window_open(struct worker *worker);

/*
 * Shuts it: what the stage has put there goes to the general books. Whole items (all of it, unless an item is in hand) count as
 * emitted; the rest belongs to the item in hand, as if output_push() had been called. Nothing happens if it is not open.
 */
void window_shut(struct worker *worker);

/* An item is about to be given to the stage: what is in the window so far is complete. */
static inline void window_item_begin(struct worker *worker)
{
	worker->window.item_next = worker->context.next;
}

/* True if the item in hand has put something there. */
static inline bool window_item_emitted(const struct worker *worker)
{
	return worker->window.item_next != worker->context.next;
}

/* Forgets what the item in hand has put there. */
void window_item_drop(struct worker *worker);
