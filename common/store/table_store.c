/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      entries      key       ->  value
 *      about        "table"   ->  version, mark of the last commit, bytes in use (struct table_about)
 *
 *      writer                                        reader                             dead or stopped reader
 *      put, put, ... own memory                      begin: the last commit, N          began at N - 3
 *      commit: pages that nobody sees, sync,         get, get: in place
 *              the page that points to them: N + 1   end (its seat is kept, empty)
 *                                                    begin: N + 1
 *
 * LMDB never overwrites a page that a view or the last commit needs: so a reader waits for nobody and nobody for it, and a writer that is
 * killed anywhere leaves N or N + 1. What was replaced is free once no view is as old: a reader that is dead is found by the lock that
 * the kernel took from it (mdb_reader_check), one that lives can only be named. If what such a one keeps has filled the map, the commit
 * says HELD: nothing is lost, and it is tried again.
 *
 * One process writes: it has a lock on a file beside the table (`holder`), which goes with it however it dies. So LMDB's mutex is never
 * waited for, and whose turn it is can be asked.
 *
 * How full it is, is counted here: key, value and 16 bytes for each entry; LMDB's own bound counts pages, and nobody could say what fits.
 * The map has room for eight times that, for half empty pages and for those that views keep.
 *
 * The lock file is written through a mapping: its blocks are taken beforehand, or a full disk would be SIGBUS.
 */
#include "common/store/table_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/store/store_folder.h"
#include "common/store/table_store_priv.h"

#define ABOUT_VERSION 1u
#define LOCK_FILE_BYTES 65536 /* of which each reader takes 64 */
#define READERS_MAX 512       /* processes with a view at a time */
#define MAP_FACTOR 8
#define MAP_HEADROOM_BYTES (UINT64_C(4) << 20)

int table_store_outcome(int r)
{
	switch (r) {
	case 0:
		return 0;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return TABLE_STORE_E_FULL;
	case MDB_NOTFOUND:
		return TABLE_STORE_E_NONE;
	case MDB_READERS_FULL:
		return error_origin(-EAGAIN);
	default:
		return r > 0 ? error_origin(-r) : TABLE_STORE_E_DAMAGED;
	}
}

/* ---- open ---- */

static int open_beside(const char *path, const char *name, int flags)
{
	struct text file = TEXT_NULL;
	int fd;

	text_printf(&file, "%s/%s", path, name);
	fd = open(text_get(&file), flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
	text_deinit(&file);
	return fd < 0 ? error_origin(-errno) : fd;
}

/* The lock goes with the descriptor. */
static int take_holder(struct table_store *store)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	store->holder_fd = open_beside(store->path, "holder", O_RDWR | O_CREAT);
	if (store->holder_fd < 0)
		return store->holder_fd;
	if (fcntl(store->holder_fd, F_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? TABLE_STORE_E_BUSY : error_origin(-errno);
}

pid_t table_store_writer(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	_cleanup_(close) int fd = open_beside(path, "holder", O_RDONLY);

	return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

static int take_lock_blocks(const char *path)
{
	_cleanup_(close) int fd = open_beside(path, "lock.mdb", O_RDWR | O_CREAT);
	int r = fd < 0 ? fd : -posix_fallocate(fd, 0, LOCK_FILE_BYTES);

	return r == -EOPNOTSUPP || r == -EINVAL ? 0 : r;
}

static MDB_val name_of_about(void)
{
	return (MDB_val){ 5, (void *)(uintptr_t) "table" };
}

static int read_about(const struct table_store *store, MDB_txn *txn, struct table_about *ret_about)
{
	MDB_val name = name_of_about(), value;
	int r = mdb_get(txn, store->about, &name, &value);

	*ret_about = (struct table_about){ .version = ABOUT_VERSION };
	if (r == MDB_NOTFOUND)
		return 0; /* it is new */
	if (r == 0 && value.mv_size != sizeof(*ret_about))
		return TABLE_STORE_E_DAMAGED;
	if (r == 0)
		memcpy(ret_about, value.mv_data, sizeof(*ret_about));
	return r ? table_store_outcome(r) : ret_about->version == ABOUT_VERSION ? 0 : TABLE_STORE_E_DAMAGED;
}

static int find_tables(struct table_store *store, unsigned flags)
{
	MDB_txn *txn;
	int r = mdb_txn_begin(store->env, NULL, flags ? 0 : MDB_RDONLY, &txn);

	if (r)
		return table_store_outcome(r);
	r = mdb_dbi_open(txn, "entries", flags, &store->entries);
	if (!r)
		r = mdb_dbi_open(txn, "about", flags, &store->about);
	r = r ? table_store_outcome(r) : read_about(store, txn, &store->committed);
	if (!r)
		return table_store_outcome(mdb_txn_commit(txn)); /* with it the tables' handles become the store's */
	mdb_txn_abort(txn);
	return r;
}

static int open_environment(struct table_store *store)
{
	uint64_t bytes = MAP_FACTOR * store->size_bytes + MAP_HEADROOM_BYTES, there = store_file_bytes(store->path);
	bool writes = store->mode == TABLE_STORE_WRITE;
	int r = mdb_env_create(&store->env), stale, fd;

	if (r)
		return table_store_outcome(r);
	mdb_env_set_maxdbs(store->env, 2);
	mdb_env_set_maxreaders(store->env, READERS_MAX);
	mdb_env_set_mapsize(store->env, there > bytes ? there : bytes);
	r = mdb_env_open(store->env, store->path, MDB_NOTLS | MDB_NORDAHEAD | (writes ? 0 : MDB_RDONLY), 0600);
	if (r)
		return table_store_outcome(r);
	if (mdb_env_get_fd(store->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC); /* the one descriptor that LMDB leaves to every child */
	r = store_file_mend(store->env);
	if (r)
		return r;
	mdb_reader_check(store->env, &stale);
	r = find_tables(store, 0);
	if (r == TABLE_STORE_E_NONE && writes)
		r = find_tables(store, MDB_CREATE);
	store->used_bytes = store->committed.used_bytes;
	return r;
}

static int open_parts(struct table_store *store)
{
	int r = store->mode == TABLE_STORE_WRITE ? store_folder_make(store->path) : 0;

	if (r == 0)
		r = store_folder_check(store->path);
	if (r == 0 && store->mode == TABLE_STORE_WRITE)
		r = take_holder(store);
	if (r == 0 && store->mode == TABLE_STORE_READ && !store_file_bytes(store->path))
		r = TABLE_STORE_E_NONE;
	if (r == 0)
		r = take_lock_blocks(store->path);
	return r == 0 ? open_environment(store) : r;
}

int table_store_open(const char *path, enum table_store_mode mode, uint64_t size_bytes, struct table_store **ret_store)
{
	struct table_store *store = calloc(1, sizeof(*store));
	int r;

	must(store);
	store->mode = mode;
	store->size_bytes = size_bytes;
	store->holder_fd = -1;
	store->path = strdup(path);
	must(store->path);
	r = open_parts(store);
	if (r == 0)
		*ret_store = store;
	else
		table_store_close(store);
	return r;
}

struct table_store *table_store_close(struct table_store *store)
{
	if (!store)
		return NULL;
	if (store->cursor)
		mdb_cursor_close(store->cursor);
	if (store->txn)
		mdb_txn_abort(store->txn);
	if (store->env)
		mdb_env_close(store->env);
	fd_close(store->holder_fd);
	free(store->path);
	free(store);
	return NULL;
}

/* ---- reading ---- */

static void drop_seat(struct table_store *store)
{
	if (store->cursor)
		mdb_cursor_close(store->cursor);
	if (store->txn)
		mdb_txn_abort(store->txn);
	store->cursor = NULL;
	store->txn = NULL;
}

static int begin_view(struct table_store *store)
{
	return store->txn ? mdb_txn_renew(store->txn) : mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->txn);
}

int table_store_begin(struct table_store *store)
{
	int r;

	if (store->viewing)
		return 0;
	r = begin_view(store);
	if (r == MDB_MAP_RESIZED) { /* the writer was given more room */
		drop_seat(store);
		r = mdb_env_set_mapsize(store->env, 0);
		if (!r)
			r = begin_view(store);
	}
	if (r)
		drop_seat(store);
	store->viewing = r == 0;
	return table_store_outcome(r);
}

void table_store_end(struct table_store *store)
{
	if (!store->viewing)
		return;
	if (store->cursor)
		mdb_cursor_close(store->cursor);
	store->cursor = NULL;
	mdb_txn_reset(store->txn);
	store->viewing = false;
}

static MDB_val to_value(struct table_bytes bytes)
{
	return (MDB_val){ bytes.size_bytes, (void *)(uintptr_t)bytes.data };
}

static struct table_bytes from_value(const MDB_val *value)
{
	return (struct table_bytes){ value->mv_data, value->mv_size };
}

int table_store_get(struct table_store *store, struct table_bytes key, struct table_bytes *ret_value)
{
	MDB_val name = to_value(key), value;
	int r = table_store_begin(store);

	if (r)
		return r;
	if (!key.size_bytes || key.size_bytes > TABLE_STORE_KEY_MAX)
		return TABLE_STORE_E_NONE;
	r = mdb_get(store->txn, store->entries, &name, &value);
	if (r == 0)
		*ret_value = from_value(&value);
	return table_store_outcome(r);
}

int table_store_next(struct table_store *store, struct table_bytes after, struct table_bytes *ret_key,
		     struct table_bytes *ret_value)
{
	MDB_val key = to_value(after), value;
	int r = table_store_begin(store);

	if (r == 0 && !store->cursor)
		r = table_store_outcome(mdb_cursor_open(store->txn, store->entries, &store->cursor));
	if (r)
		return r;
	r = mdb_cursor_get(store->cursor, &key, &value, after.size_bytes ? MDB_SET_RANGE : MDB_FIRST);
	if (r == 0 && after.size_bytes && key.mv_size == after.size_bytes &&
	    memcmp(key.mv_data, after.data, key.mv_size) == 0)
		r = mdb_cursor_get(store->cursor, &key, &value, MDB_NEXT);
	if (r)
		return table_store_outcome(r);
	*ret_key = from_value(&key);
	*ret_value = from_value(&value);
	return 0;
}

int table_store_usage(struct table_store *store, struct table_usage *ret_usage)
{
	struct table_about about;
	MDB_stat stat;
	int r = table_store_begin(store);

	if (r == 0)
		r = read_about(store, store->txn, &about);
	if (r == 0)
		r = table_store_outcome(mdb_stat(store->txn, store->entries, &stat));
	if (r == 0)
		*ret_usage = (struct table_usage){ stat.ms_entries, about.used_bytes, store_file_bytes(store->path),
						   about.mark };
	return r;
}

/* ---- writing ---- */

struct table_mark table_store_mark(const struct table_store *store)
{
	return store->committed.mark;
}

/* What a failed write has left of LMDB's own notes is not trusted. */
static int open_again(struct table_store *store)
{
	int r;

	if (store->env)
		mdb_env_close(store->env);
	store->env = NULL;
	r = open_environment(store);
	if (r && store->env)
		mdb_env_close(store->env);
	if (r)
		store->env = NULL;
	return r;
}

static int begin(struct table_store *store)
{
	int r = store->env ? 0 : open_again(store); /* the last time there was no room for it */

	return r || store->txn ? r : table_store_outcome(mdb_txn_begin(store->env, NULL, 0, &store->txn));
}

void table_store_forget(struct table_store *store)
{
	if (store->txn)
		mdb_txn_abort(store->txn);
	store->txn = NULL;
	store->used_bytes = store->committed.used_bytes;
}

/* A transaction in which something went wrong can't be gone on with. The map is full: there are views, or it should not be. */
static int spoilt(struct table_store *store, int r)
{
	if (r == 0)
		return 0;
	table_store_forget(store);
	if (r != TABLE_STORE_E_FULL)
		return r;
	return table_store_is_held(store) ? TABLE_STORE_E_HELD : error_origin(-EFBIG);
}

static uint64_t entry_bytes(struct table_bytes key, size_t value_bytes)
{
	return key.size_bytes + value_bytes + TABLE_STORE_ENTRY_BYTES;
}

/* What the key counts now; 0: it has no value. */
static int find_before(struct table_store *store, struct table_bytes key, uint64_t *ret_bytes)
{
	MDB_val name = to_value(key), value;
	int r = begin(store);

	*ret_bytes = 0;
	if (r)
		return r;
	r = mdb_get(store->txn, store->entries, &name, &value);
	if (r == 0)
		*ret_bytes = entry_bytes(key, value.mv_size);
	return r == MDB_NOTFOUND ? 0 : table_store_outcome(r);
}

int table_store_put(struct table_store *store, struct table_bytes key, struct table_bytes value)
{
	MDB_val name = to_value(key), data = to_value(value);
	uint64_t before_bytes, after_bytes = entry_bytes(key, value.size_bytes);
	int r = find_before(store, key, &before_bytes);

	if (r)
		return spoilt(store, r);
	if (after_bytes > before_bytes && store->used_bytes - before_bytes + after_bytes > store->size_bytes)
		return TABLE_STORE_E_FULL;
	r = spoilt(store, table_store_outcome(mdb_put(store->txn, store->entries, &name, &data, 0)));
	if (r == 0)
		store->used_bytes += after_bytes - before_bytes;
	return r;
}

int table_store_remove(struct table_store *store, struct table_bytes key)
{
	MDB_val name = to_value(key);
	uint64_t before_bytes;
	int r = find_before(store, key, &before_bytes);

	if (r)
		return spoilt(store, r);
	if (!before_bytes)
		return TABLE_STORE_E_NONE;
	r = spoilt(store, table_store_outcome(mdb_del(store->txn, store->entries, &name, NULL)));
	if (r == 0)
		store->used_bytes -= before_bytes;
	return r;
}

int table_store_clear(struct table_store *store)
{
	int r = begin(store);

	if (r == 0)
		r = table_store_outcome(mdb_drop(store->txn, store->entries, 0));
	if (r == 0)
		store->used_bytes = 0;
	return spoilt(store, r);
}

int table_store_commit(struct table_store *store, struct table_mark mark)
{
	struct table_about about = { ABOUT_VERSION, mark, store->used_bytes };
	MDB_val name = name_of_about(), value = { sizeof(about), &about };
	int r = begin(store);

	if (r == 0)
		r = table_store_outcome(mdb_put(store->txn, store->about, &name, &value, 0));
	if (r)
		return spoilt(store, r);
	r = table_store_outcome(mdb_txn_commit(store->txn));
	store->txn = NULL;
	if (r == 0) {
		store->committed = about;
		return 0;
	}
	r = spoilt(store, r);
	if (r == TABLE_STORE_E_HELD)
		return r;
	(void)open_again(store); /* else when it is needed */
	return r;
}
