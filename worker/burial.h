/* SPDX-License-Identifier: Apache-2.0 */
/* Where this worker's dead letters go: the pipeline's store, or the file that the spec names. */
#pragma once

#include <weir/stage.h>

#include "common/store/letter.h"
#include "worker/worker.h"

/*
 * Keeps a letter; what every letter of this worker has in common is filled in. Blocks on the disk. Returns 0, or WEIR_FAILED with
 * worker->reason set: then nothing was kept, and the item must stay undone.
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
 * The store that this worker keeps its letters in; it stays open to the end of the process. Returns 0 and the store, borrowed until a call
 * on it fails; what letter_store_open() returns; LETTER_STORE_E_NONE: a file takes them.
 */
struct letter_store;
int burial_open(struct worker *worker, struct letter_store **ret_store);
/* For log lines: "lies in ...". Borrowed, until the next call. */
const char *burial_place(const struct worker *worker);
