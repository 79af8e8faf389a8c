/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: lookup. What a table has for an item's key becomes a member of the item.
 *
 *      turn      item, item, item            flush    sleep         item, item ...
 *      table     view: commit 17 ......      ended    (none)        view: commit 19 ...
 *
 * A view keeps the writer from using pages again, so it is never held over a wait: it ends with the turn, and before an item that does not
 * fit the lane's window, since the runtime may then wait for room. What came before that item and what comes after it may so see
 * two views, of which the second is not older. An item sees one: what it becomes is put together before it leaves.
 *
 * Nothing is remembered, so there is nothing that a kill could spoil; the seat of a dead worker among the readers is found by its
 * successor, or by the writer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/key.h>
#include <weir/record.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/text.h"
#include "common/record/entry.h"
#include "common/record/json.h"
#include "common/store/table_store.h"
#include "worker/builtin.h"

#define LOOK_AGAIN_NS (100 * NS_PER_MS) /* for a table that is not there */

enum missing { MISSING_PASS, MISSING_REJECT, MISSING_DROP };

struct lookup {
	struct table_store *store; /* NULL: there was none at look_ns */
	uint64_t look_ns;
	struct weir_key *key;
	bool key_is_json;
	const char *path, *into;
	enum missing missing;
	enum weir_form form;
	struct record_scratch key_text, value, names, joined, text;
};

static int fail(struct weir_context *context, const struct lookup *state, int r)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	table_store_explain(state->path, r, &why);
	weir_fail(context, "%s", text_get(&why));
	return WEIR_FAILED;
}

static bool is(const struct weir_context *context, const char *option, const char *word)
{
	return strcmp(weir_option_string(context, option), word) == 0;
}

static void lookup_close(struct weir_context *context, void *data)
{
	struct lookup *state = data;

	table_store_close(state->store);
	weir_key_free(context, state->key);
	record_scratch_deinit(&state->key_text);
	record_scratch_deinit(&state->value);
	record_scratch_deinit(&state->names);
	record_scratch_deinit(&state->joined);
	record_scratch_deinit(&state->text);
	free(state);
}

/* Opens it, if there is one. Returns 0, WEIR_FAILED. */
static int find_table(struct weir_context *context, struct lookup *state, bool required)
{
	int r = table_store_open(state->path, TABLE_STORE_READ, 0, &state->store);

	state->look_ns = weir_now_ns(context) + LOOK_AGAIN_NS;
	if (r == 0 || (r == TABLE_STORE_E_NONE && !required))
		return 0;
	return fail(context, state, r);
}

static int lookup_open(struct weir_context *context, void **ret_state)
{
	struct lookup *state = calloc(1, sizeof(*state));
	const char *key = weir_option_string(context, "key");
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	state->path = weir_option_string(context, "path");
	state->into = weir_option_string(context, "into");
	state->form = weir_form(context);
	state->key_is_json = key[0] == '.';
	state->missing = is(context, "missing", "reject") ? MISSING_REJECT :
			 is(context, "missing", "drop")   ? MISSING_DROP :
							    MISSING_PASS;
	r = weir_key_new(context, key, &state->key);
	if (r == WEIR_OK)
		r = find_table(context, state, is(context, "absent", "fail"));
	if (r == 0)
		*ret_state = state;
	else
		lookup_close(context, state);
	return r;
}

/* The table has nothing for it. */
static int answer_missing(struct weir_context *context, struct lookup *state, const struct weir_item *item,
			  bool has_key)
{
	switch (state->missing) {
	case MISSING_REJECT:
		weir_reject(context,
			    has_key ? "its key (%s) is not in the table %s" : "it has no key (%s) for the table %s",
			    weir_option_string(context, "key"), state->path);
		return WEIR_REJECTED;
	case MISSING_DROP:
		return WEIR_OK;
	case MISSING_PASS:
		break;
	}
	if (!weir_window_serves(context, WEIR_ALL_OUTPUTS, item->size_bytes) && state->store)
		table_store_end(state->store);
	return weir_forward(context, WEIR_ALL_OUTPUTS, item);
}

static int refuse(struct weir_context *context, const struct record_fault *fault)
{
	weir_reject(context, "nothing can be added to it: %s", fault->why);
	return WEIR_REJECTED;
}

static int emit(struct weir_context *context, struct lookup *state, const void *data, size_t size_bytes)
{
	int r;

	if (!weir_window_serves(context, WEIR_ALL_OUTPUTS, size_bytes))
		table_store_end(state->store); /* nothing of it is looked at any more */
	r = weir_emit(context, WEIR_ALL_OUTPUTS, data, size_bytes);
	if (r != WEIR_TOO_LARGE)
		return r;
	weir_reject(context, "what it becomes does not fit a lane: give the stage behind this one a larger lane:");
	return WEIR_REJECTED;
}

static int answer(struct weir_context *context, struct lookup *state, const struct weir_item *item,
		  struct table_bytes found)
{
	bool structured = state->form == WEIR_FORM_STRUCTURED ||
			  (state->form == WEIR_FORM_UNKNOWN && entry_is_structured(item->data, item->size_bytes));
	size_t into_bytes = strlen(state->into), map_bytes, joined_bytes, text_bytes;
	struct record_fault fault;
	const void *map;
	void *room;

	if (entry_value(&state->value, &state->names, structured, item->data, item->size_bytes, &map, &map_bytes,
			&fault) != 0)
		return refuse(context, &fault);
	room = record_scratch_get(&state->joined, entry_join_bound(map_bytes, into_bytes, found.size_bytes));
	if (entry_join(map, map_bytes, state->into, into_bytes, found.data, found.size_bytes, room, &joined_bytes,
		       &fault) != 0)
		return refuse(context, &fault);
	if (structured)
		return emit(context, state, room, joined_bytes);
	if (json_encode(room, joined_bytes, record_scratch_get(&state->text, json_encode_bound(joined_bytes)),
			&text_bytes, &fault) != 0)
		return refuse(context, &fault);
	return emit(context, state, state->text.data, text_bytes);
}

/* Returns 0; TABLE_STORE_E_NONE; WEIR_FAILED; -errno. */
static int look(struct weir_context *context, struct lookup *state, struct table_bytes key,
		struct table_bytes *ret_value)
{
	int r = 0;

	if (!state->store && weir_now_ns(context) >= state->look_ns)
		r = find_table(context, state, false);
	if (r != 0)
		return r;
	if (!state->store)
		return TABLE_STORE_E_NONE;
	r = table_store_get(state->store, key, ret_value);
	return r == TABLE_STORE_E_DAMAGED ? fail(context, state, r) : r;
}

static int lookup_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct lookup *state = data;
	struct table_bytes key, value;
	struct record_fault fault;
	int r = weir_key_bytes(context, state->key, item, &key.data, &key.size_bytes);

	if (r == -ENOENT)
		return answer_missing(context, state, item, false);
	if (state->key_is_json &&
	    entry_key(&state->key_text, key.data, key.size_bytes, &key.data, &key.size_bytes, &fault) != 0)
		return refuse(context, &fault);
	r = look(context, state, key, &value);
	if (r == TABLE_STORE_E_NONE)
		return answer_missing(context, state, item, true);
	return r == 0 ? answer(context, state, item, value) : r;
}

static int lookup_flush(struct weir_context *context, void *data)
{
	struct lookup *state = data;

	(void)context;
	if (state->store)
		table_store_end(state->store);
	return 0;
}

const struct weir_stage lookup_operator_callbacks = {
	.open = lookup_open,
	.process = lookup_process,
	.flush = lookup_flush,
	.close = lookup_close,
};
