/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows that leave, in the order of their ends and then of their keys. An item is emitted first: if there is no room for it nothing
 * has changed, and the same window is due.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/record/json.h"
#include "worker/operators/window_priv.h"

int window_find_due(struct window *window, struct weir_context *context, struct weir_state_entry *ret)
{
	int r = weir_state_first(context, "w", 1, ret);

	window->due_ns = r == WEIR_OK ? due_read(ret).due_ns : NOTHING_DUE;
	return r;
}

static void write_name(msgpack_packer *packer, const char *name)
{
	msgpack_pack_str(packer, strlen(name));
	msgpack_pack_str_body(packer, name, strlen(name));
}

/* As of RFC 3339, with as many digits behind the second as it has. */
static void write_time(msgpack_packer *packer, const char *name, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	unsigned rest = (unsigned)(time_ns % NS_PER_S);
	char text[64];
	struct tm day;
	size_t n;

	gmtime_r(&seconds, &day);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &day);
	if (rest) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, ".%09u", rest);
		while (text[n - 1] == '0')
			n--;
	}
	text[n++] = 'Z';
	write_name(packer, name);
	msgpack_pack_str(packer, n);
	msgpack_pack_str_body(packer, text, n);
}

/* Of JSON what it means; other keys are text. */
static void write_key(struct window *window, msgpack_packer *packer, const struct due *due)
{
	struct record_fault fault;
	size_t size_bytes;
	void *room;

	write_name(packer, "key");
	if (window->key_is_path) {
		room = record_scratch_get(&window->results.text, json_decode_bound(due->key_bytes));
		if (json_decode(&window->scratch, (const char *)due->key, due->key_bytes, room, &size_bytes, &fault) ==
		    0) {
			msgpack_sbuffer_write(&window->results.values, room, size_bytes);
			return;
		}
	}
	msgpack_pack_str(packer, due->key_bytes);
	msgpack_pack_str_body(packer, due->key, due->key_bytes);
}

/*
 * To those who read windows. They find room one after the other, and the window stays until all have it: nothing changes it meanwhile.
 * Returns as results_emit().
 */
static int tell_readers(struct window *window, struct weir_context *context)
{
	bool structured = window->cursor->flags & CURSOR_STRUCTURED;
	uint32_t n = weir_outputs(context);
	int r = 0;

	if (!window->late_is_read)
		return results_emit(&window->results, context, structured);
	for (uint32_t i = (uint32_t)window->cursor->n_told; i < n && r == 0; i++) {
		window->results.output = i;
		if (weir_output_names(context, i) & WEIR_OUTPUT_ITEMS)
			r = results_emit(&window->results, context, structured);
		if (r == 0)
			window->cursor->n_told = i + 1;
	}
	if (r == 0)
		window->cursor->n_told = 0;
	return r;
}

/* Returns 0; WEIR_FULL; WEIR_CANCELLED; WEIR_FAILED. */
static int emit(struct window *window, struct weir_context *context, const struct due *due, void *pane,
		uint64_t start_ns, uint64_t end_ns)
{
	msgpack_packer packer;
	int r;

	results_clear(&window->results);
	msgpack_packer_init(&packer, &window->results.values, msgpack_sbuffer_write);
	msgpack_pack_map(&packer, aggregates_n_outputs(window->aggregates) + 2 + (window->key != NULL));
	if (window->key)
		write_key(window, &packer, due);
	write_time(&packer, "start", start_ns);
	write_time(&packer, "end", end_ns);
	aggregates_write(window->aggregates, block_of(pane), head_of(pane)->n_items, &packer);
	r = tell_readers(window, context);
	if (r != WEIR_REJECTED)
		return r;
	weir_fail(context, "what a window says does not fit a lane: give the stage behind this one a larger lane:");
	return WEIR_FAILED;
}

/* The pane's last window has left. */
static int forget(struct window *window, struct weir_context *context, const struct place *place, uint64_t n_items)
{
	weir_settle(context, n_items);
	return panes_delete(window->panes, context, place);
}

static int leave_session(struct window *window, struct weir_context *context, const struct due *due, uint64_t *ret_next)
{
	uint64_t last_ns, n_items;
	struct place place;
	struct pane *pane;
	int r;

	place_of_pane(&place, due->key, due->key_bytes, due->start_ns);
	r = panes_get(window->panes, context, &place, &pane);
	if (r != WEIR_OK)
		return r == -ENOENT ? WEIR_OK : r; /* it has become part of an earlier one, or has left */
	n_items = head_of(pane->data)->n_items;
	last_ns = head_of(pane->data)->last_ns;
	if (last_ns + window->gap_ns > due->due_ns) {
		*ret_next = last_ns + window->gap_ns;
		return WEIR_OK;
	}
	r = emit(window, context, due, pane->data, due->start_ns, last_ns);
	return r == 0 ? forget(window, context, &place, n_items) : r;
}

/* The panes of the window that ends at due_ns, into window->merged. *ret_next: when the key's next window ends, or NOTHING_DUE. */
static int gather(struct window *window, struct weir_context *context, const struct due *due, uint64_t *ret_next)
{
	struct weir_state_entry entry;
	struct place prefix, place;
	struct pane *pane;
	int r;

	window_clear_merged(window);
	*ret_next = NOTHING_DUE;
	place_of_key(&prefix, due->key, due->key_bytes);
	r = weir_state_first(context, prefix.bytes, prefix.size_bytes, &entry);
	for (; r == WEIR_OK; r = weir_state_next(context, prefix.bytes, prefix.size_bytes, &entry)) {
		uint64_t start_ns = pane_start_ns(&entry);

		if (*ret_next == NOTHING_DUE && start_ns + window->size_ns > due->due_ns)
			*ret_next = (start_ns < due->due_ns ? due->due_ns : start_ns) + window->slide_ns;
		if (start_ns >= due->due_ns)
			return WEIR_OK;
		place_of_pane(&place, due->key, due->key_bytes, start_ns);
		r = panes_get(window->panes, context, &place, &pane);
		if (r != WEIR_OK)
			return r;
		window_merge(window, pane->data);
	}
	return r == -ENOENT ? WEIR_OK : r;
}

/* Panes whose last window this was are the first ones of the key. */
static int forget_before(struct window *window, struct weir_context *context, const struct due *due)
{
	struct weir_state_entry entry;
	struct place prefix, place;
	struct pane *pane;
	int r;

	place_of_key(&prefix, due->key, due->key_bytes);
	for (;;) {
		r = weir_state_first(context, prefix.bytes, prefix.size_bytes, &entry);
		if (r != WEIR_OK || pane_start_ns(&entry) + window->size_ns > due->due_ns)
			return r == -ENOENT ? WEIR_OK : r;
		place_of_pane(&place, due->key, due->key_bytes, pane_start_ns(&entry));
		r = panes_get(window->panes, context, &place, &pane);
		if (r == WEIR_OK)
			r = forget(window, context, &place, head_of(pane->data)->n_items);
		if (r != WEIR_OK)
			return r;
	}
}

static int leave_sliding(struct window *window, struct weir_context *context, const struct due *due, uint64_t *ret_next)
{
	int r = gather(window, context, due, ret_next);

	if (r == WEIR_OK && head_of(window->merged)->n_items)
		r = emit(window, context, due, window->merged, minus(due->due_ns, window->size_ns), due->due_ns);
	return r == WEIR_OK ? forget_before(window, context, due) : r;
}

static int leave_tumbling(struct window *window, struct weir_context *context, const struct due *due)
{
	struct place place;
	struct pane *pane;
	uint64_t n_items;
	int r;

	place_of_pane(&place, due->key, due->key_bytes, due->due_ns - window->size_ns);
	r = panes_get(window->panes, context, &place, &pane);
	if (r != WEIR_OK)
		return r == -ENOENT ? WEIR_OK : r;
	n_items = head_of(pane->data)->n_items;
	r = emit(window, context, due, pane->data, due->due_ns - window->size_ns, due->due_ns);
	return r == 0 ? forget(window, context, &place, n_items) : r;
}

/* The old entry goes before the next one comes, which is as large: there is room for it. */
int window_leave(struct window *window, struct weir_context *context, const struct weir_state_entry *entry)
{
	struct due due = due_read(entry);
	uint64_t next_ns = NOTHING_DUE;
	int r = has_sessions(window)                ? leave_session(window, context, &due, &next_ns) :
		window->size_ns != window->slide_ns ? leave_sliding(window, context, &due, &next_ns) :
						      leave_tumbling(window, context, &due);

	if (r == WEIR_OK)
		r = weir_state_delete(context, entry->key, entry->key_size_bytes);
	if (r == WEIR_OK && next_ns != NOTHING_DUE)
		r = window_put_due(window, context, next_ns, due.start_ns, due.key, due.key_bytes);
	return r;
}
