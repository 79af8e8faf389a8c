/* SPDX-License-Identifier: Apache-2.0 */
/* What the files share that write letters into LMDB. */
#pragma once

#include <lmdb.h>
#include <stdbool.h>

#include "common/store/letter_store.h"

#define LETTER_HEADROOM_BYTES (64 << 20) /* for removing, which needs fresh pages */

struct letter_store {
	MDB_env *env;
	MDB_dbi letters, identities, about, replays;
	bool has_replays; /* else that table was never made */
	enum letter_store_mode mode;
	int holder_fd; /* of the file `holder`, locked while this process writes; -errno: there is none */
	uint64_t size_bytes;
};

/* What LMDB returned, an errno or a number of its own, as what a call of this folder returns. */
int letter_store_outcome(int r);
void letter_store_id_to_bytes(uint64_t id, unsigned char bytes[8]);
/* Returns 0, LETTER_STORE_E_DAMAGED. */
int letter_store_id_from(const MDB_val *value, uint64_t *ret_id);
/*
 * letter_turn.c: the file in the store's folder, or -errno. Waits for the turn to write: 0; within a bound (letter_store_bound()) also
 * LETTER_STORE_E_HELD or -errno, and then there is no turn. Gives it on.
 */
int letter_turn_open(const char *path);
int letter_turn_take(const struct letter_store *store);
void letter_turn_give(const struct letter_store *store);
/* Waits for its turn; letter_store_end_write() ends it. With anything but 0 there is nothing to end. */
int letter_store_begin_write(struct letter_store *store, MDB_txn **ret_txn);
/* Commits if r is 0, gives the turn on. Returns r, or what the commit came to. */
int letter_store_end_write(struct letter_store *store, MDB_txn *txn, int r);
int letter_store_begin_read(struct letter_store *store, MDB_txn **ret_txn);
/* The id that the identity has, or the next one, which it has from now on. */
int letter_store_find_id(struct letter_store *store, MDB_txn *txn, MDB_val *identity, uint64_t *ret_id);
int letter_store_put_value(struct letter_store *store, MDB_txn *txn, uint64_t id, const MDB_val *identity,
			   const char *letter, size_t size_bytes);
/* The identity in a value of `letters` no longer stands for an id. */
int letter_store_forget_identity(struct letter_store *store, MDB_txn *txn, const MDB_val *value);
/* The letter, its identity, its mark. Returns 0, LETTER_STORE_E_NONE, or what went wrong. */
int letter_store_remove_one(struct letter_store *store, MDB_txn *txn, uint64_t id);
/* letter_replay.c: it is not to be given again. Fine if nobody wanted that. */
int letter_store_unmark_one(struct letter_store *store, MDB_txn *txn, uint64_t id);
