/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dead letters of one pipeline: a folder with an LMDB environment. Any number of processes write and read at once; every call that
 * writes, and the opening that makes it, waits for the one writer's lock: as long as that takes, or up to letter_store_bound(). A
 * process opens a store once at a time and never uses it across fork().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/text.h"
#include "common/store/letter.h"

struct letter_store;

enum {
	LETTER_STORE_E_FULL = 1,    /* it has reached its size: export and purge */
	LETTER_STORE_E_NONE = 2,    /* there is no store, or no letter of that id */
	LETTER_STORE_E_FOREIGN = 3, /* the folder belongs to somebody else, or others may write into it */
	LETTER_STORE_E_DAMAGED = 4, /* it, or a letter in it, makes no sense */
	LETTER_STORE_E_HELD = 5,    /* somebody else had the turn to write until the bound; see letter_store_bound() */
};

enum letter_store_mode {
	LETTER_STORE_READ,  /* what is there; creates nothing */
	LETTER_STORE_WRITE, /* creates the folder (0700) and what is above it; at most size_bytes */
	LETTER_STORE_TEND,  /* what is there, to purge: has room for that even when the store is full */
};

#define LETTER_STORE_SIZE_BYTES (UINT64_C(1) << 30)

/*
 * path: the folder, absolute. size_bytes: how large it may become; 0: LETTER_STORE_SIZE_BYTES. Blocks on the disk. Returns 0;
 * LETTER_STORE_E_NONE (not in mode WRITE), FOREIGN, DAMAGED, FULL, HELD; -errno. Where there is a store it takes no turn.
 */
int letter_store_open(const char *path, enum letter_store_mode mode, uint64_t size_bytes,
		      struct letter_store **ret_store);
/* Fine on NULL. Returns NULL. */
struct letter_store *letter_store_close(struct letter_store *store);

/*
 * Writes a letter, durably, in one transaction. A letter of the same identity is replaced and keeps its id: written again after a
 * kill, an item is one letter still. Blocks on the disk and on other writers. Returns 0; LETTER_STORE_E_FULL, DAMAGED; -errno; with
 * anything but 0 nothing has changed.
 */
int letter_store_put(struct letter_store *store, const struct dead_letter *letter, uint64_t *ret_id);

/*
 * Calls visit for each letter in the order of their ids, as they all were at one moment; the letter lives until visit returns. A return
 * value that is not 0 ends it and is passed on, so visit returns 0 or > LETTER_STORE_E_HELD. Letters that make no sense are left out;
 * then LETTER_STORE_E_DAMAGED is returned at the end. Returns 0; as said; -errno.
 */
typedef int letter_visit(void *data, const struct dead_letter *letter);
int letter_store_each(struct letter_store *store, letter_visit *visit, void *data);
/* The one letter. Returns what visit does; LETTER_STORE_E_NONE, DAMAGED; -errno. */
int letter_store_get(struct letter_store *store, uint64_t id, letter_visit *visit, void *data);

/*
 * Who has its turn to write now, stopped perhaps: then all others wait. Asks the kernel; waits for nobody. 0: nobody. Not for a process
 * that has a store open.
 */
pid_t letter_store_holder(const char *path);
/*
 * function is called whenever this process has to wait for its turn to write, in any store: before (true) and after (false). NULL: no
 * longer. It is called on the thread that waits, and may not use the store.
 */
void letter_store_watch(void (*function)(void *data, bool waits), void *data);

/* Who has the turn to write. */
struct letter_holder {
	pid_t pid;         /* 0: the kernel does not say */
	bool stopped;      /* by a signal: it goes on when it is told to */
	char command[128]; /* its command line, printable; "": not known */
};
/*
 * From now on no call of this process, into any store, waits for its turn to write past deadline_ns (monotonic; 0: as long as it takes):
 * it returns LETTER_STORE_E_HELD then, and has changed nothing; nor does it write where nobody could be named (-errno). says: called,
 * once for each wait, if it has lasted a second; NULL: nobody is.
 */
void letter_store_bound(uint64_t deadline_ns, void (*says)(const struct letter_holder *holder));
/* The one that this process has waited for last, in vain or not. Lives as long as the process. */
const struct letter_holder *letter_store_held_by(void);
/* Appends "process 4711 (weir dlq purge orders 17), which is stopped,". Pure. */
void letter_holder_name(const struct letter_holder *holder, struct text *text);

/* Removes the letters of those ids, all in one transaction; ids that are not there are none. Returns 0; DAMAGED; FULL; HELD; -errno. */
int letter_store_remove(struct letter_store *store, const uint64_t *ids, size_t n, size_t *ret_removed);

/* Appends what a call returned and what to do about it, as a sentence without a full stop. */
void letter_store_explain(const char *path, int r, struct text *text);
