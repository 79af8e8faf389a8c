/* SPDX-License-Identifier: Apache-2.0 */
/* What the entries were that the item in hand has changed, so that it can be as if it had never been given. */
#pragma once

#include <stddef.h>

#include "common/store/state_store.h"

struct keyed_undo {
	unsigned char *bytes; /* keys and values, one behind the other; owned */
	size_t n_bytes, room_bytes;
	struct keyed_before *list; /* owned */
	size_t n, room;
};

/* Notes the value of a key before a change; value.data NULL: it had none. Copies both. Returns 0 or -ENOMEM. */
int keyed_undo_note(struct keyed_undo *undo, struct state_bytes key, struct state_bytes value);
/* The last note was of a change that did not come about. */
void keyed_undo_unnote(struct keyed_undo *undo);
/* The changes stay. */
void keyed_undo_clear(struct keyed_undo *undo);
/* Takes all changes back, the last one first. Returns 0, or what the store said: then all that it had not folded is gone. */
int keyed_undo_apply(struct keyed_undo *undo, struct state_store *store);
void keyed_undo_deinit(struct keyed_undo *undo);
