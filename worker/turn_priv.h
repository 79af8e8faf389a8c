/* SPDX-License-Identifier: Apache-2.0 */
/* What turn.c, the steps of run() and the turns of asynchronous stages have in common. */
#pragma once

#include "worker/input.h"
#include "worker/turn.h"

/* Before the first turn: what open() has put into the cursor is committed. */
void turn_start(struct worker *worker);
/* After the lanes are closed: stays until no output refers to an input any more, or everybody is to stop. May block. */
int turn_linger(struct worker *worker);
/* A turn begins: the clock is read, runs that are due end. */
void turn_begin(struct worker *worker);
/* Items that a turn takes at most. */
uint32_t turn_batch(const struct worker *worker);

/* Writes the item in hand where repair looks for the suspect; before the stage sees the item. */
void turn_note_hand(struct worker *worker, const struct input *input, uint64_t position);
/* How many workers this item has cost already. */
uint32_t turn_attempts(struct worker *worker, const struct input *input, uint64_t position);
/* An item that has cost too many: a dead letter, and its lines in the ledger. Taking it is the caller's. Returns 0 or WEIR_FAILED. */
int turn_give_up(struct worker *worker, const struct weir_item *item);
/*
 * Writes what the stage said of the item into the ledger and ends it, or drops what it did. Returns 0, or the status that ends
 * the turn.
 */
int turn_account(struct worker *worker, const struct weir_item *item, int status);
/* Forgets what the item in hand has emitted and put into the cursor. Returns `status`. */
int turn_drop(struct worker *worker, int status);
/* The item is a reference: the stage sees what it refers to. Returns 0 or WEIR_FAILED. */
int turn_follow(struct worker *worker, const struct input *input, struct weir_item *item);
/* The inputs have ended, and not all cleanly. Returns WEIR_CANCELLED if that is why, else WEIR_FAILED with worker->reason set. */
int turn_lost(struct worker *worker);
