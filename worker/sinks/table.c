/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: table. Each item is a change of a table: its key has this value from now on, or none.
 *
 *      process    the change goes into LMDB's open transaction (own memory) and behind the end of a log (spool, outlives the worker): held
 *      commit     cursor.end := end of the log, by the turn's one commit record
 *      produce    when it is time: the transaction becomes the table's, with mark := end. The log is empty then, its items are delivered
 *
 *      the table                    the log                    cursor
 *      all up to `mark`             base ... end               base, end, how many items
 *
 * At each instruction table + log are what the last commit left. Killed before the table's commit: mark is base, and the next worker puts
 * the log into a transaction of its own. Killed behind it: mark is end, and the next worker forgets the log. Any other mark is of
 * somebody else, who has written meanwhile. So an item takes effect once, and is delivered when the table has it.
 *
 * Should LMDB fail (no page is free because somebody reads an old state; the disk is full), its transaction is gone and the log has all of
 * it: it is tried again, and again, and items wait. In produce(), where no item is in hand and no deadline runs.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <weir/key.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/text.h"
#include "common/record/entry.h"
#include "worker/builtin.h"
#include "worker/sinks/table_log.h"
#include "worker/sinks/table_watch.h"

#define LOG_BYTES (UINT64_C(1) << 20) /* a commit is due ... */
#define LOG_ITEMS 8192u               /* ... each of which may have made a page its own */
#define TRIES_MAX 3u
#define AGAIN_NS (100 * NS_PER_MS)
#define POSTPONE_NS (10 * NS_PER_MS)

/* Lies in the stage's cursor. */
struct table_cursor {
	uint64_t run;       /* this run's number, in marks; 0: none yet */
	uint64_t base, end; /* of the log, counted from the run's beginning */
	uint64_t n_held;    /* items in it */
};
static_assert(sizeof(struct table_cursor) == 4 * sizeof(uint64_t), "as its descriptor says");

struct table {
	struct table_store *store;
	struct table_log log;
	struct table_watch watch;
	struct weir_key *key, *delete_key; /* delete_key: NULL: nothing is ever taken out */
	bool key_is_json, delete_is_json;
	const char *path;
	uint64_t every_ns, began_ns; /* when the log's first item came */
	bool committed;              /* the table has the log already */
	bool spoilt;                 /* the transaction does not hold what the log does */
	bool clear_due;              /* before the first change */
	bool said;                   /* why items wait */
	struct record_scratch key_text, value, names;
};

/* ---- open ---- */

static int fail(struct weir_context *context, const struct table *state, int r)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	table_store_explain(state->path, r, &why);
	weir_fail(context, "%s", text_get(&why));
	return WEIR_FAILED;
}

/* This run has not written yet, and is to begin with an empty table. */
static bool clears(const struct weir_context *context, const struct table_cursor *cursor)
{
	return cursor->base == 0 && strcmp(weir_option_string(context, "existing"), "replace") == 0;
}

static bool is_mark(struct table_mark mark, uint64_t run, uint64_t position)
{
	return mark.run == run && mark.position == position;
}

static int begin_run(struct table_cursor *cursor)
{
	while (!cursor->run)
		if (getrandom(&cursor->run, sizeof(cursor->run), 0) != (ssize_t)sizeof(cursor->run))
			return error_origin(-errno);
	return 0;
}

/* What an earlier worker has left: is the log in the table? */
static int find_place(struct weir_context *context, struct table *state, struct table_cursor *cursor)
{
	struct table_mark mark = table_store_mark(state->store);

	if (!cursor->run)
		return begin_run(cursor);
	state->committed = cursor->end != cursor->base && is_mark(mark, cursor->run, cursor->end);
	state->spoilt = cursor->end != cursor->base && !state->committed;
	if (state->committed || is_mark(mark, cursor->run, cursor->base) ||
	    (cursor->base == 0 && mark.run != cursor->run))
		return 0;
	weir_fail(context, "somebody else has written the table %s while this stage's worker was replaced; start again",
		  state->path);
	return WEIR_FAILED;
}

static void table_close(struct weir_context *context, void *data)
{
	struct table *state = data;

	table_store_close(state->store);
	table_log_deinit(&state->log);
	weir_key_free(context, state->key);
	weir_key_free(context, state->delete_key);
	record_scratch_deinit(&state->key_text);
	record_scratch_deinit(&state->value);
	record_scratch_deinit(&state->names);
	free(state);
}

static int open_keys(struct weir_context *context, struct table *state)
{
	const char *key = weir_option_string(context, "key"), *gone = weir_option_string(context, "delete");
	int r = weir_key_new(context, key, &state->key);

	state->key_is_json = key[0] == '.';
	if (r != WEIR_OK || !gone)
		return r;
	state->delete_is_json = gone[0] == '.';
	return weir_key_new(context, gone, &state->delete_key);
}

static int table_open(struct weir_context *context, void **ret_state)
{
	struct table_cursor *cursor = weir_cursor(context);
	struct table *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	state->path = weir_option_string(context, "path");
	state->every_ns = (uint64_t)weir_option_integer(context, "every");
	state->began_ns = clock_now_ns();
	table_log_init(&state->log, weir_spool(context, 0), cursor->end - cursor->base);
	r = open_keys(context, state);
	if (r == WEIR_OK) {
		r = table_store_open(state->path, TABLE_STORE_WRITE, (uint64_t)weir_option_integer(context, "size"),
				     &state->store);
		r = r == 0 ? find_place(context, state, cursor) : fail(context, state, r);
	}
	state->clear_due = r == 0 && clears(context, cursor);
	if (r == 0)
		*ret_state = state;
	else
		table_close(context, state);
	return r;
}

/* ---- items ---- */

/* What could not be done now will be done in produce(), soon. */
static int put_off(struct weir_context *context, struct table *state)
{
	state->spoilt = true;
	weir_watch(context, -1, 0, clock_now_ns());
	return weir_postpone(context, clock_now_ns() + POSTPONE_NS);
}

static int reject_full(struct weir_context *context, const struct table *state)
{
	weir_reject(context, "no room for it: the table %s has as many entries as `size:` allows", state->path);
	return WEIR_REJECTED;
}

static int apply(struct table_store *store, const struct table_change *change)
{
	int r = change->removes ? table_store_remove(store, change->key) :
				  table_store_put(store, change->key, change->value);

	return change->removes && r == TABLE_STORE_E_NONE ? 0 : r;
}

/* Into the transaction, then into the log. */
static int take(struct weir_context *context, struct table *state, const struct table_change *change)
{
	struct table_cursor *cursor = weir_cursor(context);
	int r = state->clear_due ? table_store_clear(state->store) : 0;

	state->clear_due = state->clear_due && r != 0;
	if (r == 0)
		r = apply(state->store, change);
	if (r == TABLE_STORE_E_FULL)
		return reject_full(context, state);
	if (r == TABLE_STORE_E_DAMAGED)
		return fail(context, state, r);
	if (r != 0)
		return put_off(context, state);
	if (!cursor->n_held)
		state->began_ns = weir_now_ns(context);
	cursor->end += table_log_add(&state->log, change);
	cursor->n_held++;
	if (cursor->end - cursor->base >= LOG_BYTES || cursor->n_held >= LOG_ITEMS)
		weir_produce_next(context);
	return WEIR_HELD;
}

/* Whether the item takes its key out. Returns 0 or 1; WEIR_FAILED. */
static int takes_out(struct weir_context *context, struct table *state, const struct weir_item *item)
{
	const void *bytes;
	size_t size_bytes;
	int r;

	if (!state->delete_key)
		return 0;
	r = weir_key_bytes(context, state->delete_key, item, &bytes, &size_bytes);
	if (r != WEIR_OK)
		return r == -ENOENT ? 0 : r;
	return !(state->delete_is_json && size_bytes == 5 && memcmp(bytes, "false", 5) == 0);
}

/* Returns 0; WEIR_REJECTED after weir_reject(); WEIR_FAILED. */
static int find_key(struct weir_context *context, struct table *state, const struct weir_item *item,
		    struct table_bytes *ret_key)
{
	const char *name = weir_option_string(context, "key");
	struct record_fault fault;
	int r = weir_key_bytes(context, state->key, item, &ret_key->data, &ret_key->size_bytes);

	if (r == -ENOENT) {
		weir_reject(context, "it has no key (%s)", name);
		return WEIR_REJECTED;
	}
	if (state->key_is_json && entry_key(&state->key_text, ret_key->data, ret_key->size_bytes, &ret_key->data,
					    &ret_key->size_bytes, &fault) != 0) {
		weir_reject(context, "its key (%s) can't be read: %s", name, fault.why);
		return WEIR_REJECTED;
	}
	if (ret_key->size_bytes && ret_key->size_bytes <= TABLE_STORE_KEY_MAX)
		return 0;
	weir_reject(context, "its key (%s) has %zu bytes, and a table's keys have 1 to %u", name, ret_key->size_bytes,
		    TABLE_STORE_KEY_MAX);
	return WEIR_REJECTED;
}

static int table_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	bool structured = entry_is_structured(item->data, item->size_bytes);
	struct table_change change = { 0 };
	struct table *state = data;
	struct record_fault fault;
	int r;

	if (state->spoilt || state->committed)
		return put_off(context, state);
	r = find_key(context, state, item, &change.key);
	if (r == 0)
		r = takes_out(context, state, item);
	change.removes = r == 1;
	if (r != 0 && r != 1)
		return r;
	if (!change.removes && entry_value(&state->value, &state->names, structured, item->data, item->size_bytes,
					   &change.value.data, &change.value.size_bytes, &fault) != 0) {
		weir_reject(context, "it is no value for a table: %s: is what comes here decoded?", fault.why);
		return WEIR_REJECTED;
	}
	return take(context, state, &change);
}

static int table_flush(struct weir_context *context, void *data)
{
	struct table_cursor *cursor = weir_cursor(context);
	struct table *state = data;

	table_log_cut(&state->log, cursor->end - cursor->base); /* of an item that was dropped */
	if (cursor->n_held)
		weir_watch(context, -1, 0, state->began_ns + (state->spoilt ? 0 : state->every_ns));
	return table_log_write(&state->log);
}

/* ---- the table's commit ---- */

static int apply_again(void *data, const struct table_change *change)
{
	return apply(data, change);
}

/* All that the log holds, into a new transaction. */
static int redo(struct weir_context *context, struct table *state)
{
	int r = 0;

	table_store_forget(state->store);
	if (clears(context, weir_cursor(context)))
		r = table_store_clear(state->store);
	if (r == 0)
		r = table_log_replay(&state->log, apply_again, state->store);
	state->clear_due = false; /* as long as it is spoilt nobody asks */
	state->spoilt = r != 0;
	return r;
}

static int try_commit(struct weir_context *context, struct table *state)
{
	const struct table_cursor *cursor = weir_cursor(context);
	int r = state->spoilt ? redo(context, state) : 0;

	if (r == 0)
		r = table_store_commit(state->store, (struct table_mark){ cursor->run, cursor->end });
	state->spoilt = r != 0;
	return r;
}

/* What passes by itself, or when somebody does something. */
static bool may_pass(int r)
{
	return r == TABLE_STORE_E_HELD || r == -ENOSPC || r == -EDQUOT || r == -EIO || r == -ENOMEM;
}

static void say(struct table *state, int r)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL, who = TEXT_NULL;

	if (state->said)
		return;
	state->said = true;
	table_store_explain(state->path, r, &why);
	if (r == TABLE_STORE_E_HELD) {
		text_add(&who, ": ");
		table_watch_name(&state->watch, state->store, clock_now_ns(), &who);
	}
	weir_log(WEIR_LOG_WARNING, "%s%s; items wait", text_get(&why), text_get(&who));
}

/* Returns 0; WEIR_FAILED; what weir_wait() says otherwise. */
static int commit(struct weir_context *context, struct table *state)
{
	unsigned n_tries = 0;
	int r;

	while ((r = try_commit(context, state)) != 0) {
		if (r == -EFBIG && n_tries++ < TRIES_MAX)
			continue; /* whoever had an old view may have ended it just then */
		if (!may_pass(r))
			return fail(context, state, r);
		say(state, r);
		r = weir_wait(context, NULL, 0, clock_now_ns() + AGAIN_NS);
		if (r != WEIR_OK && r != WEIR_EXPIRED)
			return r;
	}
	if (state->said)
		weir_log(WEIR_LOG_NOTICE, "the table %s has room again: items go on", state->path);
	state->said = false;
	table_watch_commit(&state->watch, state->store, state->path, clock_now_ns());
	return 0;
}

static int table_produce(struct weir_context *context, void *data)
{
	struct table_cursor *cursor = weir_cursor(context);
	struct table *state = data;
	int r = 0;

	if (!cursor->n_held && !state->spoilt && !state->committed)
		return 0;
	if (!state->committed)
		r = commit(context, state);
	if (r != 0)
		return r;
	if (cursor->n_held)
		weir_settle(context, cursor->n_held);
	cursor->base = cursor->end;
	cursor->n_held = 0;
	state->committed = false;
	table_log_reset(&state->log);
	return 0;
}

static int table_finish(struct weir_context *context, void *data)
{
	const struct table_cursor *cursor = weir_cursor(context);
	struct table *state = data;

	if (state->clear_due && !cursor->n_held)
		state->spoilt = true; /* nothing came, and what was there goes */
	return cursor->n_held || state->spoilt ? WEIR_MORE : 0;
}

const struct weir_stage table_sink_callbacks = {
	.open = table_open,
	.process = table_process,
	.produce = table_produce,
	.flush = table_flush,
	.finish = table_finish,
	.close = table_close,
};
