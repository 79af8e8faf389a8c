/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyed state of one worker: a folder with an LMDB environment that one process has open at a time. What is put and removed is seen by
 * that process at once, and is in the file from the next fold on. Never used across fork().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"

struct state_store;

enum {
	STATE_STORE_E_FULL = 1,    /* it would be larger than its size; nothing has changed */
	STATE_STORE_E_NONE = 2,    /* no such entry */
	STATE_STORE_E_FOREIGN = 3, /* the folder belongs to somebody else, or others may write into it */
	STATE_STORE_E_DAMAGED = 4, /* what is there makes no sense */
	STATE_STORE_E_BUSY = 5,    /* another process has it open */
};

#define STATE_STORE_KEY_MAX 511u    /* LMDB's */
#define STATE_STORE_ENTRY_BYTES 16u /* that an entry counts beside its key and its value */

struct state_bytes {
	const void *data;
	size_t size_bytes;
};

/*
 * path: the folder, absolute; it is made if need be. size_bytes: of all entries together. fresh: what is there is of an earlier run, and
 * goes. Blocks on the disk. Returns 0; STATE_STORE_E_FOREIGN, DAMAGED, BUSY; -errno.
 */
int state_store_open(const char *path, uint64_t size_bytes, bool fresh, struct state_store **ret_store);
/* What is not folded is gone. Fine on NULL. Returns NULL. */
struct state_store *state_store_close(struct state_store *store);

/* The position of the last fold; 0: there was none. */
uint64_t state_store_position(const struct state_store *store);
/* Of all entries, as they count. */
uint64_t state_store_used_bytes(const struct state_store *store);

/* The value of a key, in place until the next call that changes something. Returns 0; STATE_STORE_E_NONE, DAMAGED; -errno. */
int state_store_get(struct state_store *store, struct state_bytes key, struct state_bytes *ret_value);
/*
 * The key's value is this from now on; key and value may not lie in the store. Returns 0; STATE_STORE_E_FULL. After anything else (DAMAGED,
 * -errno) all that was not folded is gone.
 */
int state_store_put(struct state_store *store, struct state_bytes key, struct state_bytes value);
/* Returns 0; STATE_STORE_E_NONE; as state_store_put(). */
int state_store_remove(struct state_store *store, struct state_bytes key);
/* The entry with the first key that is not before `from`, or, with `after`, behind it; as state_store_get(). */
int state_store_seek(struct state_store *store, struct state_bytes from, bool after, struct state_bytes *ret_key,
		     struct state_bytes *ret_value);

/*
 * All that was put and removed is in the file from now on, and with it the position, at once or not at all, whatever dies but the host. May
 * block on the disk. Returns 0; after DAMAGED, FULL (no file may be so large) or -errno what was not folded is gone.
 */
int state_store_fold(struct state_store *store, uint64_t position);
/* All that was not folded is gone. */
void state_store_forget(struct state_store *store);

/* Removes the folder of a store, if nobody has it open. Fine if there is none. Returns 0 or -errno. */
int state_store_destroy(const char *path);

/* Appends what a call returned and what to do about it, as a sentence without a full stop. */
void state_store_explain(const char *path, int r, struct text *text);
