/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that come into panes. What may find no room is asked for first, in this order: the entry that says when the key is due, then
 * the pane; only then is the pane changed, or another one forgotten. So an item that is refused leaves panes.c as it was.
 */
#include <errno.h>

#include "worker/operators/window_priv.h"

int window_put_due(struct window *window, struct weir_context *context, uint64_t due_ns, uint64_t start_ns,
		   const void *key, size_t key_bytes)
{
	struct place place;
	int r;

	place_of_due(&place, due_ns, start_ns, key, key_bytes);
	r = weir_state_put(context, place.bytes, place.size_bytes, NULL, 0);
	if (r == WEIR_OK && due_ns < window->due_ns)
		window->due_ns = due_ns;
	return r;
}

static void *put_into_copy(struct window *window, const struct arrival *arrival, void *pane)
{
	head_of(pane)->n_items++;
	if (arrival->time_ns > head_of(pane)->last_ns)
		head_of(pane)->last_ns = arrival->time_ns;
	aggregates_add(window->aggregates, block_of(pane), arrival->measures);
	return pane;
}

/* A pane of its own for the item. Returns what panes_put() does. */
static int begin_pane(struct window *window, struct weir_context *context, const struct place *place,
		      const struct arrival *arrival)
{
	size_t block_bytes = aggregates_size_min(window->aggregates);
	struct pane *pane;

	*head_of(window->copy) = (struct pane_head){ 0 };
	aggregates_clear(window->aggregates, block_of(window->copy), false);
	put_into_copy(window, arrival, window->copy);
	return panes_put(window->panes, context, place, window->copy, sizeof(struct pane_head) + block_bytes, &pane);
}

/* Before the item is added; what it may need more is asked for. */
static int make_room(struct window *window, struct weir_context *context, const struct place *place, struct pane **pane)
{
	size_t size_bytes = sizeof(struct pane_head);

	if (!aggregates_are_tight(window->aggregates, block_of((*pane)->data)))
		return WEIR_OK;
	*head_of(window->copy) = *head_of((*pane)->data);
	size_bytes += aggregates_copy(window->aggregates, block_of((*pane)->data), true, block_of(window->copy));
	return panes_put(window->panes, context, place, window->copy, size_bytes, pane);
}

static int add_to_pane(struct window *window, struct weir_context *context, const struct place *place,
		       struct pane *pane, const struct arrival *arrival)
{
	int r = make_room(window, context, place, &pane);

	if (r != WEIR_OK)
		return r;
	put_into_copy(window, arrival, pane->data);
	panes_touch(window->panes, pane);
	return WEIR_OK;
}

/* Tumbling and sliding. */
static int add_by_time(struct window *window, struct weir_context *context, const struct arrival *arrival)
{
	uint64_t watermark_ns = window->cursor->watermark_ns,
		 start_ns = arrival->time_ns - arrival->time_ns % window->slide_ns,
		 first_ns = start_ns + window->slide_ns;
	struct place place;
	struct pane *pane;
	int r;

	if (start_ns + window->size_ns <= watermark_ns)
		return WINDOW_E_LATE;
	if (first_ns <= watermark_ns) /* the first of its windows that has not left */
		first_ns = watermark_ns - watermark_ns % window->slide_ns + window->slide_ns;
	place_of_pane(&place, arrival->key, arrival->key_bytes, start_ns);
	r = panes_get(window->panes, context, &place, &pane);
	if (r == WEIR_OK)
		return add_to_pane(window, context, &place, pane, arrival);
	if (r != -ENOENT)
		return r;
	r = window_put_due(window, context, first_ns, 0, arrival->key, arrival->key_bytes);
	return r == WEIR_OK ? begin_pane(window, context, &place, arrival) : r;
}

void window_clear_merged(struct window *window)
{
	*head_of(window->merged) = (struct pane_head){ 0 };
	aggregates_clear(window->aggregates, block_of(window->merged), true);
}

void window_merge(struct window *window, const void *pane)
{
	struct pane_head *head = head_of(window->merged);
	const struct pane_head *other = pane;

	head->n_items += other->n_items;
	if (other->last_ns > head->last_ns)
		head->last_ns = other->last_ns;
	aggregates_merge(window->aggregates, block_of(window->merged), (const unsigned char *)pane + sizeof(*other));
}

/* ---- sessions ---- */

/* The sessions that the item belongs to: those that it meets, which become one. */
struct meeting {
	uint64_t first_ns; /* where the first of them began */
	uint32_t n;
};

static bool meets(const struct window *window, uint64_t start_ns, uint64_t last_ns, uint64_t time_ns)
{
	return time_ns < last_ns + window->gap_ns && start_ns < time_ns + window->gap_ns;
}

/* The next session at or behind the entry that the item meets. Returns WEIR_OK; -ENOENT; as panes_get() else. */
static int find_meeting(struct window *window, struct weir_context *context, const struct arrival *arrival,
			struct weir_state_entry *entry, bool next, struct place *ret_place, struct pane **ret_pane)
{
	struct place prefix;
	int r;

	place_of_key(&prefix, arrival->key, arrival->key_bytes);
	r = next ? weir_state_next(context, prefix.bytes, prefix.size_bytes, entry) :
		   weir_state_first(context, prefix.bytes, prefix.size_bytes, entry);
	for (; r == WEIR_OK; r = weir_state_next(context, prefix.bytes, prefix.size_bytes, entry)) {
		uint64_t start_ns = pane_start_ns(entry);

		if (start_ns >= arrival->time_ns + window->gap_ns)
			return -ENOENT;
		place_of_pane(ret_place, arrival->key, arrival->key_bytes, start_ns);
		r = panes_get(window->panes, context, ret_place, ret_pane);
		if (r != WEIR_OK || meets(window, start_ns, head_of((*ret_pane)->data)->last_ns, arrival->time_ns))
			return r;
	}
	return r;
}

static int begin_session(struct window *window, struct weir_context *context, const struct arrival *arrival)
{
	struct place place;
	int r;

	if (arrival->time_ns + window->gap_ns <= window->cursor->watermark_ns)
		return WINDOW_E_LATE;
	r = window_put_due(window, context, arrival->time_ns + window->gap_ns, arrival->time_ns, arrival->key,
			   arrival->key_bytes);
	if (r != WEIR_OK)
		return r;
	place_of_pane(&place, arrival->key, arrival->key_bytes, arrival->time_ns);
	return begin_pane(window, context, &place, arrival);
}

/* What was gathered in window->merged begins at start_ns from now on; what it came from, but for that, is forgotten. */
static int put_meeting(struct window *window, struct weir_context *context, const struct arrival *arrival,
		       uint64_t start_ns)
{
	struct weir_state_entry entry;
	struct place place, other;
	struct pane *pane;
	size_t size_bytes;
	bool next = false;
	int r;

	put_into_copy(window, arrival, window->merged);
	*head_of(window->copy) = *head_of(window->merged);
	size_bytes = sizeof(struct pane_head) +
		     aggregates_copy(window->aggregates, block_of(window->merged), false, block_of(window->copy));
	r = window_put_due(window, context, head_of(window->merged)->last_ns + window->gap_ns, start_ns, arrival->key,
			   arrival->key_bytes);
	place_of_pane(&place, arrival->key, arrival->key_bytes, start_ns);
	if (r == WEIR_OK)
		r = panes_put(window->panes, context, &place, window->copy, size_bytes, &pane);
	while (r == WEIR_OK) {
		r = find_meeting(window, context, arrival, &entry, next, &other, &pane);
		next = true;
		if (r == WEIR_OK && pane_start_ns(&entry) != start_ns)
			r = panes_delete(window->panes, context, &other);
	}
	return r == -ENOENT ? WEIR_OK : r;
}

/* Most items come into one session and leave its beginning where it is. */
static int add_to_session(struct window *window, struct weir_context *context, const struct arrival *arrival)
{
	uint64_t start_ns = arrival->time_ns;
	struct weir_state_entry entry;
	struct place first, place;
	struct pane *pane, *other;
	bool stays;
	int r = find_meeting(window, context, arrival, &entry, false, &first, &pane);

	if (r == -ENOENT)
		return begin_session(window, context, arrival);
	if (r != WEIR_OK)
		return r;
	stays = pane_start_ns(&entry) <= start_ns;
	if (stays)
		start_ns = pane_start_ns(&entry);
	r = find_meeting(window, context, arrival, &entry, true, &place, &other);
	if (r == -ENOENT && stays)
		return add_to_pane(window, context, &first, pane, arrival);
	window_clear_merged(window);
	window_merge(window, pane->data);
	for (; r == WEIR_OK; r = find_meeting(window, context, arrival, &entry, true, &place, &other))
		window_merge(window, other->data);
	return r == -ENOENT ? put_meeting(window, context, arrival, start_ns) : r;
}

int window_add(struct window *window, struct weir_context *context, const struct arrival *arrival)
{
	return has_sessions(window) ? add_to_session(window, context, arrival) : add_by_time(window, context, arrival);
}
