/* SPDX-License-Identifier: Apache-2.0 */
/* weir's own table in an SQLite file: which turn of each seat was stored last, and which items were in it. See stored.h. */
#pragma once

#include "worker/sinks/sqlite_base.h"
#include "worker/sinks/stored.h"

struct sqlite_turns {
	struct sqlite_base *base;
	sqlite3_stmt *write, *read_others, *version, *end;
	int64_t seen_version;
};

/*
 * In a transaction of the caller's: makes the table if it is not there, forgets what ended runs have left, and reads what there
 * is. committed: the turn in the cursor. Returns 0, WEIR_CANCELLED, WEIR_FAILED after weir_fail(). sqlite_turns_close() is for all.
 */
int sqlite_turns_open(struct sqlite_turns *turns, struct sqlite_base *base, struct stored *stored, uint64_t committed);
void sqlite_turns_close(struct sqlite_turns *turns);

/* In a transaction: looks at the rows of others, if anybody else has written into the file since the last time. Returns as above. */
int sqlite_turns_follow(struct sqlite_turns *turns, struct stored *stored);
/* In a transaction: the turn after the last one. */
int sqlite_turns_write(struct sqlite_turns *turns, const struct stored *stored);
/* The stream has ended, and all of it is committed: a later run may forget this seat, unless it awaits something. */
int sqlite_turns_end(struct sqlite_turns *turns, const struct stored *stored);
