/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row of a seat is its lock, too.
 *
 *      old worker      BEGIN, rows, UPDATE turns ... (row locked)     COMMIT sent, and SIGKILL
 *      server                                                         | may still be at it
 *      new worker                                   INSERT ... ON CONFLICT DO UPDATE: waits for the row, then reads it
 *
 * A COMMIT is sent only after the answer to the UPDATE has come. So what the server may still do for a dead worker is either a commit that
 * holds the row, for which the claim waits, or it lacks a COMMIT that nobody will send.
 */
#include "worker/sinks/postgres_turns.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sinks/columns.h"

static const char make_sql[] =
	"CREATE TABLE IF NOT EXISTS %s (pipeline text NOT NULL, stage text NOT NULL, run bigint NOT NULL, worker integer NOT NULL, "
	"turn bigint NOT NULL, items bytea NOT NULL, awaited bytea NOT NULL, ended boolean NOT NULL, at timestamptz NOT NULL, "
	"PRIMARY KEY (pipeline, stage, run, worker))";
static const char find_sql[] = "SELECT to_regclass($1) IS NOT NULL";
static const char forget_sql[] = "DELETE FROM %s WHERE pipeline = $1 AND stage = $2 AND run <> $3 AND "
				 "((ended AND length(awaited) = 0) OR at < now() - interval '30 days')";
static const char claim_sql[] =
	"INSERT INTO %s AS t VALUES ($1, $2, $3, $4, 0, '', '', false, now()) ON CONFLICT "
	"(pipeline, stage, run, worker) DO UPDATE SET at = now() RETURNING turn, items, awaited";
static const char others_sql[] =
	"SELECT turn, items, awaited FROM %s WHERE pipeline = $1 AND stage = $2 AND NOT (run = $3 AND worker = $4)";
static const char write_sql[] =
	"UPDATE %s SET turn = $5, items = $6::bytea, awaited = $7::bytea, ended = false, at = now() WHERE pipeline = $1 AND "
	"stage = $2 AND run = $3 AND worker = $4 AND turn = $8";
static const char end_sql[] =
	"UPDATE %s SET ended = true, items = '', awaited = $5::bytea, at = now() WHERE pipeline = $1 AND stage = $2 AND "
	"run = $3 AND worker = $4";

void postgres_add_table(struct text *sql, const char *table)
{
	const char *dot = strchr(table, '.');

	if (dot) {
		columns_add_name(sql, table, (size_t)(dot - table));
		text_add_char(sql, '.');
		table = dot + 1;
	}
	columns_add_name(sql, table, strlen(table));
}

static void write_statement(const struct weir_context *context, const char *format, struct text *sql)
{
	const char *mark = strstr(format, "%s");

	text_add_bytes(sql, format, (size_t)(mark - format));
	postgres_add_table(sql, weir_option_string(context, "turns"));
	text_add(sql, mark + 2);
}

static void name_seat(const struct weir_context *context, struct postgres_turn *turn)
{
	snprintf(turn->run, sizeof(turn->run), "%" PRIu64, weir_run(context));
	snprintf(turn->worker, sizeof(turn->worker), "%u", weir_worker_index(context));
	turn->parameters[0] = weir_pipeline_name(context);
	turn->parameters[1] = weir_stage_name(context);
	turn->parameters[2] = turn->run;
	turn->parameters[3] = turn->worker;
}

/* awaited: the fifth parameter, if the statement has one. */
static int run_with(struct postgres_base *base, const char *format, int n, const char *awaited, PGresult **ret_result)
{
	_cleanup_(text_deinit) struct text sql = TEXT_NULL;
	struct postgres_turn turn = { 0 };

	name_seat(base->context, &turn);
	turn.parameters[4] = awaited;
	write_statement(base->context, format, &sql);
	return postgres_base_run(base, text_get(&sql), n, turn.parameters, ret_result);
}

static int run(struct postgres_base *base, const char *format, int n, PGresult **ret_result)
{
	return run_with(base, format, n, NULL, ret_result);
}

/* To make a table wants rights that the user may not have when it is there already. */
int postgres_turns_make(struct postgres_base *base)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL, sql = TEXT_NULL;
	const char *parameters[1];
	PGresult *result = NULL;
	bool there;
	int r;

	postgres_add_table(&name, weir_option_string(base->context, "turns"));
	parameters[0] = text_get(&name);
	r = postgres_base_run(base, find_sql, 1, parameters, &result);
	there = r == 0 && !strcmp(pq.getvalue(result, 0, 0), "t");
	pq.clear(result);
	if (r != 0 || there)
		return r;
	write_statement(base->context, make_sql, &sql);
	return postgres_base_run(base, text_get(&sql), 0, NULL, NULL);
}

/* A row of the result; bytea is written as hex. frees: what to free() afterwards. */
static struct stored_row row_of(const PGresult *result, int i, unsigned char *frees[2])
{
	struct stored_row row = { .turn = strtoull(pq.getvalue(result, i, 0), NULL, 10) };

	frees[0] = pq.unescapeBytea((const unsigned char *)pq.getvalue(result, i, 1), &row.items_bytes);
	frees[1] = pq.unescapeBytea((const unsigned char *)pq.getvalue(result, i, 2), &row.awaited_bytes);
	row.items = frees[0];
	row.awaited = frees[1];
	return row;
}

static int read_own(struct postgres_base *base, struct stored *stored, uint64_t committed)
{
	PGresult *result = NULL;
	int r = run(base, claim_sql, 4, &result);

	if (r == 0) {
		unsigned char *frees[2];
		const struct stored_row row = row_of(result, 0, frees);

		r = stored_begin(stored, base->context, base->server, &row, committed);
		pq.freemem(frees[0]);
		pq.freemem(frees[1]);
	}
	pq.clear(result);
	return r;
}

static int read_others(struct postgres_base *base, struct stored *stored)
{
	PGresult *result = NULL;
	int r = run(base, others_sql, 4, &result);

	item_set_clear(&stored->others);
	for (int i = 0; r == 0 && i < pq.ntuples(result); i++) {
		unsigned char *frees[2];
		const struct stored_row row = row_of(result, i, frees);

		r = stored_add_other(stored, base->context, base->server, &row);
		pq.freemem(frees[0]);
		pq.freemem(frees[1]);
	}
	pq.clear(result);
	return r;
}

int postgres_turns_claim(struct postgres_base *base, struct stored *stored, uint64_t committed)
{
	int r = run(base, forget_sql, 3, NULL);

	if (r == 0)
		r = read_own(base, stored, committed);
	return r == 0 ? read_others(base, stored) : r;
}

void postgres_turns_write_sql(const struct weir_context *context, struct text *sql)
{
	write_statement(context, write_sql, sql);
}

static const char *hex(const void *bytes, size_t size_bytes, struct text *text)
{
	const unsigned char *at = bytes;

	text_clear(text);
	text_add(text, "\\x");
	for (size_t i = 0; i < size_bytes; i++) {
		text_add_char(text, "0123456789abcdef"[at[i] >> 4]);
		text_add_char(text, "0123456789abcdef"[at[i] & 15]);
	}
	return text_get(text);
}

/* What an earlier worker had stored as it died, and nobody has been given since, stands in the row's items only: it is awaited. */
int postgres_turns_end(struct postgres_base *base, const struct stored *stored)
{
	_cleanup_(text_deinit) struct text awaited = TEXT_NULL;
	const struct stored_row row = stored_row(stored);

	return run_with(base, end_sql, 5, hex(row.awaited, row.awaited_bytes, &awaited), NULL);
}

void postgres_turns_parameters(const struct weir_context *context, const struct stored *stored,
			       struct postgres_turn *turn)
{
	const struct stored_row row = stored_row(stored);

	name_seat(context, turn);
	snprintf(turn->turn, sizeof(turn->turn), "%" PRIu64, row.turn);
	snprintf(turn->before, sizeof(turn->before), "%" PRIu64, stored->turn);
	turn->parameters[4] = turn->turn;
	turn->parameters[5] = hex(row.items, row.items_bytes, &turn->items);
	turn->parameters[6] = hex(row.awaited, row.awaited_bytes, &turn->awaited);
	turn->parameters[7] = turn->before;
}

void postgres_turn_deinit(struct postgres_turn *turn)
{
	text_deinit(&turn->items);
	text_deinit(&turn->awaited);
}
