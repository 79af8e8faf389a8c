/* SPDX-License-Identifier: Apache-2.0 */
/* Where this worker's dead letters go: the pipeline's store, or the file that the spec names. */
#pragma once

#include <weir/stage.h>

#include "common/store/letter.h"
#include "worker/worker.h"

/*
 * Keeps a letter, which is durable before the next commit; what every letter of this worker has in common is filled in. May block on
 * the disk. Returns 0, or WEIR_FAILED with worker->reason set: then it was not kept, and the item must stay undone. Without memory for it
 * the process ends, with its item in hand.
 */
int burial_keep(struct worker *worker, struct dead_letter *letter);
/* An item out of an input lane: the one in hand, or (DEAD_LETTER_ATTEMPTS) the suspect. Returns as burial_keep(). */
int burial_of_item(struct worker *worker, const struct weir_item *item, enum dead_letter_cause cause,
		   const char *reason);
/*
 * The item in hand, whose stage has ended it with WEIR_REJECTED, or has tried it by itself as often as it may: WEIR_EXPIRED,
 * WEIR_PEER_LOST. worker->reason says why. Returns as burial_keep().
 */
int burial_by_stage(struct worker *worker, const struct weir_item *item, int status);
/*
 * The store that this worker keeps its letters in; it stays open to the end of the worker. Returns 0 and the store, borrowed until a call
 * on it fails; what letter_store_open() returns; LETTER_STORE_E_NONE: a file takes them.
 */
struct letter_store;
int burial_open(struct worker *worker, struct letter_store **ret_store);
/*
 * Before a commit of a worker that has kept letters since the last one (worker->n_letters): they become durable, with one sync for all
 * of them. Returns 0; WEIR_FAILED with worker->reason set: then it must not commit, now or later; or ends the process, if there is no room
 * for them together: the next generation keeps each as it comes. Blocks on the disk and on who else writes.
 */
int burial_settle(struct worker *worker);
/* In the middle of an item, where no way leads back: the process ends if they can't be kept, and nothing has happened. */
void burial_must_settle(struct worker *worker);
/* What is not durable is forgotten, and the store closed. */
void burial_detach(struct worker *worker);
/* For log lines: "lies in ...". Borrowed, until the next call. */
const char *burial_place(const struct worker *worker);
