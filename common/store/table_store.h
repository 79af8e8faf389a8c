/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table: keys with values in a folder, which outlives runs. One process at a time writes it, any number read it, each as it was at one
 * moment, and nobody waits for anybody. Never used across fork().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/text.h"

struct table_store;

enum {
	TABLE_STORE_E_FULL = 1,    /* it would be larger than its size; nothing has changed */
	TABLE_STORE_E_NONE = 2,    /* there is no table, or no such key in it */
	TABLE_STORE_E_FOREIGN = 3, /* the folder belongs to somebody else, or others may write into it */
	TABLE_STORE_E_DAMAGED = 4, /* it makes no sense */
	TABLE_STORE_E_BUSY = 5,    /* another process writes it: table_store_writer() */
	TABLE_STORE_E_HELD = 6,    /* what somebody still reads leaves no room; all that was not committed is gone */
};

#define TABLE_STORE_KEY_MAX 511u    /* LMDB's; 1 is the least */
#define TABLE_STORE_ENTRY_BYTES 16u /* that an entry counts beside its key and its value */

enum table_store_mode {
	TABLE_STORE_READ,  /* what is there; creates nothing */
	TABLE_STORE_WRITE, /* creates the folder (0700) and what is above it; at most size_bytes */
};

struct table_bytes {
	const void *data;
	size_t size_bytes;
};

/* How far who writes has come. All zero: nobody has written. */
struct table_mark {
	uint64_t run;      /* a number of the writer's own */
	uint64_t position; /* of what it was given */
};

struct table_usage {
	uint64_t n_entries;
	uint64_t used_bytes; /* of all entries, as they count */
	uint64_t file_bytes;
	struct table_mark mark;
};

/*
 * path: the folder. size_bytes: of all entries together, for who writes. Blocks on the disk. Returns 0; TABLE_STORE_E_NONE (mode READ),
 * FOREIGN, DAMAGED, BUSY (mode WRITE); -errno.
 */
int table_store_open(const char *path, enum table_store_mode mode, uint64_t size_bytes, struct table_store **ret_store);
/* What is not committed is gone. Fine on NULL. Returns NULL. */
struct table_store *table_store_close(struct table_store *store);

/* ---- reading: mode READ */

/*
 * From here on the table is seen as it is now, until table_store_end(); nothing if there is a view already. Takes no lock and never waits.
 * Who holds a view keeps the writer from using pages again: end it before any wait. Returns 0; TABLE_STORE_E_DAMAGED; -errno (-EAGAIN:
 * too many read it).
 */
int table_store_begin(struct table_store *store);
void table_store_end(struct table_store *store);

/* The value of a key, in place until table_store_end(). Begins a view if there is none. Returns 0; TABLE_STORE_E_NONE, DAMAGED; -errno. */
int table_store_get(struct table_store *store, struct table_bytes key, struct table_bytes *ret_value);
/* The entry behind this key, in the order of the keys' bytes; size 0: the first. As table_store_get(). */
int table_store_next(struct table_store *store, struct table_bytes after, struct table_bytes *ret_key,
		     struct table_bytes *ret_value);
int table_store_usage(struct table_store *store, struct table_usage *ret_usage);

/* ---- writing: mode WRITE */

/* Where the last commit left off. */
struct table_mark table_store_mark(const struct table_store *store);

/*
 * Seen by nobody before table_store_commit(). Returns 0; TABLE_STORE_E_FULL, of a key to remove NONE: nothing has changed; after HELD,
 * DAMAGED, -errno all that was not committed is gone.
 */
int table_store_put(struct table_store *store, struct table_bytes key, struct table_bytes value);
int table_store_remove(struct table_store *store, struct table_bytes key);
/* All entries are gone. Returns as above. */
int table_store_clear(struct table_store *store);

/*
 * All of it, and the mark with it, is on the disk and seen by whoever begins a view from now on; at once or not at all, whatever dies.
 * Blocks on the disk. Returns 0; after HELD, DAMAGED, -errno (-ENOSPC: the disk is full) all that was not committed is gone.
 */
int table_store_commit(struct table_store *store, struct table_mark mark);
void table_store_forget(struct table_store *store);

/* ---- who else is there */

struct table_reader {
	pid_t pid;
	uint64_t behind;   /* commits since the one it sees */
	bool stopped;      /* by a signal */
	char command[128]; /* its command line, printable; "": not known */
};

/*
 * Each process that has a view. The dead ones are released first: what they kept is free. Reads /proc; a few system calls for each. A
 * return value of visit that is not 0 ends it, and is passed on. Returns 0 or -errno.
 */
typedef int table_visit(void *data, const struct table_reader *reader);
int table_store_readers(struct table_store *store, table_visit *visit, void *data);
/* Appends "process 4711 (weir-worker ...), which is stopped,". Pure. */
void table_reader_name(const struct table_reader *reader, struct text *text);

/* Who writes it now; 0: nobody. Not for a process that has it open. */
pid_t table_store_writer(const char *path);

/* Appends what a call returned and what to do about it, as a sentence without a full stop. */
void table_store_explain(const char *path, int r, struct text *text);
