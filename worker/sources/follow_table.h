/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where reading stands in each of many files: a table in a spool, which outlives the worker and moves with the commits, though only one
 * number of it, the turn, lies in the cursor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/atomic.h"
#include "worker/sources/follow_look.h"
#include "worker/sources/line_feed.h"

#define FOLLOW_FILES_MAX 65536u /* files that are known at a time */
#define FOLLOW_PRINT_BYTES 1024u
#define FOLLOW_NO_FILE UINT32_MAX

/* Written by the worker only; the other copy than the one that counts. */
struct follow_spot {
	atomic_u64 turn; /* that wrote this copy; stored last. 0: never */
	struct line_position position;
	uint64_t print;       /* hash of the file's first bytes ... */
	uint64_t print_bytes; /* ... this many, of those that have been read */
	uint64_t ended;       /* 1: nothing more is expected of it: its last line was given out, newline or not */
};

/* Written by the worker only; but for the spots, what is known of the file does not depend on turns. */
struct follow_entry {
	atomic_u64 used; /* 1: what follows is set; stored last, and taken back first */
	uint64_t device, inode;
	uint64_t born_ns;    /* 0: the file system does not say, or now this and now that */
	uint64_t path_hash;  /* of the name it was found under */
	uint64_t seen_bytes; /* its size ... */
	uint64_t seen_ns;    /* ... and time of change, when it was last looked at */
	struct follow_spot spots[2];
};

struct follow_table_head;

struct follow_table {
	int fd; /* borrowed */
	struct follow_table_head *head;
	struct follow_entry *entries;
	uint32_t n;        /* entries below this have been used */
	uint32_t n_free;   /* of them that are not used now */
	uint32_t capacity; /* entries that are mapped */
	uint64_t turn;     /* the last that is committed, or the one at work */
};

/*
 * Maps the table in the spool, makes it if the spool is empty, and takes back what turns later than `turn` have written, which never
 * happened. Returns 0; -EBADMSG: the spool holds something else; -errno.
 */
int follow_table_open(struct follow_table *table, int spool, uint64_t turn);
void follow_table_close(struct follow_table *table); /* unmaps; fine on zeroes */

/* A new turn begins: what is put from here on counts once the cursor with this number is committed. */
void follow_table_turn(struct follow_table *table, uint64_t turn);

/* Another file, at its beginning. Returns 0 and its number; -ENOSPC: there are FOLLOW_FILES_MAX; -errno: no memory. */
int follow_table_add(struct follow_table *table, const struct follow_look *look, uint64_t path_hash,
		     uint32_t *ret_file);
/* Forgets a file, at once and for good: only one whose spot this turn has left alone. */
void follow_table_remove(struct follow_table *table, uint32_t file);

bool follow_table_is_used(const struct follow_table *table, uint32_t file);
/* The copy that counts. Good until the next put. */
const struct follow_spot *follow_table_spot(const struct follow_table *table, uint32_t file);
/* Moves the file's spot, with this turn. */
void follow_table_put(struct follow_table *table, uint32_t file, const struct follow_spot *spot);
