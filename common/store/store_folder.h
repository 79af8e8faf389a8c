/* SPDX-License-Identifier: Apache-2.0 */
/* What every store needs before LMDB opens it: a folder of ours, and a file that is as long as it says. */
#pragma once

#include <lmdb.h>
#include <stdint.h>

struct text;

/* What a call of this folder returns beside 0 and -errno. Each store names those that it may return. */
enum store_code {
	STORE_E_FULL = 1,    /* it has reached its size */
	STORE_E_NONE = 2,    /* there is no store, or nothing of that name in it */
	STORE_E_FOREIGN = 3, /* the folder belongs to somebody else, or others may write into it */
	STORE_E_DAMAGED = 4, /* it makes no sense */
};

/* Makes the folder (0700) and what is above it; what is there already stays as it is. Blocks on the disk. Returns 0 or -errno. */
int store_folder_make(const char *path);
/* Whether it is a folder that nobody else writes into. Returns 0; STORE_E_NONE: there is none; STORE_E_FOREIGN; -errno. */
int store_folder_check(const char *path);
/* How large LMDB's file in that folder is; 0 also if there is none yet. */
uint64_t store_file_bytes(const char *path);
/*
 * A file that has lost its end (a copy that broke off, a file system that was repaired) would be SIGBUS to whoever reads there: it gets
 * zeroes in its place, and LMDB finds that it makes no sense. Returns 0; STORE_E_DAMAGED; -errno.
 */
int store_file_mend(MDB_env *env);
/*
 * Appends what anything but a store's own outcome means, for people: it "cannot use WHAT in PATH", as "the state", and what to do about it,
 * as "let weir write there". r: -errno; anything else makes no sense.
 */
void store_explain(const char *path, const char *what, const char *advice, int r, struct text *text);
