/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: postgres. Items are put aside, and a transaction takes all that are there.
 *
 *      process()     cells of the item; weir_defer()
 *      produce()     BEGIN; rows; who they are, as turn n         one round trip (postgres_store.c)
 *                    COMMIT                                       another
 *                    cursor: n; weir_complete() each of them
 *      weir commits
 *
 * Before the next COMMIT is sent the last one stands in weir's cursor. Whatever happens to the connection, also in the middle of a COMMIT,
 * the answer is the same: connect anew, claim the seat's row, look who is stored already, and do the transaction with the rest.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/sinks/postgres_store.h"
#include "worker/sinks/postgres_turns.h"

#define GATHER_NS NS_PER_MS /* so long the first item waits for others to come along */

struct postgres_cursor {
	uint64_t turn; /* the last transaction that was committed, from 1 */
};

static_assert(sizeof(struct postgres_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct postgres_sink {
	struct weir_context *context;
	struct postgres_base base;
	struct postgres_store store;
	struct postgres_rows rows;
	struct stored stored;
	struct columns columns;
	bool has_connected; /* once, or it was left to the first transaction */
};

/* ---- the connection ---- */

/* With `create`, and if it is not there. */
static int make_table(struct postgres_sink *state)
{
	_cleanup_(text_deinit) struct text name = TEXT_NULL;
	const char *create = weir_option_string(state->context, "create"), *parameters[1];
	PGresult *result = NULL;
	bool there;
	int r;

	if (!create)
		return 0;
	postgres_add_table(&name, weir_option_string(state->context, "table"));
	parameters[0] = text_get(&name);
	r = postgres_base_run(&state->base, "SELECT to_regclass($1) IS NOT NULL", 1, parameters, &result);
	there = r == 0 && !strcmp(pq.getvalue(result, 0, 0), "t");
	pq.clear(result);
	return r == 0 && !there ? postgres_base_run(&state->base, create, 0, NULL, NULL) : r;
}

/* CREATE TABLE of two at a time fails for one of them, whatever it says: siblings do it one after the other. */
static int make_tables(struct postgres_sink *state)
{
	int r = postgres_base_run(&state->base, "SELECT pg_advisory_lock(hashtext('weir: create'))", 0, NULL, NULL);

	if (r == 0)
		r = make_table(state);
	if (r == 0)
		r = postgres_turns_make(&state->base);
	if (r == 0)
		r = postgres_base_run(&state->base, "SELECT pg_advisory_unlock(hashtext('weir: create'))", 0, NULL,
				      NULL);
	return r; /* after an error the session ends, and its lock with it */
}

/* What is confirmed has to be on the disk, or a crash of the server would make a hole; stricter settings stay. */
static const char durable_sql[] = "SELECT set_config('synchronous_commit', 'on', false) WHERE "
				  "current_setting('synchronous_commit') = 'off'";

/* Returns 0; POSTGRES_E_AWAY and why; else as it says. */
static int connect_once(struct postgres_sink *state, char *why, size_t why_size)
{
	const struct postgres_cursor *cursor = weir_cursor(state->context);
	int r;

	postgres_base_close(&state->base);
	why[0] = '\0';
	r = postgres_base_connect(&state->base, state->context, why, why_size);
	if (r == 0)
		r = postgres_base_run(&state->base, durable_sql, 0, NULL, NULL);
	if (r == 0)
		r = make_tables(state);
	if (r == 0)
		r = postgres_store_prepare(&state->store, &state->base, &state->columns);
	if (r == 0)
		r = postgres_turns_claim(&state->base, &state->stored, cursor->turn);
	if (r == POSTGRES_E_ROW) {
		weir_fail(state->context, "%s: %s", state->base.server, postgres_base_message(&state->base, NULL));
		return WEIR_FAILED;
	}
	if (r == POSTGRES_E_AWAY && !why[0])
		snprintf(why, why_size, "%s", postgres_base_message(&state->base, NULL));
	return r;
}

/* Until there is a session, or the stage is to stop. That all works again only a transaction can say: so long each wait is longer. */
static int connect_again(struct postgres_sink *state)
{
	char why[500];
	int r;

	while ((r = connect_once(state, why, sizeof(why))) == POSTGRES_E_AWAY) {
		r = postgres_base_wait(&state->base, why);
		if (r != 0)
			return r;
	}
	return r;
}

/* What was tried has failed, and may not for ever. */
static int wait_and_connect(struct postgres_sink *state, const char *why)
{
	int r = postgres_base_wait(&state->base, why);

	return r == 0 ? connect_again(state) : r;
}

/*
 * A start tells what is wrong. A worker that comes later waits for the server as its predecessor would have: with the items in hand,
 * for whoever waits while he opens is taken for one who does not come up, and killed.
 */
static int connect_first(struct postgres_sink *state)
{
	char why[500];
	int r;

	if (weir_generation(state->context) > 0)
		return 0;
	r = connect_once(state, why, sizeof(why));
	state->has_connected = r == 0;
	if (r != POSTGRES_E_AWAY)
		return r;
	weir_fail(state->context, "cannot use %s: %s", state->base.server, why);
	return WEIR_FAILED;
}

static int connect_late(struct postgres_sink *state)
{
	int r = state->has_connected ? 0 : connect_again(state);

	state->has_connected = r == 0;
	return r;
}

/* ---- the callbacks ---- */

static void postgres_close(struct weir_context *context, void *data)
{
	struct postgres_sink *state = data;

	(void)context;
	if (!state)
		return;
	postgres_base_close(&state->base);
	postgres_store_deinit(&state->store);
	postgres_rows_deinit(&state->rows);
	columns_deinit(&state->columns);
	stored_deinit(&state->stored);
	free(state);
}

static int postgres_open(struct weir_context *context, void **ret_state)
{
	struct postgres_sink *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	state->context = context;
	r = columns_init(&state->columns, context);
	if (r == 0) {
		postgres_rows_init(&state->rows, weir_in_flight(context), state->columns.n);
		r = connect_first(state);
	}
	if (r != 0) {
		postgres_close(context, state);
		return r;
	}
	*ret_state = state;
	return 0;
}

static int postgres_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct postgres_sink *state = data;
	struct weir_identity identity;
	struct record_fault fault;
	uint64_t token;
	int r = weir_identify(context, &identity);

	if (r != 0)
		return r;
	if (columns_read(&state->columns, item, &fault) != 0) {
		weir_reject(context, "%s", fault.why);
		return WEIR_REJECTED;
	}
	token = weir_defer(context);
	if (!token)
		return WEIR_FAILED;
	postgres_rows_add(&state->rows, &state->columns, token, &identity);
	if (state->rows.n == 1 || state->rows.n == state->rows.capacity)
		weir_watch(context, -1, 0,
			   weir_now_ns(context) + (state->rows.n == state->rows.capacity ? 0 : GATHER_NS));
	return WEIR_PENDING;
}

/* The rows are in the database, and who has none knows why. */
static int complete(struct postgres_sink *state)
{
	struct postgres_cursor *cursor = weir_cursor(state->context);
	int r = 0;

	cursor->turn = state->stored.turn;
	for (uint32_t i = 0; r == 0 && i < state->rows.n; i++) {
		struct postgres_row *row = &state->rows.rows[i];

		if (row->refused) {
			r = weir_resume(state->context, row->token, NULL);
			if (r == 0)
				weir_reject(state->context, "%s", row->refused);
		}
		if (r == 0)
			r = weir_complete(state->context, row->token, row->refused ? WEIR_REJECTED : WEIR_OK);
	}
	postgres_rows_clear(&state->rows);
	return r;
}

static int postgres_produce(struct weir_context *context, void *data)
{
	struct postgres_sink *state = data;
	int r;

	(void)context;
	if (!state->rows.n)
		return WEIR_OK;
	r = connect_late(state);
	if (r != 0)
		return r;
	while ((r = postgres_store_rows(&state->store, &state->base, &state->stored, &state->rows)) ==
	       POSTGRES_E_AWAY) {
		r = wait_and_connect(state, state->store.why);
		if (r != 0)
			return r;
	}
	if (r == POSTGRES_E_ROW) {
		weir_fail(state->context, "%s: %s", state->base.server, state->store.why);
		return WEIR_FAILED;
	}
	return r == 0 ? complete(state) : r;
}

static int postgres_finish(struct weir_context *context, void *data)
{
	struct postgres_sink *state = data;
	int r = connect_late(state);

	if (r != 0)
		return r;
	while ((r = postgres_turns_end(&state->base, &state->stored)) == POSTGRES_E_AWAY) {
		r = wait_and_connect(state, postgres_base_message(&state->base, NULL));
		if (r != 0)
			return r;
	}
	if (r == 0)
		postgres_base_works(&state->base);
	if (r != POSTGRES_E_ROW)
		return r;
	weir_fail(context, "%s refuses weir's own row at the end of the run: %s; look at triggers and rules of `turns`",
		  state->base.server, postgres_base_message(&state->base, NULL));
	return WEIR_FAILED;
}

const struct weir_stage postgres_sink_callbacks = {
	.open = postgres_open,
	.process = postgres_process,
	.produce = postgres_produce,
	.finish = postgres_finish,
	.close = postgres_close,
	.check = columns_check,
};
