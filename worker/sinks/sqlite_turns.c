/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row for each seat and run. Rows of runs that came to their end are removed by the next run; of those that did not, or that
 * still await an item (it may have become a dead letter, which can be given again), after thirty days.
 */
#include "worker/sinks/sqlite_turns.h"

#include <string.h>

#include "common/base/text.h"
#include "worker/sinks/columns.h"

#define KEPT_S "2592000" /* thirty days */

enum { PIPELINE = 1, STAGE, RUN, WORKER, TURN, ITEMS, AWAITED }; /* parameters, the same in each statement */

static const char make_sql[] =
	"CREATE TABLE IF NOT EXISTS %s (pipeline TEXT NOT NULL, stage TEXT NOT NULL, run INTEGER NOT NULL, "
	"worker INTEGER NOT NULL, turn INTEGER NOT NULL, items BLOB NOT NULL, "
	"awaited BLOB NOT NULL, ended INTEGER NOT NULL, "
	"at INTEGER NOT NULL, PRIMARY KEY (pipeline, stage, run, worker))";
static const char forget_sql[] = "DELETE FROM %s WHERE pipeline = ?1 AND stage = ?2 AND run <> ?3 AND "
				 "((ended AND awaited = x'') OR at < strftime('%%s') - " KEPT_S ")";
static const char read_sql[] =
	"SELECT turn, items, awaited FROM %s WHERE pipeline = ?1 AND stage = ?2 AND run = ?3 AND worker = ?4";
static const char others_sql[] =
	"SELECT turn, items, awaited FROM %s WHERE pipeline = ?1 AND stage = ?2 AND NOT (run = ?3 AND worker = ?4)";
static const char write_sql[] =
	"INSERT INTO %s VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, strftime('%%s')) ON CONFLICT (pipeline, stage, run, worker) "
	"DO UPDATE SET turn = excluded.turn, items = excluded.items, awaited = excluded.awaited, ended = 0, at = excluded.at";
static const char end_sql[] =
	"UPDATE %s SET ended = 1, items = x'', awaited = ?7, at = strftime('%%s') WHERE pipeline = ?1 AND stage = ?2 AND "
	"run = ?3 AND worker = ?4";

static void add_table(struct text *sql, const struct sqlite_base *base, const char *format)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL;
	const char *table = weir_option_string(base->context, "turns"), *mark = strstr(format, "%s");

	columns_add_name(&name, table, strlen(table));
	text_add_bytes(sql, format, (size_t)(mark - format));
	text_add(sql, text_get(&name));
	for (mark += 2; *mark; mark++)
		if (mark[0] != '%' || mark[1] != '%')
			text_add_char(sql, *mark);
}

static int prepare(struct sqlite_base *base, const char *format, sqlite3_stmt **ret_statement)
{
	_cleanup_(text_deinit) struct text sql = TEXT_NULL;
	int r;

	add_table(&sql, base, format);
	r = sqlite_base_prepare(base, text_get(&sql), ret_statement);
	if (r != 0)
		return r;
	sqlite3_bind_text(*ret_statement, PIPELINE, weir_pipeline_name(base->context), -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(*ret_statement, STAGE, weir_stage_name(base->context), -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(*ret_statement, RUN, (int64_t)weir_run(base->context));
	sqlite3_bind_int64(*ret_statement, WORKER, weir_worker_index(base->context));
	return 0;
}

static int run_once(struct sqlite_base *base, const char *format)
{
	sqlite3_stmt *statement = NULL;
	int r = prepare(base, format, &statement);

	if (r == 0)
		r = sqlite_base_run(base, statement);
	sqlite3_finalize(statement);
	return r;
}

static int make_table(struct sqlite_base *base)
{
	_cleanup_(text_deinit) struct text sql = TEXT_NULL;

	add_table(&sql, base, make_sql);
	return sqlite_base_execute(base, text_get(&sql));
}

/* What the statement stands at: good until its next step. */
static struct stored_row row_of(sqlite3_stmt *statement)
{
	return (struct stored_row){ .turn = (uint64_t)sqlite3_column_int64(statement, 0),
				    .items = sqlite3_column_blob(statement, 1),
				    .items_bytes = (size_t)sqlite3_column_bytes(statement, 1),
				    .awaited = sqlite3_column_blob(statement, 2),
				    .awaited_bytes = (size_t)sqlite3_column_bytes(statement, 2) };
}

static int read_own(struct sqlite_turns *turns, struct stored *stored, uint64_t committed)
{
	struct sqlite_base *base = turns->base;
	sqlite3_stmt *statement = NULL;
	int r = prepare(base, read_sql, &statement);

	if (r == 0)
		r = sqlite_base_step(base, statement);
	if (r == 0) {
		const struct stored_row row = row_of(statement);

		r = stored_begin(stored, base->context, base->path, &row, committed);
	} else if (r == SQLITE_BASE_E_END) {
		r = stored_begin(stored, base->context, base->path, NULL, committed);
	}
	sqlite3_finalize(statement);
	return r;
}

static int read_others(struct sqlite_turns *turns, struct stored *stored)
{
	struct sqlite_base *base = turns->base;
	int r;

	item_set_clear(&stored->others);
	while ((r = sqlite_base_step(base, turns->read_others)) == 0) {
		const struct stored_row row = row_of(turns->read_others);

		r = stored_add_other(stored, base->context, base->path, &row);
		if (r != 0)
			break;
	}
	sqlite3_reset(turns->read_others);
	return r == SQLITE_BASE_E_END ? 0 : r;
}

int sqlite_turns_open(struct sqlite_turns *turns, struct sqlite_base *base, struct stored *stored, uint64_t committed)
{
	int r;

	*turns = (struct sqlite_turns){ .base = base, .seen_version = -1 };
	r = make_table(base);
	if (r == 0)
		r = run_once(base, forget_sql);
	if (r == 0)
		r = read_own(turns, stored, committed);
	if (r == 0)
		r = prepare(base, others_sql, &turns->read_others);
	if (r == 0)
		r = prepare(base, write_sql, &turns->write);
	if (r == 0)
		r = prepare(base, end_sql, &turns->end);
	if (r == 0)
		r = sqlite_base_prepare(base, "PRAGMA data_version", &turns->version);
	return r;
}

void sqlite_turns_close(struct sqlite_turns *turns)
{
	sqlite3_finalize(turns->write);
	sqlite3_finalize(turns->read_others);
	sqlite3_finalize(turns->version);
	sqlite3_finalize(turns->end);
	*turns = (struct sqlite_turns){ 0 };
}

int sqlite_turns_follow(struct sqlite_turns *turns, struct stored *stored)
{
	int64_t version;
	int r = sqlite_base_step(turns->base, turns->version);

	if (r != 0)
		return r;
	version = sqlite3_column_int64(turns->version, 0);
	sqlite3_reset(turns->version);
	if (version == turns->seen_version)
		return 0;
	turns->seen_version = version;
	return read_others(turns, stored);
}

static void bind_awaited(sqlite3_stmt *statement, const struct stored_row *row)
{
	sqlite3_bind_blob64(statement, AWAITED, row->awaited_bytes ? row->awaited : "", row->awaited_bytes,
			    SQLITE_STATIC);
}

int sqlite_turns_write(struct sqlite_turns *turns, const struct stored *stored)
{
	const struct stored_row row = stored_row(stored);

	sqlite3_bind_int64(turns->write, TURN, (int64_t)row.turn);
	sqlite3_bind_blob64(turns->write, ITEMS, row.items_bytes ? row.items : "", row.items_bytes, SQLITE_STATIC);
	bind_awaited(turns->write, &row);
	return sqlite_base_run(turns->base, turns->write);
}

/* What an earlier worker had stored as it died, and nobody has been given since, stands in the row's items only: it is awaited. */
int sqlite_turns_end(struct sqlite_turns *turns, const struct stored *stored)
{
	const struct stored_row row = stored_row(stored);

	bind_awaited(turns->end, &row);
	return sqlite_base_run(turns->base, turns->end);
}
