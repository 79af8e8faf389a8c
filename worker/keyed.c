/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two things must agree on what the stage remembers: its entries, which are more than memory may hold, and the commit record, by which a
 * turn has happened or not. So an entry is not changed in two places at one time, but in one after the other:
 *
 *      put, delete     a record behind the end of the log (slot's memory), and into the store's open transaction (own memory)
 *      item ends       mark := end. Dropped: the transaction is undone, the log is cut at the mark
 *      commit          cursor.state_end := mark, with outputs, ledger and dones, by the one commit record
 *      fold            now and then, behind a commit: the transaction becomes the file's, with position := end; the log begins there
 *
 *      the file                     the log                          cursor
 *      all up to `position`         position ... state_end ... end   state_end
 *
 * What holds at each instruction: file + log[position, state_end) is what the last commit left. Killed before a commit: what lies behind
 * state_end is forgotten. Killed after: the next generation opens the file and takes the rest from the log. Killed in a fold: LMDB has
 * the transaction whole or not at all, and the position says which: it is the log's beginning (not folded), or state_end (folded; the log
 * was not told, and begins there now). Anything else is not our file.
 *
 * The file needs no log before the first fold: then it is made anew, so no half-made one and none of an earlier run is ever looked at.
 *
 * An error of LMDB in the middle of a turn spoils its transaction; the log has all of it. So the turn fails, what is committed
 * counts, and the next generation finds everything in its place.
 */
#include "worker/keyed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "worker/keyed_log.h"
#include "worker/keyed_undo.h"

#define ITEM_BYTES_MAX (KEYED_LOG_SIZE_MAX / 2)
#define TURN_BYTES (1UL << 20) /* the turn ends when it has changed so much */
#define FOLD_BYTES (2UL << 20) /* a fold is due ... */
#define FOLD_CHANGES 8192u     /* ... each of which may have made a page its own */

struct keyed {
	struct state_store *store;
	struct keyed_log log;
	struct keyed_undo undo; /* of what lies behind the mark */
	uint64_t mark;          /* end of what complete items have changed */
	uint32_t n_changes;     /* since the last fold */
	bool spoilt;            /* the transaction does not hold what the log does: nothing is asked of it any more */
	bool failed;            /* ... and what the item in hand has asked for was not done ... */
	bool lost;              /* ... and the item was complete for all that: no turn commits */
	struct text why;
};

static_assert(WEIR_STATE_KEY_SIZE_MAX == STATE_STORE_KEY_MAX, "what is promised can be kept");
static_assert(2 * (FOLD_BYTES + TURN_BYTES) + 2 * (uint64_t)WEIR_STATE_VALUE_SIZE_MAX < ITEM_BYTES_MAX,
	      "beside the largest item there is room for what may lie in the log");

/* ---- errors ---- */

static void explain(const struct worker *worker, int r, struct text *why)
{
	if (r == -ENOMEM)
		text_printf(why, "no memory for what the stage remembers; lower `state:`, or free memory");
	else
		state_store_explain(worker->heritage.state_path, r, why);
}

/* Returns WEIR_FAILED, with the reason. */
static int say(struct worker *worker)
{
	snprintf(worker->reason, sizeof(worker->reason), "its state fails it: %s", text_get(&worker->keyed->why));
	return WEIR_FAILED;
}

/* The stage can't go on. Returns WEIR_FAILED. */
static int fail(struct worker *worker, int r)
{
	struct keyed *keyed = worker->keyed;

	if (!keyed->spoilt)
		explain(worker, r, &keyed->why);
	keyed->spoilt = true;
	return say(worker);
}

/* ---- attach ---- */

static int apply(struct state_store *store, const struct keyed_change *change)
{
	return change->removes ? state_store_remove(store, change->key) :
				 state_store_put(store, change->key, change->value);
}

/* The store is as it was at the last fold: what was committed since then. */
static int replay(struct keyed *keyed)
{
	uint64_t position = keyed->log.begin;
	struct keyed_change change;
	int r;

	while ((r = keyed_log_next(&keyed->log, keyed->log.end, &position, &change)) == 0) {
		r = apply(keyed->store, &change);
		if (r)
			return r > 0 ? STATE_STORE_E_DAMAGED : r;
		keyed->n_changes++;
	}
	return r == KEYED_LOG_E_NONE ? 0 : STATE_STORE_E_DAMAGED;
}

static int find_entries(struct keyed *keyed)
{
	uint64_t position = state_store_position(keyed->store);

	if (position == keyed->log.end && position > keyed->log.begin) /* killed behind a fold */
		keyed_log_reset(&keyed->log);
	return position == keyed->log.begin ? replay(keyed) : STATE_STORE_E_DAMAGED;
}

static bool keeps_state(const struct worker *worker)
{
	return worker->stage.flags & WEIR_STAGE_STATE ||
	       (worker->stage.flags & WEIR_STAGE_STATE_IF_GIVEN && worker->heritage.state_bytes);
}

int keyed_attach(struct worker *worker, struct text *why)
{
	struct heritage *heritage = &worker->heritage;
	struct keyed *keyed;
	int r;

	if (!keeps_state(worker))
		return 0;
	if (heritage->state_fd < 0 || !heritage->state_path) {
		text_printf(why, "it keeps state now, which it did not say when the spec was read; start again");
		return error_origin(-EINVAL);
	}
	worker->keyed = keyed = calloc(1, sizeof(*keyed));
	must(keyed);
	r = keyed_log_attach(&keyed->log, heritage->state_fd, worker->cursor.state_end);
	heritage->state_fd = -1; /* the log's */
	keyed->mark = keyed->log.end;
	if (r == 0)
		r = state_store_open(heritage->state_path, heritage->state_bytes, !keyed->log.begin, &keyed->store);
	else if (r > 0)
		r = STATE_STORE_E_DAMAGED;
	if (r == 0)
		r = find_entries(keyed);
	if (r == 0)
		return 0;
	explain(worker, r, why);
	return r < 0 ? r : error_origin(-EBADMSG);
}

void keyed_detach(struct worker *worker)
{
	struct keyed *keyed = worker->keyed;

	if (!keyed)
		return;
	state_store_close(keyed->store);
	keyed_log_detach(&keyed->log);
	keyed_undo_deinit(&keyed->undo);
	text_deinit(&keyed->why);
	free(keyed);
	worker->keyed = NULL;
}

/* ---- the stage's calls ---- */

/* What the item in hand wants can't be done. Nobody may overlook that. */
static int refuse(struct worker *worker)
{
	worker->keyed->failed = true;
	return say(worker);
}

static int fail_item(struct worker *worker, int r)
{
	fail(worker, r);
	return refuse(worker);
}

/* Returns 0 if the stage may ask. */
static int ready(struct worker *worker, size_t key_size_bytes)
{
	if (!worker->keyed)
		return error_origin(-EPERM);
	if (worker->keyed->spoilt)
		return refuse(worker);
	return !key_size_bytes || key_size_bytes > WEIR_STATE_KEY_SIZE_MAX ? error_origin(-EINVAL) : 0;
}

/* What the store says, as what the stage is told. */
static int answer(struct worker *worker, int r)
{
	return r == 0 ? WEIR_OK : r == STATE_STORE_E_NONE ? -ENOENT : fail_item(worker, r);
}

int keyed_get(struct weir_context *context, const void *key, size_t key_size_bytes, const void **ret_value,
	      size_t *ret_size_bytes)
{
	struct worker *worker = worker_of(context);
	struct state_bytes value;
	int r = ready(worker, key_size_bytes);

	if (r)
		return r;
	r = state_store_get(worker->keyed->store, (struct state_bytes){ key, key_size_bytes }, &value);
	if (r == 0) {
		*ret_value = value.data;
		*ret_size_bytes = value.size_bytes;
	}
	return answer(worker, r);
}

/* Notes what the key had. Returns 0, STATE_STORE_E_NONE if it had nothing, or what went wrong. */
static int note_before(struct keyed *keyed, struct state_bytes key)
{
	struct state_bytes before = { NULL, 0 };
	int found = state_store_get(keyed->store, key, &before), r = 0;

	if (found == 0 || found == STATE_STORE_E_NONE)
		r = keyed_undo_note(&keyed->undo, key, before);
	return r ? r : found;
}

static int change(struct worker *worker, const struct keyed_change *wanted)
{
	struct keyed *keyed = worker->keyed;
	struct keyed_change written;
	int r;

	if (keyed->log.end - keyed->mark + wanted->key.size_bytes + wanted->value.size_bytes > ITEM_BYTES_MAX)
		return WEIR_TOO_LARGE;
	r = keyed_log_write(&keyed->log, wanted, &written);
	if (r == KEYED_LOG_E_FULL)
		return WEIR_TOO_LARGE;
	if (r)
		return fail_item(worker, r);
	r = note_before(keyed, written.key);
	if (r == STATE_STORE_E_NONE && written.removes) {
		keyed_undo_unnote(&keyed->undo);
		return -ENOENT;
	}
	if (r && r != STATE_STORE_E_NONE)
		return fail_item(worker, r);
	r = apply(keyed->store, &written);
	if (r == STATE_STORE_E_FULL) {
		keyed_undo_unnote(&keyed->undo);
		return WEIR_FULL;
	}
	if (r)
		return fail_item(worker, r);
	keyed_log_push(&keyed->log, &written);
	keyed->n_changes++;
	worker->asked = true;
	worker->keyed_full = keyed->log.end - worker->cursor.state_end >= TURN_BYTES;
	return WEIR_OK;
}

int keyed_put(struct weir_context *context, const void *key, size_t key_size_bytes, const void *value,
	      size_t size_bytes)
{
	struct worker *worker = worker_of(context);
	const struct keyed_change wanted = { .key = { key, key_size_bytes }, .value = { value, size_bytes } };
	int r = ready(worker, key_size_bytes);

	if (r == 0 && worker->phase == PHASE_NONE)
		r = error_origin(-EPERM);
	if (r == 0 && size_bytes > WEIR_STATE_VALUE_SIZE_MAX)
		r = WEIR_TOO_LARGE;
	return r ? r : change(worker, &wanted);
}

int keyed_delete(struct weir_context *context, const void *key, size_t key_size_bytes)
{
	struct worker *worker = worker_of(context);
	const struct keyed_change wanted = { .key = { key, key_size_bytes }, .removes = true };
	int r = ready(worker, key_size_bytes);

	if (r == 0 && worker->phase == PHASE_NONE)
		r = error_origin(-EPERM);
	return r ? r : change(worker, &wanted);
}

int keyed_seek(struct weir_context *context, const void *prefix, size_t prefix_size_bytes, bool next,
	       struct weir_state_entry *entry)
{
	struct worker *worker = worker_of(context);
	struct state_bytes from = { prefix, prefix_size_bytes }, key, value;
	int r = ready(worker, prefix_size_bytes ? prefix_size_bytes : 1);

	if (r)
		return r;
	if (next)
		from = (struct state_bytes){ entry->key, entry->key_size_bytes };
	r = state_store_seek(worker->keyed->store, from, next, &key, &value);
	if (r == 0 && (key.size_bytes < prefix_size_bytes ||
		       (prefix_size_bytes && memcmp(key.data, prefix, prefix_size_bytes) != 0)))
		r = STATE_STORE_E_NONE;
	if (r)
		return answer(worker, r);
	memcpy(entry->key, key.data, key.size_bytes);
	entry->key[key.size_bytes] = '\0';
	entry->key_size_bytes = key.size_bytes;
	entry->value = value.data;
	entry->size_bytes = value.size_bytes;
	return WEIR_OK;
}

int keyed_usage(struct weir_context *context, uint64_t *ret_used_bytes, uint64_t *ret_size_bytes)
{
	struct worker *worker = worker_of(context);
	int r = ready(worker, 1);

	if (r)
		return r;
	*ret_used_bytes = state_store_used_bytes(worker->keyed->store);
	*ret_size_bytes = worker->heritage.state_bytes;
	return WEIR_OK;
}

/* ---- the turn ---- */

void keyed_item_end(struct worker *worker)
{
	struct keyed *keyed = worker->keyed;

	if (!keyed)
		return;
	keyed->mark = keyed->log.end;
	keyed_undo_clear(&keyed->undo);
	keyed->lost = keyed->lost || keyed->failed;
}

void keyed_item_drop(struct worker *worker)
{
	struct keyed *keyed = worker->keyed;
	int r = !keyed || keyed->spoilt ? 0 : keyed_undo_apply(&keyed->undo, keyed->store);

	if (!keyed)
		return;
	keyed_undo_clear(&keyed->undo);
	keyed_log_cut(&keyed->log, keyed->mark);
	keyed->failed = false;
	if (r)
		fail(worker, r);
}

int keyed_check(struct worker *worker)
{
	return worker->keyed->lost ? say(worker) : 0;
}

bool keyed_item_changed(const struct worker *worker)
{
	return worker->keyed->log.end != worker->keyed->mark;
}

void keyed_collect(struct worker *worker)
{
	if (worker->keyed)
		worker->cursor.state_end = worker->keyed->mark;
}

int keyed_settle(struct worker *worker)
{
	struct keyed *keyed = worker->keyed;
	int r;

	worker->keyed_full = false;
	if (keyed->log.end - keyed->log.begin < FOLD_BYTES && keyed->n_changes < FOLD_CHANGES)
		return 0;
	must(keyed->log.end == worker->cursor.state_end);
	r = state_store_fold(keyed->store, keyed->log.end);
	if (r)
		return fail(worker, r);
	keyed_log_reset(&keyed->log);
	keyed->n_changes = 0;
	return 0;
}
