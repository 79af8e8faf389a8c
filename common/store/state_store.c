/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      entries      key          ->  value
 *      about        "position"   ->  position of the last fold, bytes in use (struct about)
 *
 * One write transaction is open from the first change to the next fold: what it has changed lies in this process's own memory, and LMDB
 * reads through it. A fold commits it. LMDB never overwrites a page that the last commit needs, and the page that points to the new ones
 * is written last: a process that is killed anywhere leaves the one before or the new one.
 *
 * What is in the file outlives processes and not the host, as the run does not either: so no fold waits for the disk (MDB_NOSYNC). The file
 * is mapped read-only: a wild pointer of the stage faults in it.
 *
 * Nobody else looks in: who has the store open holds a lock on a file beside it (`holder`), and LMDB needs none of its own. The
 * lock goes with the process, however that dies.
 *
 * How full it is, is counted here: key, value and 16 bytes for each entry. LMDB's own bound counts pages, half empty ones and those of the
 * last commits too, so nobody could say what fits; its map is larger by a factor that these can't take.
 */
#include "common/store/state_store.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/store/store_folder.h"

#define MAP_FACTOR 8                     /* pages a quarter full, and those that the last two commits have left */
#define MAP_HEADROOM_BYTES (256UL << 20) /* and what one fold changes */

struct about {
	uint64_t position, used_bytes;
};

struct state_store {
	MDB_env *env;
	MDB_dbi entries, about;
	MDB_txn *txn;       /* what was changed since the last fold; NULL: nothing was looked at */
	MDB_cursor *cursor; /* of txn; NULL: none yet */
	int holder_fd;
	uint64_t size_bytes;
	struct about folded;
	uint64_t used_bytes; /* with what txn has changed */
};

static int outcome(int r)
{
	switch (r) {
	case 0:
		return 0;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return STATE_STORE_E_FULL;
	case MDB_NOTFOUND:
		return STATE_STORE_E_NONE;
	default:
		return r > 0 ? error_origin(-r) : STATE_STORE_E_DAMAGED;
	}
}

/* ---- open ---- */

static char *file_in(const char *path, const char *name)
{
	struct text file = TEXT_NULL;

	text_printf(&file, "%s/%s", path, name);
	return text_steal(&file);
}

static int remove_file(const char *path, const char *name)
{
	_cleanup_(free) char *file = file_in(path, name);

	return unlink(file) && errno != ENOENT ? error_origin(-errno) : 0;
}

/* The lock goes with the descriptor. */
static int lock(const char *path, int flags, int *ret_fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	_cleanup_(free) char *file = file_in(path, "holder");
	int fd = open(file, O_RDWR | flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600), r;

	if (fd < 0)
		return error_origin(-errno);
	if (fcntl(fd, F_SETLK, &lock) == 0) {
		*ret_fd = fd;
		return 0;
	}
	r = errno == EAGAIN || errno == EACCES ? STATE_STORE_E_BUSY : error_origin(-errno);
	close(fd);
	return r;
}

static MDB_val name_of_position(void)
{
	return (MDB_val){ 8, (void *)(uintptr_t) "position" };
}

static int read_about(struct state_store *store, MDB_txn *txn)
{
	MDB_val name = name_of_position(), value;
	int r = mdb_get(txn, store->about, &name, &value);

	if (r == MDB_NOTFOUND)
		return 0; /* zeroes: it is new */
	if (r == 0 && value.mv_size != sizeof(store->folded))
		return STATE_STORE_E_DAMAGED;
	if (r == 0)
		memcpy(&store->folded, value.mv_data, sizeof(store->folded));
	store->used_bytes = store->folded.used_bytes;
	return outcome(r);
}

static int find_tables(struct state_store *store)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(store->env, NULL, 0, &txn);

	if (r)
		return outcome(r);
	r = mdb_dbi_open(txn, "entries", MDB_CREATE, &store->entries);
	if (!r)
		r = mdb_dbi_open(txn, "about", MDB_CREATE, &store->about);
	r = r ? outcome(r) : read_about(store, txn);
	if (!r)
		return outcome(mdb_txn_commit(txn)); /* with it the tables' handles become the store's */
	mdb_txn_abort(txn);
	return r;
}

static int open_environment(struct state_store *store, const char *path)
{
	uint64_t bytes = MAP_FACTOR * store->size_bytes + MAP_HEADROOM_BYTES, there = store_file_bytes(path);
	int r = mdb_env_create(&store->env), fd;

	if (r)
		return outcome(r);
	mdb_env_set_maxdbs(store->env, 2);
	mdb_env_set_mapsize(store->env, there > bytes ? there : bytes);
	r = mdb_env_open(store->env, path, MDB_NOLOCK | MDB_NOSYNC | MDB_NORDAHEAD, 0600);
	if (r)
		return outcome(r);
	if (mdb_env_get_fd(store->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC); /* the one descriptor that LMDB leaves to every child */
	r = store_file_mend(store->env);
	return r ? r : find_tables(store);
}

int state_store_open(const char *path, uint64_t size_bytes, bool fresh, struct state_store **ret_store)
{
	struct state_store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return error_origin(-ENOMEM);
	store->holder_fd = -1;
	store->size_bytes = size_bytes;
	r = store_folder_make(path);
	if (r == 0)
		r = store_folder_check(path);
	if (r == 0)
		r = lock(path, O_CREAT, &store->holder_fd);
	if (r == 0 && fresh)
		r = remove_file(path, "data.mdb");
	if (r == 0)
		r = open_environment(store, path);
	if (r == 0)
		*ret_store = store;
	else
		state_store_close(store);
	return r;
}

struct state_store *state_store_close(struct state_store *store)
{
	if (!store)
		return NULL;
	state_store_forget(store);
	if (store->env)
		mdb_env_close(store->env);
	fd_close(store->holder_fd);
	free(store);
	return NULL;
}

uint64_t state_store_position(const struct state_store *store)
{
	return store->folded.position;
}

uint64_t state_store_used_bytes(const struct state_store *store)
{
	return store->used_bytes;
}

/* ---- the transaction ---- */

static int begin(struct state_store *store)
{
	return store->txn ? 0 : outcome(mdb_txn_begin(store->env, NULL, 0, &store->txn));
}

void state_store_forget(struct state_store *store)
{
	if (store->txn)
		mdb_txn_abort(store->txn); /* and its cursor */
	store->txn = NULL;
	store->cursor = NULL;
	store->used_bytes = store->folded.used_bytes;
}

/* A transaction in which something went wrong can't be gone on with. */
static int spoilt(struct state_store *store, int r)
{
	if (r)
		state_store_forget(store);
	return r;
}

int state_store_fold(struct state_store *store, uint64_t position)
{
	struct about about = { position, store->used_bytes };
	MDB_val name = name_of_position(), value = { sizeof(about), &about };
	int r = begin(store);

	if (r == 0)
		r = spoilt(store, outcome(mdb_put(store->txn, store->about, &name, &value, 0)));
	if (r)
		return r;
	r = outcome(mdb_txn_commit(store->txn));
	store->txn = NULL;
	store->cursor = NULL;
	if (r == 0)
		store->folded = about;
	store->used_bytes = store->folded.used_bytes;
	return r;
}

/* ---- entries ---- */

static MDB_val to_value(struct state_bytes bytes)
{
	return (MDB_val){ bytes.size_bytes, (void *)(uintptr_t)bytes.data };
}

static struct state_bytes from_value(const MDB_val *value)
{
	return (struct state_bytes){ value->mv_data, value->mv_size };
}

static uint64_t entry_bytes(struct state_bytes key, struct state_bytes value)
{
	return key.size_bytes + value.size_bytes + STATE_STORE_ENTRY_BYTES;
}

int state_store_get(struct state_store *store, struct state_bytes key, struct state_bytes *ret_value)
{
	MDB_val name = to_value(key), value;
	int r = begin(store);

	if (r == 0)
		r = outcome(mdb_get(store->txn, store->entries, &name, &value));
	if (r == 0)
		*ret_value = from_value(&value);
	return r;
}

int state_store_put(struct state_store *store, struct state_bytes key, struct state_bytes value)
{
	MDB_val name = to_value(key), data = to_value(value);
	uint64_t before_bytes = 0, after_bytes = entry_bytes(key, value);
	struct state_bytes before;
	int r = state_store_get(store, key, &before);

	if (r == 0)
		before_bytes = entry_bytes(key, before);
	else if (r != STATE_STORE_E_NONE)
		return spoilt(store, r);
	if (after_bytes > before_bytes && store->used_bytes - before_bytes + after_bytes > store->size_bytes)
		return STATE_STORE_E_FULL;
	r = outcome(mdb_put(store->txn, store->entries, &name, &data, 0));
	if (r == STATE_STORE_E_FULL)
		r = error_origin(-ENOSPC); /* its transaction is spoilt: no answer for who wants to go on */
	if (r == 0)
		store->used_bytes += after_bytes - before_bytes;
	return spoilt(store, r);
}

int state_store_remove(struct state_store *store, struct state_bytes key)
{
	MDB_val name = to_value(key);
	struct state_bytes before;
	uint64_t before_bytes;
	int r = state_store_get(store, key, &before);

	if (r == STATE_STORE_E_NONE)
		return r;
	if (r)
		return spoilt(store, r);
	before_bytes = entry_bytes(key, before);
	r = outcome(mdb_del(store->txn, store->entries, &name, NULL));
	if (r == STATE_STORE_E_FULL)
		r = error_origin(-ENOSPC);
	if (r == 0)
		store->used_bytes -= before_bytes;
	return spoilt(store, r);
}

static bool is_same(const MDB_val *found, struct state_bytes key)
{
	return found->mv_size == key.size_bytes && memcmp(found->mv_data, key.data, key.size_bytes) == 0;
}

int state_store_seek(struct state_store *store, struct state_bytes from, bool after, struct state_bytes *ret_key,
		     struct state_bytes *ret_value)
{
	MDB_val key = to_value(from), value;
	int r = begin(store);

	if (r == 0 && !store->cursor)
		r = outcome(mdb_cursor_open(store->txn, store->entries, &store->cursor));
	if (r)
		return r;
	r = mdb_cursor_get(store->cursor, &key, &value, from.size_bytes ? MDB_SET_RANGE : MDB_FIRST);
	if (r == 0 && after && is_same(&key, from))
		r = mdb_cursor_get(store->cursor, &key, &value, MDB_NEXT);
	if (r)
		return outcome(r);
	*ret_key = from_value(&key);
	*ret_value = from_value(&value);
	return 0;
}

/* ---- the end ---- */

int state_store_destroy(const char *path)
{
	_cleanup_(close) int holder_fd = -1;
	int r = store_folder_check(path);

	if (r == 0)
		r = lock(path, 0, &holder_fd);
	if (r == STATE_STORE_E_NONE || r == STATE_STORE_E_FOREIGN || r == STATE_STORE_E_BUSY || r == -ENOENT)
		return 0; /* not ours */
	if (r == 0)
		r = remove_file(path, "data.mdb");
	if (r == 0)
		r = remove_file(path, "holder");
	return r == 0 && rmdir(path) && errno != ENOTEMPTY ? error_origin(-errno) : r;
}

void state_store_explain(const char *path, int r, struct text *text)
{
	switch (r) {
	case STATE_STORE_E_FULL:
		text_printf(text, "%s can't grow any more; give the stage a smaller `state:`", path);
		break;
	case STATE_STORE_E_FOREIGN:
		text_printf(text,
			    "the folder %s belongs to somebody else, or others may write into it; chmod 700 it, or set "
			    "WEIR_STATE_DIR to a folder of yours",
			    path);
		break;
	case STATE_STORE_E_BUSY:
		text_printf(text,
			    "another process has the state in %s open; does this pipeline run twice? Give one of them "
			    "another name, or another WEIR_STATE_DIR",
			    path);
		break;
	case STATE_STORE_E_DAMAGED:
	case STATE_STORE_E_NONE:
		text_printf(text, "the state in %s is not what was written there; did somebody change it? Run it again",
			    path);
		break;
	default:
		store_explain(path, "the state", "let weir write there, or set WEIR_STATE_DIR", r, text);
	}
}
