/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters that are given to this stage again: what a worker takes beside its lanes. */
#pragma once

#include "common/store/letter.h"
#include "worker/worker.h"

/*
 * Whether `weir dlq replay` has marked letters since this worker last found none. Cheap enough for each turn: the word lies beside the
 * order, on a line that is written a few times in a run.
 */
static inline bool replay_is_due(const struct worker *worker)
{
	return load_relaxed(&worker->board->replays) != worker->replays_seen; /* the store says the rest [B4] */
}

enum { REPLAY_E_NONE = 110 }; /* no letter now */

/*
 * A turn of a stage with process(): gives it the letters that are marked for this slot, up to a batch, and commits. Returns 0,
 * WEIR_CANCELLED, WEIR_FAILED, negative errno. Blocks on the disk.
 */
int replay_turn(struct worker *worker);

/*
 * The next letter for this slot, from now on in hand: *ret_item lives until it has ended. input: only if it came by that edge, or
 * WEIR_ANY_INPUT. Returns 0; REPLAY_E_NONE; WEIR_FAILED with worker->reason; negative errno. Blocks on the disk.
 */
int replay_take(struct worker *worker, uint32_t input, struct weir_item *ret_item);
/* Whether replay_take() would say something else than REPLAY_E_NONE. */
bool replay_has(struct worker *worker, uint32_t input);
/* How many workers the letter in hand has cost since it was marked. */
uint32_t replay_attempts(const struct worker *worker);
/* How many of those before it became a letter were overruns, as far as the letter says so; 0 without a letter in hand. */
uint32_t replay_overruns(const struct worker *worker);
/* Writes the letter in hand where repair looks for the suspect. */
void replay_note_hand(struct worker *worker, const struct weir_item *item);
bool replay_in_hand(const struct worker *worker);
/* That letter, while there is one in hand. */
const struct dead_letter *replay_letter(const struct worker *worker);
/* From when the run of the letter in hand counts, as that of an item does from its acceptance. Monotonic. */
uint64_t replay_begun_ns(const struct worker *worker);
/* The stage has said what it says of an item, and that stands in the ledger: the letter is taken with the next commit. */
void replay_end(struct worker *worker);
/* It has not: the letter stays what it was. */
void replay_drop(struct worker *worker);

/*
 * The letter in hand has failed again: back into the store, with all that has become of it. n_attempts: that it has cost in its life.
 * Returns 0 or WEIR_FAILED.
 */
int replay_bury(struct worker *worker, enum dead_letter_cause cause, const char *reason, uint32_t n_attempts);

/*
 * Before a commit of a worker that has replay state: the store is told which letters it takes. Returns 0, WEIR_FAILED with
 * worker->reason: then it must not commit. Blocks on the disk.
 */
int replay_prepare(struct worker *worker);
/* In the middle of an item, where no way leads back: the process ends if the store can't be told, and nothing has happened. */
void replay_must_prepare(struct worker *worker);
/* Around that commit: the number goes into the record; then the letters leave the store. */
void replay_collect(struct worker *worker);
void replay_settle(struct worker *worker);
/* Letters that were taken could not be removed: WEIR_FAILED with worker->reason, else 0. After a commit. */
int replay_failure(struct worker *worker);

void replay_detach(struct worker *worker);
