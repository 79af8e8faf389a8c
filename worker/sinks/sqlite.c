/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: sqlite. A turn is a transaction.
 *
 *      first item      BEGIN IMMEDIATE, which waits for others
 *      each item       INSERT; who it is                          a row that is refused: undone by itself, the item a dead letter
 *      flush           who was stored, as turn n; COMMIT          cursor: n
 *      weir commits
 *
 * What happens between the last two, and after a kill, is told in stored.c. SQLite undoes a statement that fails by itself, so the other
 * rows of the turn stay; where the user has told it to roll back all of it instead (ON CONFLICT ROLLBACK, RAISE(ROLLBACK)) they are
 * gone, and the stage fails, with nothing committed anywhere.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/sinks/columns.h"
#include "worker/sinks/sqlite_turns.h"

struct sqlite_cursor {
	uint64_t turn; /* the last transaction that was committed, from 1 */
};

static_assert(sizeof(struct sqlite_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct sqlite_sink {
	struct weir_context *context;
	struct sqlite_base base;
	struct sqlite_turns turns;
	struct stored stored;
	struct columns columns;
	struct text insert_sql;
	sqlite3_stmt *insert, *begin, *commit, *rollback;
	bool is_set_up;
	bool has_begun; /* a transaction, as far as we know */
};

/* ---- opening ---- */

static int sqlite_check(struct weir_context *context)
{
	const char *path = weir_option_string(context, "path");

	if (path && *path && strcmp(path, ":memory:") != 0)
		return columns_check(context);
	weir_complain(context, "path", 0, "'%s' is a database that dies with the worker: name a file",
		      path ? path : "");
	(void)columns_check(context);
	return WEIR_FAILED;
}

static void write_insert(struct sqlite_sink *state)
{
	const char *table = weir_option_string(state->context, "table");
	struct text *sql = &state->insert_sql;

	text_add(sql, "INSERT INTO ");
	columns_add_name(sql, table, strlen(table));
	text_add(sql, " (");
	columns_add_names(&state->columns, sql);
	text_add(sql, ") VALUES (");
	for (uint32_t i = 0; i < state->columns.n; i++)
		text_add(sql, i ? ", ?" : "?");
	text_add(sql, ")");
	columns_add_conflict(&state->columns, state->context, sql);
}

/* Asked in a transaction: what SQLite remembers of the file's tables may be older than what a sibling has just made. */
static int find_table(struct sqlite_sink *state)
{
	sqlite3_stmt *statement = NULL;
	int r = sqlite_base_prepare(&state->base, "SELECT 1 FROM sqlite_master WHERE name = ?1 COLLATE NOCASE",
				    &statement);

	if (r == 0) {
		sqlite3_bind_text(statement, 1, weir_option_string(state->context, "table"), -1, SQLITE_STATIC);
		r = sqlite_base_step(&state->base, statement);
	}
	sqlite3_finalize(statement);
	return r;
}

/* With `create`, and if it is not there. */
static int make_table(struct sqlite_sink *state)
{
	const char *create = weir_option_string(state->context, "create");
	int r = create ? find_table(state) : 0;

	return r == SQLITE_BASE_E_END ? sqlite_base_execute(&state->base, create) : r;
}

static int open_file(struct sqlite_sink *state)
{
	return sqlite_base_open(&state->base, state->context, weir_option_string(state->context, "path"),
				weir_option_given(state->context, "create"));
}

/* What is not committed is rolled back. */
static void close_file(struct sqlite_sink *state)
{
	sqlite_turns_close(&state->turns);
	sqlite3_finalize(state->insert);
	sqlite3_finalize(state->begin);
	sqlite3_finalize(state->commit);
	sqlite3_finalize(state->rollback);
	state->insert = state->begin = state->commit = state->rollback = NULL;
	sqlite_base_close(&state->base);
	state->is_set_up = false;
}

static int prepare(struct sqlite_sink *state)
{
	const struct sqlite_cursor *cursor = weir_cursor(state->context);
	int r = sqlite_base_prepare(&state->base, "BEGIN IMMEDIATE", &state->begin);

	if (r == 0)
		r = sqlite_base_prepare(&state->base, "COMMIT", &state->commit);
	if (r == 0)
		r = sqlite_base_prepare(&state->base, "ROLLBACK", &state->rollback);
	if (r == 0)
		r = sqlite_base_run(&state->base, state->begin);
	if (r == 0)
		r = make_table(state);
	if (r == 0)
		r = sqlite_base_prepare(&state->base, text_get(&state->insert_sql), &state->insert);
	if (r == 0)
		r = sqlite_turns_open(&state->turns, &state->base, &state->stored, cursor->turn);
	return r == 0 ? sqlite_base_run(&state->base, state->commit) : r;
}

/* Does nothing if it is done. May be tried again: an item's time may be over while the file is locked. */
static int set_up(struct sqlite_sink *state)
{
	int r;

	if (state->is_set_up)
		return 0;
	r = open_file(state);
	if (r == 0)
		r = prepare(state);
	if (r != 0)
		close_file(state);
	state->is_set_up = r == 0;
	return r;
}

static void sqlite_close(struct weir_context *context, void *data)
{
	struct sqlite_sink *state = data;

	(void)context;
	if (!state)
		return;
	close_file(state);
	columns_deinit(&state->columns);
	stored_deinit(&state->stored);
	text_deinit(&state->insert_sql);
	free(state);
}

/*
 * A start tells what is wrong. A worker that comes later waits for the file with an item in hand, as its predecessor would have: who
 * waits while he opens is taken for one who does not come up, and killed.
 */
static int sqlite_open(struct weir_context *context, void **ret_state)
{
	struct sqlite_sink *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	state->context = context;
	r = columns_init(&state->columns, context);
	write_insert(state);
	if (r == 0 && weir_generation(context) == 0)
		r = set_up(state);
	if (r != 0) {
		sqlite_close(context, state);
		return r;
	}
	*ret_state = state;
	return 0;
}

/* ---- an item ---- */

static int begin(struct sqlite_sink *state)
{
	int r;

	if (state->has_begun)
		return 0;
	r = set_up(state);
	if (r == 0)
		r = sqlite_base_run(&state->base, state->begin);
	if (r != 0)
		return r;
	state->has_begun = true;
	return sqlite_turns_follow(&state->turns, &state->stored);
}

static void bind(sqlite3_stmt *insert, int parameter, const struct cell *cell)
{
	switch (cell->type) {
	case CELL_NULL:
		sqlite3_bind_null(insert, parameter);
		break;
	case CELL_BOOLEAN:
	case CELL_INTEGER:
	case CELL_UNSIGNED:
		sqlite3_bind_int64(insert, parameter, cell->integer);
		break;
	case CELL_REAL:
		sqlite3_bind_double(insert, parameter, cell->real);
		break;
	case CELL_TEXT:
		sqlite3_bind_text64(insert, parameter, cell->data, cell->size_bytes, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case CELL_BYTES:
		sqlite3_bind_blob64(insert, parameter, cell->data, cell->size_bytes, SQLITE_STATIC);
		break;
	}
}

/* SQLite has integers of 64 bits with a sign, and would take others for something else. */
static int read_cells(struct sqlite_sink *state, const struct weir_item *item, struct record_fault *fault)
{
	int r = columns_read(&state->columns, item, fault);

	for (uint32_t i = 0; r == 0 && i < state->columns.n; i++) {
		if (state->columns.cells[i].type == CELL_UNSIGNED)
			return record_fault(fault, "column '%s': the integer %llu is larger than SQLite has them",
					    state->columns.columns[i].name,
					    (unsigned long long)state->columns.cells[i].integer);
		bind(state->insert, (int)i + 1, &state->columns.cells[i]);
	}
	return r;
}

/* SQLITE_ERROR is a row that some expression of the table's can't be worked out for; or the table is another one now. */
static bool is_still_right(struct sqlite_sink *state)
{
	sqlite3_stmt *again = NULL;
	bool right = sqlite3_prepare_v2(state->base.db, text_get(&state->insert_sql), -1, &again, NULL) == SQLITE_OK;

	sqlite3_finalize(again);
	return right;
}

static bool is_about_the_row(struct sqlite_sink *state, int code)
{
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		return true;
	case SQLITE_ERROR:
		return is_still_right(state);
	default:
		return false;
	}
}

static int refuse(struct sqlite_sink *state, int code)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	text_add(&why, sqlite3_errmsg(state->base.db));
	if (!is_about_the_row(state, code))
		return sqlite_base_fail(&state->base, code);
	if (sqlite3_get_autocommit(state->base.db)) {
		weir_fail(
			state->context,
			"%s: %s, and with this row SQLite has rolled back all others of its turn, as the table or a trigger of "
			"it says (ON CONFLICT ROLLBACK, RAISE(ROLLBACK)): say ABORT there",
			state->base.path, text_get(&why));
		return WEIR_FAILED;
	}
	weir_reject(state->context, "%s: %s", weir_option_string(state->context, "table"), text_get(&why));
	return WEIR_REJECTED;
}

static int insert(struct sqlite_sink *state)
{
	uint64_t wait_ns = 0;
	int code, r = 0;

	while (sqlite_base_is_busy(code = sqlite3_step(state->insert)) && r == 0) {
		sqlite3_reset(state->insert);
		r = sqlite_base_wait(&state->base, &wait_ns);
	}
	if (r == 0 && code != SQLITE_DONE && code != SQLITE_ROW)
		r = refuse(state, code);
	sqlite3_reset(state->insert);
	return r;
}

static int sqlite_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct sqlite_sink *state = data;
	struct weir_identity identity;
	struct record_fault fault;
	int r = weir_identify(context, &identity);

	if (r == 0)
		r = begin(state);
	if (r != 0)
		return r;
	if (stored_has(&state->stored, &identity))
		return WEIR_OK;
	if (read_cells(state, item, &fault) != 0) {
		weir_reject(context, "%s", fault.why);
		return WEIR_REJECTED;
	}
	r = insert(state);
	if (r == 0)
		stored_add(&state->stored, &identity);
	return r;
}

/* ---- the turn's end ---- */

/* SQLite has rolled it back by itself: what the turn's items have been told is not so. */
static bool is_lost(const struct sqlite_sink *state)
{
	return state->has_begun && sqlite3_get_autocommit(state->base.db);
}

static int commit(struct sqlite_sink *state)
{
	struct sqlite_cursor *cursor = weir_cursor(state->context);
	bool any = state->stored.items.n;
	int r = any ? sqlite_turns_write(&state->turns, &state->stored) : 0;

	if (r == 0)
		r = sqlite_base_run(&state->base, any ? state->commit : state->rollback);
	if (r != 0)
		return r;
	if (any) {
		stored_committed(&state->stored);
		cursor->turn = state->stored.turn;
	}
	state->has_begun = false;
	return 0;
}

/* A turn that has stored nothing leaves the cursor as it is: what the database's row says may still come. */
static int sqlite_flush(struct weir_context *context, void *data)
{
	struct sqlite_sink *state = data;

	if (is_lost(state))
		return weir_cancelled(context) ? WEIR_CANCELLED : WEIR_FAILED;
	return state->has_begun ? commit(state) : 0;
}

static int sqlite_finish(struct weir_context *context, void *data)
{
	struct sqlite_sink *state = data;
	int r = set_up(state);

	(void)context;
	return r == 0 ? sqlite_turns_end(&state->turns, &state->stored) : r;
}

const struct weir_stage sqlite_sink_callbacks = {
	.open = sqlite_open,
	.process = sqlite_process,
	.flush = sqlite_flush,
	.finish = sqlite_finish,
	.close = sqlite_close,
	.check = sqlite_check,
};
