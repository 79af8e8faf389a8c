/* SPDX-License-Identifier: Apache-2.0 */
/* The stage's keyed state (weir/state.h): entries in a store, and a log of what has changed since that was last written. */
#pragma once

#include <weir/state.h>

#include "common/base/text.h"
#include "worker/worker.h"

/*
 * A stage that says WEIR_STAGE_STATE, before its open(): finds the entries as the last commit left them. Nothing for any other stage. May
 * block on the disk. Returns 0; negative errno with `why`.
 */
int keyed_attach(struct worker *worker, struct text *why);
/* Fine if there is none. What is not folded lies in the slot's memory. */
void keyed_detach(struct worker *worker);

/* What include/weir/state.h promises. */
int keyed_get(struct weir_context *context, const void *key, size_t key_size_bytes, const void **ret_value,
	      size_t *ret_size_bytes);
int keyed_put(struct weir_context *context, const void *key, size_t key_size_bytes, const void *value,
	      size_t size_bytes);
int keyed_delete(struct weir_context *context, const void *key, size_t key_size_bytes);
int keyed_seek(struct weir_context *context, const void *prefix, size_t prefix_size_bytes, bool next,
	       struct weir_state_entry *entry);
int keyed_usage(struct weir_context *context, uint64_t *ret_used_bytes, uint64_t *ret_size_bytes);

/* ---- for the turn ---- */

/* The item in hand is complete: what it has changed goes with the next commit. Nothing where there is no state. */
void keyed_item_end(struct worker *worker);
/* What was changed since the last complete item has not happened. Nothing where there is no state. */
void keyed_item_drop(struct worker *worker);
/* The others are for a stage that has state only. Whether the item in hand, or what has no item, has changed something. */
bool keyed_item_changed(const struct worker *worker);
/* May the turn commit: what was asked of the state has been done. Returns 0, or WEIR_FAILED with worker->reason. */
int keyed_check(struct worker *worker);
/* Puts into the cursor how much of the log counts with the commit at hand. Nothing where there is no state. */
void keyed_collect(struct worker *worker);
/* After a commit, with no item in hand: writes the log into the store if it is due. May block on the disk. Returns 0 or WEIR_FAILED. */
int keyed_settle(struct worker *worker);
