/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      letters      id (8 bytes, big-endian)  ->  length of the identity (2 bytes), identity, letter (letter_codec.c)
 *      identities   identity                  ->  id
 *      about        "last"                    ->  the last id that was given
 *      replays      id                        ->  that it is to be given again: letter_replay.c
 *
 * LMDB keeps one writer at a time over all processes by a robust mutex in its lock file, and never overwrites a page that a reader or
 * the last commit needs: a process killed inside a write transaction leaves what was committed before, and the next one who
 * locks goes on from there. A commit is two syncs, data and then the page that points to it.
 *
 *      worker A              worker B                 weir dlq ls
 *      begin, put            begin: waits for A       begin (reads the last commit, waits for nobody)
 *      killed                has the lock: A's pages are free again
 *
 * Whose turn it is to write is told by letter_turn.c; several letters in one transaction are letter_batch.c.
 *
 * Three things that LMDB does not do by itself. The lock file is written through a mapping: its blocks are taken beforehand, or a full disk
 * would be SIGBUS. A process that is stopped in a transaction stops the other writers, too; that is why nothing but the put
 * itself happens in one. Deleting needs fresh pages: who purges maps more than who writes, or a full store could not be emptied.
 */
#include "common/store/letter_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "common/store/letter_store_priv.h"
#include "common/store/store_folder.h"

#define LOCK_FILE_BYTES 65536 /* about a thousand readers */

int letter_store_outcome(int r)
{
	switch (r) {
	case 0:
		return 0;
	case MDB_MAP_FULL:
	case MDB_MAP_RESIZED: /* beyond what we may have */
		return LETTER_STORE_E_FULL;
	case MDB_NOTFOUND:
		return LETTER_STORE_E_NONE;
	case MDB_READERS_FULL:
		return error_origin(-EAGAIN);
	default:
		return r > 0 ? error_origin(-r) : LETTER_STORE_E_DAMAGED;
	}
}

/* ---- open ---- */

static int take_lock_blocks(const char *path)
{
	struct text name = TEXT_NULL;
	int fd, r;

	text_printf(&name, "%s/lock.mdb", path);
	fd = open(text_get(&name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	text_deinit(&name);
	if (fd < 0)
		return error_origin(-errno);
	r = posix_fallocate(fd, 0, LOCK_FILE_BYTES);
	close(fd);
	return r && r != EOPNOTSUPP && r != EINVAL ? error_origin(-r) : 0;
}

/* What is there may be more than those who write were told they may have. */
static uint64_t mapped_bytes(const struct letter_store *store, const char *path)
{
	uint64_t bytes = store_file_bytes(path);

	bytes = bytes > store->size_bytes ? bytes : store->size_bytes;
	return store->mode == LETTER_STORE_TEND ? bytes + LETTER_HEADROOM_BYTES : bytes;
}

/* flags: 0, or MDB_CREATE, which is a write. */
static int find_tables(struct letter_store *store, unsigned flags)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(store->env, NULL, flags ? 0 : MDB_RDONLY, &txn);

	if (r)
		return letter_store_outcome(r);
	r = mdb_dbi_open(txn, "letters", flags, &store->letters);
	if (!r)
		r = mdb_dbi_open(txn, "identities", flags, &store->identities);
	if (!r)
		r = mdb_dbi_open(txn, "about", flags, &store->about);
	if (!r) {
		r = mdb_dbi_open(txn, "replays", flags, &store->replays);
		store->has_replays = r == 0;
		r = r == MDB_NOTFOUND ? 0 : r; /* of an earlier version, and nobody has written since */
	}
	if (!r)
		return letter_store_outcome(mdb_txn_commit(txn)); /* with it the tables' handles become the store's */
	mdb_txn_abort(txn);
	return letter_store_outcome(r);
}

/* Only who makes them takes a turn: a worker that only wants to know whether something is marked for it waits for nobody. */
static int open_tables(struct letter_store *store)
{
	int r = find_tables(store, 0);

	if (store->mode == LETTER_STORE_READ || (r == 0 && store->has_replays) || (r && r != LETTER_STORE_E_NONE))
		return r;
	r = letter_turn_take(store);
	if (r)
		return r;
	r = find_tables(store, MDB_CREATE);
	letter_turn_give(store);
	return r;
}

static int open_environment(struct letter_store *store, const char *path)
{
	int r = mdb_env_create(&store->env), stale, fd;

	if (r)
		return letter_store_outcome(r);
	mdb_env_set_maxdbs(store->env, 4);
	mdb_env_set_mapsize(store->env, mapped_bytes(store, path));
	r = mdb_env_open(store->env, path, store->mode == LETTER_STORE_READ ? MDB_RDONLY : 0, 0600);
	if (r)
		return letter_store_outcome(r);
	if (mdb_env_get_fd(store->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC); /* the one descriptor that LMDB leaves to every child */
	r = store_file_mend(store->env);
	if (r)
		return r;
	if (store->mode != LETTER_STORE_READ)
		mdb_reader_check(store->env, &stale); /* killed readers keep pages from being used again */
	return open_tables(store);
}

int letter_store_open(const char *path, enum letter_store_mode mode, uint64_t size_bytes,
		      struct letter_store **ret_store)
{
	struct letter_store *store = calloc(1, sizeof(*store));
	int r = 0;

	if (!store)
		return error_origin(-ENOMEM);
	store->mode = mode;
	store->holder_fd = -EBADF;
	store->size_bytes = size_bytes ? size_bytes : LETTER_STORE_SIZE_BYTES;
	if (mode == LETTER_STORE_WRITE)
		r = store_folder_make(path);
	if (r == 0)
		r = store_folder_check(path);
	if (r == 0 && mode == LETTER_STORE_WRITE)
		r = take_lock_blocks(path);
	if (r == 0 && mode != LETTER_STORE_READ)
		store->holder_fd = letter_turn_open(path);
	if (r == 0 && mode != LETTER_STORE_WRITE && !store_file_bytes(path))
		r = LETTER_STORE_E_NONE; /* whoever began to make it found no room */
	if (r == 0)
		r = open_environment(store, path);
	if (r == -ENOENT && mode != LETTER_STORE_WRITE)
		r = LETTER_STORE_E_NONE;
	if (r) {
		letter_store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

struct letter_store *letter_store_close(struct letter_store *store)
{
	if (store && store->env)
		mdb_env_close(store->env);
	if (store)
		fd_close(store->holder_fd);
	free(store);
	return NULL;
}

/* ---- keys and values ---- */

void letter_store_id_to_bytes(uint64_t id, unsigned char bytes[8])
{
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(id >> 8 * (7 - i));
}

int letter_store_id_from(const MDB_val *value, uint64_t *ret_id)
{
	const unsigned char *bytes = value->mv_data;

	if (value->mv_size != 8)
		return LETTER_STORE_E_DAMAGED;
	*ret_id = 0;
	for (unsigned i = 0; i < 8; i++)
		*ret_id = *ret_id << 8 | bytes[i];
	return 0;
}

/* Splits what stands in `letters`. */
static int value_split(const MDB_val *value, MDB_val *ret_identity, MDB_val *ret_letter)
{
	const unsigned char *bytes = value->mv_data;
	size_t length;

	if (value->mv_size < 2)
		return LETTER_STORE_E_DAMAGED;
	length = (size_t)bytes[0] << 8 | bytes[1];
	if (!length || length > LETTER_IDENTITY_MAX || length > value->mv_size - 2)
		return LETTER_STORE_E_DAMAGED;
	*ret_identity = (MDB_val){ length, (unsigned char *)value->mv_data + 2 };
	*ret_letter = (MDB_val){ value->mv_size - 2 - length, (unsigned char *)value->mv_data + 2 + length };
	return 0;
}

static MDB_val name_of_last(void)
{
	return (MDB_val){ 4, (void *)(uintptr_t) "last" };
}

/* ---- put ---- */

int letter_store_begin_write(struct letter_store *store, MDB_txn **ret_txn)
{
	int r = letter_turn_take(store);

	if (r)
		return r;
	r = mdb_txn_begin(store->env, NULL, 0, ret_txn);
	/* Who purged a full store has used a page or two beyond its size. */
	if (r == MDB_MAP_RESIZED && mdb_env_set_mapsize(store->env, 0) == 0)
		r = mdb_txn_begin(store->env, NULL, 0, ret_txn);
	if (r)
		letter_turn_give(store);
	return letter_store_outcome(r);
}

int letter_store_end_write(struct letter_store *store, MDB_txn *txn, int r)
{
	if (r)
		mdb_txn_abort(txn);
	else
		r = letter_store_outcome(mdb_txn_commit(txn));
	letter_turn_give(store);
	return r;
}

int letter_store_find_id(struct letter_store *store, MDB_txn *txn, MDB_val *identity, uint64_t *ret_id)
{
	unsigned char bytes[8];
	MDB_val value, last = name_of_last();
	int r = mdb_get(txn, store->identities, identity, &value);

	if (r != MDB_NOTFOUND)
		return r ? letter_store_outcome(r) : letter_store_id_from(&value, ret_id);
	*ret_id = 0;
	r = mdb_get(txn, store->about, &last, &value);
	if (r == 0 && letter_store_id_from(&value, ret_id))
		return LETTER_STORE_E_DAMAGED;
	if (r && r != MDB_NOTFOUND)
		return letter_store_outcome(r);
	++*ret_id;
	letter_store_id_to_bytes(*ret_id, bytes);
	value = (MDB_val){ sizeof(bytes), bytes };
	r = mdb_put(txn, store->about, &last, &value, 0);
	if (!r)
		r = mdb_put(txn, store->identities, identity, &value, 0);
	return letter_store_outcome(r);
}

int letter_store_put_value(struct letter_store *store, MDB_txn *txn, uint64_t id, const MDB_val *identity,
			   const char *letter, size_t size_bytes)
{
	unsigned char bytes[8], *at;
	MDB_val key = { sizeof(bytes), bytes }, value = { 2 + identity->mv_size + size_bytes, NULL };
	int r;

	letter_store_id_to_bytes(id, bytes);
	r = mdb_put(txn, store->letters, &key, &value, MDB_RESERVE);
	if (r)
		return letter_store_outcome(r);
	at = value.mv_data;
	*at++ = (unsigned char)(identity->mv_size >> 8);
	*at++ = (unsigned char)identity->mv_size;
	memcpy(at, identity->mv_data, identity->mv_size);
	memcpy(at + identity->mv_size, letter, size_bytes);
	return 0;
}

/* ---- read ---- */

static int visit_value(const MDB_val *key, const MDB_val *value, letter_visit *visit, void *data)
{
	MDB_val identity, bytes;
	struct letter_copy copy;
	uint64_t id;
	int r;

	if (letter_store_id_from(key, &id) || value_split(value, &identity, &bytes))
		return LETTER_STORE_E_DAMAGED;
	r = letter_decode(bytes.mv_data, bytes.mv_size, &copy);
	if (r)
		return r < 0 ? r : LETTER_STORE_E_DAMAGED;
	copy.letter.id = id;
	r = visit(data, &copy.letter);
	letter_copy_deinit(&copy);
	return r;
}

int letter_store_begin_read(struct letter_store *store, MDB_txn **ret_txn)
{
	int r = mdb_txn_begin(store->env, NULL, MDB_RDONLY, ret_txn);

	if (r == MDB_MAP_RESIZED && mdb_env_set_mapsize(store->env, 0) == 0)
		r = mdb_txn_begin(store->env, NULL, MDB_RDONLY, ret_txn);
	return letter_store_outcome(r);
}

int letter_store_each(struct letter_store *store, letter_visit *visit, void *data)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	bool damaged = false;
	MDB_txn *txn;
	int r = letter_store_begin_read(store, &txn), found;

	if (r)
		return r;
	found = mdb_cursor_open(txn, store->letters, &cursor);
	if (found) {
		mdb_txn_abort(txn);
		return letter_store_outcome(found);
	}
	while (r == 0 && (found = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		r = visit_value(&key, &value, visit, data);
		if (r == LETTER_STORE_E_DAMAGED) {
			damaged = true;
			r = 0;
		}
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	if (r == 0 && found != MDB_NOTFOUND)
		r = letter_store_outcome(found);
	return r == 0 && damaged ? LETTER_STORE_E_DAMAGED : r;
}

int letter_store_get(struct letter_store *store, uint64_t id, letter_visit *visit, void *data)
{
	unsigned char bytes[8];
	MDB_val key = { sizeof(bytes), bytes }, value;
	MDB_txn *txn;
	int r = letter_store_begin_read(store, &txn);

	if (r)
		return r;
	letter_store_id_to_bytes(id, bytes);
	r = letter_store_outcome(mdb_get(txn, store->letters, &key, &value));
	if (r == 0)
		r = visit_value(&key, &value, visit, data);
	mdb_txn_abort(txn);
	return r;
}

/* ---- remove ---- */

/* A letter that makes no sense can be purged, too; its identity then stays and does no harm. */
int letter_store_forget_identity(struct letter_store *store, MDB_txn *txn, const MDB_val *value)
{
	unsigned char copy[LETTER_IDENTITY_MAX];
	MDB_val identity, letter;
	int r;

	if (value_split(value, &identity, &letter))
		return 0;
	memcpy(copy, identity.mv_data, identity.mv_size); /* the value's page may move */
	identity.mv_data = copy;
	r = mdb_del(txn, store->identities, &identity, NULL);
	return r == MDB_NOTFOUND ? 0 : letter_store_outcome(r);
}

int letter_store_remove_one(struct letter_store *store, MDB_txn *txn, uint64_t id)
{
	unsigned char bytes[8];
	MDB_val key = { sizeof(bytes), bytes }, value;
	int r;

	letter_store_id_to_bytes(id, bytes);
	r = mdb_get(txn, store->letters, &key, &value);
	if (r)
		return letter_store_outcome(r);
	r = letter_store_forget_identity(store, txn, &value);
	if (r)
		return r;
	r = letter_store_outcome(mdb_del(txn, store->letters, &key, NULL));
	return r ? r : letter_store_unmark_one(store, txn, id);
}

int letter_store_remove(struct letter_store *store, const uint64_t *ids, size_t n, size_t *ret_removed)
{
	size_t removed = 0;
	MDB_txn *txn;
	int r = letter_store_begin_write(store, &txn);

	if (r)
		return r;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = letter_store_remove_one(store, txn, ids[i]);
		removed += r == 0;
		if (r == LETTER_STORE_E_NONE)
			r = 0;
	}
	r = letter_store_end_write(store, txn, r);
	if (r == 0 && ret_removed)
		*ret_removed = removed;
	return r;
}

/* ---- explain ---- */

static void explain_holder(const char *path, struct text *text)
{
	const struct letter_holder *holder = letter_store_held_by();

	letter_holder_name(holder, text);
	text_printf(text, " has the turn to write into %s", path);
	if (holder->pid > 0 && holder->stopped)
		text_printf(text, "; let it go on (kill -CONT %d), or end it (kill -KILL %d: nothing is lost)",
			    (int)holder->pid, (int)holder->pid);
	else
		text_add(text, "; wait until it has ended, or end it");
}

void letter_store_explain(const char *path, int r, struct text *text)
{
	switch (r) {
	case LETTER_STORE_E_FULL:
		text_printf(text, "the dead letters in %s are full; export them and purge some (weir dlq)", path);
		break;
	case LETTER_STORE_E_NONE:
		text_printf(text, "there are no dead letters in %s", path);
		break;
	case LETTER_STORE_E_FOREIGN:
		text_printf(text,
			    "the folder %s belongs to somebody else, or others may write into it; chmod 700 it, or set "
			    "WEIR_STATE_DIR to a folder of yours",
			    path);
		break;
	case LETTER_STORE_E_DAMAGED:
		text_printf(text,
			    "%s holds something that is no dead letter of this version; export what can be read (weir "
			    "dlq export), then move the folder away",
			    path);
		break;
	case LETTER_STORE_E_HELD:
		explain_holder(path, text);
		break;
	default:
		store_explain(path, "the dead letters", "let weir write there, or set WEIR_STATE_DIR", r, text);
	}
}
