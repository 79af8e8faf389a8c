/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite waits for a lock in sleep(), deaf to everything. So it is told not to wait (no busy handler), and who finds the file locked waits
 * here, in weir_wait(), for 1 ms, then 2, up to 100. A statement that runs long (a trigger of the user's) asks now and then whether the
 * stage is to stop, and is interrupted. What can take long and can't be interrupted is the disk.
 */
#include "worker/sinks/sqlite_base.h"

#include <string.h>

#include "common/base/clock.h"

#define WAIT_NS_MIN NS_PER_MS
#define WAIT_NS_MAX (100 * NS_PER_MS)
#define STEPS_BETWEEN_LOOKS 10000 /* of SQLite's virtual machine */

static int look(void *context)
{
	return weir_cancelled(context);
}

static const char *advice(int code)
{
	switch (code & 0xff) {
	case SQLITE_CANTOPEN:
		return "is the path right, and may weir write to its folder?";
	case SQLITE_READONLY:
		return "give the user who runs weir the right to write to the file and to its folder";
	case SQLITE_NOTADB:
		return "name a file that SQLite has made";
	case SQLITE_CORRUPT:
		return "restore it; `PRAGMA integrity_check` says what is wrong";
	case SQLITE_FULL:
	case SQLITE_IOERR:
		return "make room, or look at the disk, and run again";
	default:
		return "look at `table`, `columns`, `key` and `create`";
	}
}

int sqlite_base_fail(struct sqlite_base *base, int code)
{
	if ((code & 0xff) == SQLITE_INTERRUPT && weir_cancelled(base->context))
		return WEIR_CANCELLED;
	weir_fail(base->context, "%s: %s; %s", base->path, base->db ? sqlite3_errmsg(base->db) : sqlite3_errstr(code),
		  (code & 0xffffff) == SQLITE_READONLY_DBMOVED ?
			  "it was moved or removed while the pipeline ran: start again" :
			  advice(code));
	return WEIR_FAILED;
}

int sqlite_base_open(struct sqlite_base *base, struct weir_context *context, const char *path, bool create)
{
	int code;

	*base = (struct sqlite_base){ .context = context, .path = path };
	code = sqlite3_open_v2(path, &base->db,
			       SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		return sqlite_base_fail(base, code);
	sqlite3_extended_result_codes(base->db, 1);
	sqlite3_progress_handler(base->db, STEPS_BETWEEN_LOOKS, look, context);
	/* Else the middle of a turn may have to wait for readers, who may then wait for the turn. */
	return sqlite_base_execute(base, "PRAGMA synchronous = FULL; PRAGMA cache_spill = OFF");
}

void sqlite_base_close(struct sqlite_base *base)
{
	sqlite3_close_v2(base->db);
	base->db = NULL;
}

int sqlite_base_wait(struct sqlite_base *base, uint64_t *wait_ns)
{
	int r;

	if (!base->said && *wait_ns >= WAIT_NS_MAX)
		weir_log(WEIR_LOG_NOTICE, "waiting for %s: somebody else has it locked", base->path);
	base->said = base->said || *wait_ns >= WAIT_NS_MAX;
	*wait_ns = !*wait_ns ? WAIT_NS_MIN : *wait_ns * 2 < WAIT_NS_MAX ? *wait_ns * 2 : WAIT_NS_MAX;
	r = weir_wait(base->context, NULL, 0, clock_now_ns() + *wait_ns);
	return r == WEIR_EXPIRED ? 0 : r;
}

static void waited(struct sqlite_base *base)
{
	if (base->said)
		weir_log(WEIR_LOG_NOTICE, "%s is free again", base->path);
	base->said = false;
}

int sqlite_base_prepare(struct sqlite_base *base, const char *sql, sqlite3_stmt **ret_statement)
{
	uint64_t wait_ns = 0;
	int code, r = 0;

	while (sqlite_base_is_busy(
		       code = sqlite3_prepare_v3(base->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL)) &&
	       r == 0)
		r = sqlite_base_wait(base, &wait_ns);
	if (r == 0 && code != SQLITE_OK)
		r = sqlite_base_fail(base, code);
	return r;
}

int sqlite_base_step(struct sqlite_base *base, sqlite3_stmt *statement)
{
	uint64_t wait_ns = 0;
	int code, r = 0;

	while (sqlite_base_is_busy(code = sqlite3_step(statement)) && r == 0) {
		sqlite3_reset(statement);
		r = sqlite_base_wait(base, &wait_ns);
	}
	if (r != 0)
		return r;
	waited(base);
	return code == SQLITE_ROW ? 0 : code == SQLITE_DONE ? SQLITE_BASE_E_END : sqlite_base_fail(base, code);
}

int sqlite_base_run(struct sqlite_base *base, sqlite3_stmt *statement)
{
	int r;

	do
		r = sqlite_base_step(base, statement);
	while (r == 0);
	sqlite3_reset(statement);
	return r == SQLITE_BASE_E_END ? 0 : r;
}

int sqlite_base_execute(struct sqlite_base *base, const char *sql)
{
	const char *at = sql;
	int r = 0;

	while (r == 0 && *at) {
		sqlite3_stmt *statement = NULL;
		uint64_t wait_ns = 0;
		const char *next = at;
		int code;

		while (sqlite_base_is_busy(code = sqlite3_prepare_v2(base->db, at, -1, &statement, &next)) && r == 0)
			r = sqlite_base_wait(base, &wait_ns);
		if (r == 0 && code != SQLITE_OK)
			r = sqlite_base_fail(base, code);
		if (r == 0 && statement) /* NULL: a comment, or blanks */
			r = sqlite_base_run(base, statement);
		sqlite3_finalize(statement);
		at = next;
	}
	return r;
}
