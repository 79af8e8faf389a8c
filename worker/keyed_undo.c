/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/keyed_undo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"

struct keyed_before {
	size_t at; /* in bytes: the key, then the value */
	size_t key_size_bytes, value_size_bytes;
	bool had_value;
};

/* Grows by doubling: soon no item needs more than one before it has needed. */
static int make_room(struct keyed_undo *undo, size_t n_bytes)
{
	size_t room_bytes = undo->room_bytes ? undo->room_bytes : 4096;
	size_t room = undo->room ? undo->room : 64;
	void *grown;

	while (room_bytes - undo->n_bytes < n_bytes)
		room_bytes *= 2;
	if (room_bytes != undo->room_bytes) {
		grown = realloc(undo->bytes, room_bytes);
		if (!grown)
			return error_origin(-ENOMEM);
		undo->bytes = grown;
		undo->room_bytes = room_bytes;
	}
	if (undo->n == undo->room) {
		room = undo->room ? 2 * undo->room : room;
		grown = reallocarray(undo->list, room, sizeof(*undo->list));
		if (!grown)
			return error_origin(-ENOMEM);
		undo->list = grown;
		undo->room = room;
	}
	return 0;
}

int keyed_undo_note(struct keyed_undo *undo, struct state_bytes key, struct state_bytes value)
{
	int r = make_room(undo, key.size_bytes + value.size_bytes);

	if (r)
		return r;
	memcpy(undo->bytes + undo->n_bytes, key.data, key.size_bytes);
	if (value.size_bytes)
		memcpy(undo->bytes + undo->n_bytes + key.size_bytes, value.data, value.size_bytes);
	undo->list[undo->n++] = (struct keyed_before){ .at = undo->n_bytes,
						       .key_size_bytes = key.size_bytes,
						       .value_size_bytes = value.size_bytes,
						       .had_value = value.data != NULL };
	undo->n_bytes += key.size_bytes + value.size_bytes;
	return 0;
}

void keyed_undo_unnote(struct keyed_undo *undo)
{
	undo->n_bytes = undo->list[--undo->n].at;
}

void keyed_undo_clear(struct keyed_undo *undo)
{
	undo->n = undo->n_bytes = 0;
}

int keyed_undo_apply(struct keyed_undo *undo, struct state_store *store)
{
	int r = 0;

	while (r == 0 && undo->n) {
		const struct keyed_before *before = &undo->list[--undo->n];
		struct state_bytes key = { undo->bytes + before->at, before->key_size_bytes };
		struct state_bytes value = { undo->bytes + before->at + before->key_size_bytes,
					     before->value_size_bytes };

		r = before->had_value ? state_store_put(store, key, value) : state_store_remove(store, key);
	}
	keyed_undo_clear(undo);
	return r;
}

void keyed_undo_deinit(struct keyed_undo *undo)
{
	free(undo->bytes);
	free(undo->list);
	*undo = (struct keyed_undo){ 0 };
}
