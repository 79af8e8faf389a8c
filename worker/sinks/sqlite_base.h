/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to an SQLite file: statements that wait for the file's lock without keeping the worker from hearing its orders. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <weir/stage.h>

struct sqlite_base {
	struct weir_context *context;
	sqlite3 *db;
	const char *path; /* the option's */
	bool said;        /* that the file is locked */
};

/* Opens the file; creates it only if `create`. Returns 0; WEIR_FAILED after weir_fail(). sqlite_base_close() is for both. */
int sqlite_base_open(struct sqlite_base *base, struct weir_context *context, const char *path, bool create);
void sqlite_base_close(struct sqlite_base *base);

/* Compiles. Waits for a lock. Returns 0, WEIR_CANCELLED, WEIR_FAILED after weir_fail(). */
int sqlite_base_prepare(struct sqlite_base *base, const char *sql, sqlite3_stmt **ret_statement);
/* Runs a statement to its end, and resets it. Returns as above. */
int sqlite_base_run(struct sqlite_base *base, sqlite3_stmt *statement);
/* The next row of one. Returns 0; SQLITE_BASE_E_END; as above. The caller resets. */
enum { SQLITE_BASE_E_END = 1000 };
int sqlite_base_step(struct sqlite_base *base, sqlite3_stmt *statement);
/* All that this text says; once compiled each is run as above. */
int sqlite_base_execute(struct sqlite_base *base, const char *sql);

/* Somebody else has the file locked: waits a little longer each time. Returns 0: try again; WEIR_CANCELLED; negative errno. */
int sqlite_base_wait(struct sqlite_base *base, uint64_t *wait_ns);
static inline bool sqlite_base_is_busy(int code)
{
	return (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
}
/* What the last call came to, for people; with what to do. Returns WEIR_FAILED, or WEIR_CANCELLED if that is why. */
int sqlite_base_fail(struct sqlite_base *base, int code);
