/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All rows at once, and only if that fails one after the other.
 *
 *      at once         BEGIN, INSERT, INSERT ..., UPDATE turns      in one go (a pipeline of libpq; or COPY)
 *      one by one      SAVEPOINT, INSERT, its answer: RELEASE or ROLLBACK TO, and the item is refused with the server's words
 *
 * A server stops at the first error, so with one bad row none of the others would be stored: the second way finds out which ones
 * are bad. It costs
 * a round trip a row. Constraints that are deferred are looked at before the commit, while it can still be told whose they are.
 */
#include "worker/sinks/postgres_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_NAME "weir_row"
static const char check_sql[] = "SET CONSTRAINTS ALL IMMEDIATE";

/* ---- statements ---- */

static void write_statements(struct postgres_store *store, const struct weir_context *context,
			     const struct columns *columns)
{
	const char *mode = weir_option_string(context, "mode"), *table = weir_option_string(context, "table");

	text_add(&store->insert_sql, "INSERT INTO ");
	postgres_add_table(&store->insert_sql, table);
	text_add(&store->insert_sql, " (");
	columns_add_names(columns, &store->insert_sql);
	text_add(&store->insert_sql, ") VALUES (");
	for (uint32_t i = 0; i < columns->n; i++)
		text_printf(&store->insert_sql, "%s$%u", i ? ", " : "", i + 1);
	text_add(&store->insert_sql, ")");
	columns_add_conflict(columns, context, &store->insert_sql);
	postgres_turns_write_sql(context, &store->write_sql);
	if (strcmp(mode, "copy") != 0)
		return;
	text_add(&store->copy_sql, "COPY ");
	postgres_add_table(&store->copy_sql, table);
	text_add(&store->copy_sql, " (");
	columns_add_names(columns, &store->copy_sql);
	text_add(&store->copy_sql, ") FROM STDIN");
}

static int prepare(struct postgres_base *base, const char *name, const char *sql)
{
	PGresult *result = NULL, *next;
	int r = pq.sendPrepare(base->connection, name, sql, 0, NULL) ? 0 : POSTGRES_E_AWAY;

	while (r == 0 && (r = postgres_base_result(base, &next)) == 0 && next) {
		pq.clear(result);
		result = next;
	}
	if (r == 0)
		r = postgres_base_judge(base, result);
	pq.clear(result);
	return r;
}

int postgres_store_prepare(struct postgres_store *store, struct postgres_base *base, const struct columns *columns)
{
	if (!store->insert_sql.length)
		write_statements(store, base->context, columns);
	return prepare(base, ROW_NAME, text_get(&store->insert_sql));
}

void postgres_store_deinit(struct postgres_store *store)
{
	text_deinit(&store->insert_sql);
	text_deinit(&store->copy_sql);
	text_deinit(&store->write_sql);
	text_deinit(&store->copied);
	postgres_turn_deinit(&store->turn);
}

/* Notes why, while the session still knows. */
static int judge(struct postgres_store *store, struct postgres_base *base, const PGresult *result)
{
	int r = postgres_base_judge(base, result);

	if (r != 0)
		snprintf(store->why, sizeof(store->why), "%s", postgres_base_message(base, result));
	return r;
}

static int away(struct postgres_store *store, struct postgres_base *base, int r)
{
	if (r == POSTGRES_E_AWAY)
		snprintf(store->why, sizeof(store->why), "%s", postgres_base_message(base, NULL));
	return r;
}

static int run(struct postgres_store *store, struct postgres_base *base, const char *sql)
{
	PGresult *result = NULL;
	int r = postgres_base_run(base, sql, 0, NULL, &result);

	if (r != 0)
		snprintf(store->why, sizeof(store->why), "%s", postgres_base_message(base, result));
	pq.clear(result);
	return r;
}

/* ---- all at once ---- */

static bool is_to_store(const struct postgres_row *row)
{
	return !row->is_known && !row->refused;
}

static bool send_all(struct postgres_store *store, struct postgres_base *base, struct postgres_rows *rows)
{
	PGconn *connection = base->connection;
	bool sent = pq.sendQueryParams(connection, "BEGIN", 0, NULL, NULL, NULL, NULL, 0);

	for (uint32_t i = 0; sent && i < rows->n; i++)
		if (is_to_store(&rows->rows[i]))
			sent = pq.sendQueryPrepared(connection, ROW_NAME, (int)rows->n_columns,
						    postgres_rows_cells(rows, i), NULL, NULL, 0);
	return sent && pq.sendQueryParams(connection, check_sql, 0, NULL, NULL, NULL, NULL, 0) &&
	       pq.sendQueryParams(connection, text_get(&store->write_sql), POSTGRES_TURN_PARAMETERS, NULL,
				  store->turn.parameters, NULL, NULL, 0) &&
	       pq.pipelineSync(connection);
}

/* Each statement's result, and a NULL behind it, up to the end of the pipeline. The first error counts. */
static int read_all(struct postgres_store *store, struct postgres_base *base, bool *ret_changed)
{
	int first = 0;

	for (;;) {
		ExecStatusType status;
		PGresult *result;
		int r = postgres_base_result(base, &result);

		if (r != 0)
			return away(store, base, r);
		if (!result && pq.status(base->connection) == CONNECTION_BAD)
			return away(store, base, POSTGRES_E_AWAY);
		status = pq.resultStatus(result);
		if (result && status == PGRES_PIPELINE_SYNC) {
			pq.clear(result);
			return first;
		}
		if (result && status != PGRES_PIPELINE_ABORTED && first == 0)
			first = judge(store, base, result);
		if (result && status == PGRES_COMMAND_OK)
			*ret_changed = !strcmp(pq.cmdStatus((PGresult *)result), "UPDATE 1");
		pq.clear(result);
	}
}

static int store_in_pipeline(struct postgres_store *store, struct postgres_base *base, struct postgres_rows *rows,
			     bool *ret_changed)
{
	int r;

	if (!pq.enterPipelineMode(base->connection) || !send_all(store, base, rows))
		return away(store, base, POSTGRES_E_AWAY);
	r = read_all(store, base, ret_changed);
	if (r != 0 && r != POSTGRES_E_ROW)
		return r;
	return pq.exitPipelineMode(base->connection) ? r : away(store, base, POSTGRES_E_AWAY);
}

static int write_turn(struct postgres_store *store, struct postgres_base *base, bool *ret_changed)
{
	PGresult *result = NULL;
	int r = postgres_base_run(base, text_get(&store->write_sql), POSTGRES_TURN_PARAMETERS, store->turn.parameters,
				  &result);

	*ret_changed = r == 0 && !strcmp(pq.cmdStatus(result), "UPDATE 1");
	if (r != 0)
		snprintf(store->why, sizeof(store->why), "%s", postgres_base_message(base, result));
	pq.clear(result);
	return r;
}

/* Waits until libpq has room for more, or the server has said something. */
static int put(struct postgres_base *base, const struct text *data)
{
	int done;

	while ((done = pq.putCopyData(base->connection, data->data, (int)data->length)) == 0) {
		int r = postgres_base_ready(base);

		if (r != 0)
			return r;
	}
	while (done > 0 && (done = pq.putCopyEnd(base->connection, NULL)) == 0) {
		int r = postgres_base_ready(base);

		if (r != 0)
			return r;
	}
	return done > 0 ? 0 : POSTGRES_E_AWAY;
}

/* The last of its results is what it came to. */
static int end_copy(struct postgres_store *store, struct postgres_base *base)
{
	int r = 0, judged = 0;
	PGresult *result;

	while ((r = postgres_base_result(base, &result)) == 0 && result) {
		judged = judged ? judged : judge(store, base, result);
		pq.clear(result);
	}
	return r ? away(store, base, r) : judged;
}

static int store_by_copy(struct postgres_store *store, struct postgres_base *base, struct postgres_rows *rows,
			 bool *ret_changed)
{
	PGresult *result;
	int r = run(store, base, "BEGIN");

	text_clear(&store->copied);
	for (uint32_t i = 0; i < rows->n; i++)
		if (is_to_store(&rows->rows[i]))
			postgres_rows_copy(rows, i, &store->copied);
	if (r == 0 && store->copied.length) {
		if (!pq.sendQueryParams(base->connection, text_get(&store->copy_sql), 0, NULL, NULL, NULL, NULL, 0))
			return away(store, base, POSTGRES_E_AWAY);
		r = postgres_base_result(base, &result);
		if (r != 0)
			return away(store, base, r);
		r = judge(store, base, result);
		pq.clear(result);
		if (r == 0)
			r = away(store, base, put(base, &store->copied));
		if (r == 0 || r == POSTGRES_E_ROW) {
			int end = end_copy(store, base);

			r = r ? r : end;
		}
	}
	if (r == 0)
		r = run(store, base, check_sql);
	return r == 0 ? write_turn(store, base, ret_changed) : r;
}

/* ---- one by one ---- */

static int store_row(struct postgres_store *store, struct postgres_base *base, struct postgres_rows *rows, uint32_t i)
{
	PGresult *result = NULL;
	char why[600];
	int r = run(store, base, "SAVEPOINT weir");

	if (r == 0)
		r = postgres_base_run(base, text_get(&store->insert_sql), (int)rows->n_columns,
				      postgres_rows_cells(rows, i), &result);
	snprintf(why, sizeof(why), "%s: %s", weir_option_string(base->context, "table"),
		 r ? postgres_base_message(base, result) : "");
	pq.clear(result);
	if (r != 0 && r != POSTGRES_E_ROW) {
		snprintf(store->why, sizeof(store->why), "%s", postgres_base_message(base, NULL));
		return r;
	}
	if (r == POSTGRES_E_ROW)
		postgres_rows_refuse(rows, i, why);
	return run(store, base, r == 0 ? "RELEASE SAVEPOINT weir" : "ROLLBACK TO SAVEPOINT weir");
}

static int store_each(struct postgres_store *store, struct postgres_base *base, struct stored *stored,
		      struct postgres_rows *rows, bool *ret_changed)
{
	int r = run(store, base, "BEGIN");

	if (r == 0)
		r = run(store, base, check_sql);
	for (uint32_t i = 0; r == 0 && i < rows->n; i++) {
		if (is_to_store(&rows->rows[i]))
			r = store_row(store, base, rows, i);
		if (r == 0 && is_to_store(&rows->rows[i]))
			stored_add(stored, &rows->rows[i].identity);
	}
	if (r != 0)
		return r;
	postgres_turns_parameters(base->context, stored, &store->turn);
	return write_turn(store, base, ret_changed);
}

/* ---- the transaction ---- */

/* Who is there already; the others are to be stored. */
static void sort(struct stored *stored, struct postgres_rows *rows)
{
	for (uint32_t i = 0; i < rows->n; i++) {
		struct postgres_row *row = &rows->rows[i];

		row->is_known = stored_has(stored, &row->identity);
		free(row->refused);
		row->refused = NULL;
	}
}

static void add_all(struct stored *stored, const struct postgres_rows *rows)
{
	for (uint32_t i = 0; i < rows->n; i++)
		if (is_to_store(&rows->rows[i]))
			stored_add(stored, &rows->rows[i].identity);
}

/* A COMMIT of a transaction that has failed is answered by ROLLBACK, which is no error to the server. */
static int commit(struct postgres_store *store, struct postgres_base *base, struct stored *stored)
{
	PGresult *result = NULL;
	int r = postgres_base_run(base, "COMMIT", 0, NULL, &result);
	bool committed = r == 0 && !strcmp(pq.cmdStatus(result), "COMMIT");

	if (r != 0)
		snprintf(store->why, sizeof(store->why), "%s", postgres_base_message(base, result));
	pq.clear(result);
	if (r != 0)
		return r == POSTGRES_E_ROW ? POSTGRES_E_AWAY : r;
	if (!committed) {
		snprintf(store->why, sizeof(store->why), "it has rolled back instead of committing");
		return POSTGRES_E_AWAY;
	}
	stored_committed(stored);
	postgres_base_works(base);
	return 0;
}

int postgres_store_rows(struct postgres_store *store, struct postgres_base *base, struct stored *stored,
			struct postgres_rows *rows)
{
	bool changed = false;
	int r;

	sort(stored, rows);
	add_all(stored, rows);
	postgres_turns_parameters(base->context, stored, &store->turn);
	r = store->copy_sql.length ? store_by_copy(store, base, rows, &changed) :
				     store_in_pipeline(store, base, rows, &changed);
	if (r == POSTGRES_E_ROW) {
		r = run(store, base, "ROLLBACK");
		for (uint32_t i = 0; i < rows->n; i++)
			if (is_to_store(&rows->rows[i]))
				item_set_remove(&stored->items, &rows->rows[i].identity);
		if (r == 0)
			r = store_each(store, base, stored, rows, &changed);
	}
	if (r != 0)
		return r;
	if (!changed) {
		weir_fail(
			base->context,
			"%s: weir's row for this worker is gone, or somebody else has changed it: leave `turns` alone, and start "
			"again",
			base->server);
		return WEIR_FAILED;
	}
	return commit(store, base, stored);
}
