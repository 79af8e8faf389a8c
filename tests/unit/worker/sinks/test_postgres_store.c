/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions, against a server of the test's own that is lost at each statement, before it was carried out and after: the rows are the
 * items, each once. Against a real one: scenarios k13 and x07.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/sinks/fake_postgres.h"
#include "worker/builtin.h"
#include "worker/sinks/postgres_store.h"

static struct fake_postgres server;
static struct fake_host host;
static struct postgres_base base;
static struct postgres_store store;
static struct postgres_rows rows;
static struct stored stored;
static struct cell cell;
static struct column column = { .name = "line" };
static const struct columns columns = { .columns = &column, .cells = &cell, .n = 1 };

static void begin(const char *mode)
{
	server = (struct fake_postgres){ 0 };
	fake_host_init(&host, &postgres_sink_callbacks);
	fake_host_option_string(&host, "turns", "weir_turns");
	fake_host_option_string(&host, "table", "t");
	fake_host_option_string(&host, "mode", mode);
	fake_postgres_begin(&server);
	base = (struct postgres_base){ .context = &host.context,
				       .connection = fake_postgres_connect(),
				       .server = "PG" };
	store = (struct postgres_store){ 0 };
	stored = (struct stored){ 0 };
	postgres_rows_init(&rows, FAKE_POSTGRES_ROWS, 1);
	assert_int_equal(postgres_store_prepare(&store, &base, &columns), 0);
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	server.n_statements = 0;
	server.log[0] = '\0';
}

static void end(void)
{
	postgres_rows_deinit(&rows);
	stored_deinit(&stored);
	postgres_store_deinit(&store);
	fake_postgres_end();
	fake_host_deinit(&host);
}

/* Items from that number on, of these words. */
static void add(uint64_t number, const char *words)
{
	char copy[256], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", words);
	for (const char *word; (word = strsep(&rest, " ")); number++) {
		const struct weir_identity identity = { .run = 1, .sequence = number };

		cell = (struct cell){ .type = CELL_TEXT, .data = word, .size_bytes = strlen(word) };
		postgres_rows_add(&rows, &columns, number, &identity);
	}
}

static void assert_table(const char *words)
{
	char text[512] = "";

	for (uint32_t i = 0; i < server.committed.n_rows; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 server.committed.rows[i]);
	assert_string_equal(text, words);
}

static int store_rows(void)
{
	return postgres_store_rows(&store, &base, &stored, &rows);
}

static const char *const modes[] = { "insert", "copy" };

/* ---- all at once ---- */

static void test_at_once(void **state)
{
	static const char *const logs[] = { "BEGIN INSERT INSERT INSERT SET UPDATE COMMIT ",
					    "BEGIN COPY SET UPDATE COMMIT " };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin(modes[i]);
		add(0, "a b c");
		server.n_busy = 3; /* the server takes its time */
		server.n_no_room = 2;
		assert_int_equal(store_rows(), 0);
		assert_table("a b c");
		assert_string_equal(server.log, logs[i]);
		assert_int_equal(server.committed.turn, 1);
		assert_int_equal(stored.turn, 1);
		for (uint32_t row = 0; row < rows.n; row++)
			assert_null(rows.rows[row].refused);
		postgres_rows_clear(&rows);
		add(3, "d");
		assert_int_equal(store_rows(), 0);
		assert_table("a b c d");
		assert_int_equal(server.committed.turn, 2);
		end();
	}
}

static void test_statements(void **state)
{
	(void)state;
	begin("copy");
	assert_string_equal(text_get(&store.insert_sql), "INSERT INTO \"t\" (\"line\") VALUES ($1)");
	assert_string_equal(text_get(&store.copy_sql), "COPY \"t\" (\"line\") FROM STDIN");
	assert_int_equal(postgres_store_prepare(&store, &base, &columns), 0); /* in the next session, the same */
	assert_string_equal(server.last_sql, "PREPARE weir_row AS INSERT INTO \"t\" (\"line\") VALUES ($1)");
	end();
}

/* ---- one by one ---- */

static void test_bad_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct weir_identity identity = { .run = 1 };

		begin(modes[i]);
		add(0, "a bad b deferred bad");
		assert_int_equal(store_rows(), 0);
		assert_table("a b");
		assert_int_equal(stored.turn, 1);
		for (uint32_t row = 0; row < 5; row++)
			if (row == 0 || row == 2)
				assert_null(rows.rows[row].refused);
			else
				assert_string_equal(rows.rows[row].refused, "t: it breaks the rule");
		/* Who is stored is written down, and nobody else: the worker dies before its own commit. */
		assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
		for (identity.sequence = 0; identity.sequence < 5; identity.sequence++)
			assert_int_equal(stored_has(&stored, &identity),
					 identity.sequence == 0 || identity.sequence == 2);
		end();
	}
}

static void test_nothing_but_bad_rows(void **state)
{
	(void)state;
	begin("insert");
	add(0, "bad bad");
	assert_int_equal(store_rows(), 0);
	assert_table("");
	assert_non_null(rows.rows[0].refused);
	assert_non_null(rows.rows[1].refused);
	end();
}

/* Alone each would do: together they break a constraint that is looked at late. Whose it is can still be told. */
static void test_a_constraint_that_is_deferred(void **state)
{
	(void)state;
	begin("insert");
	add(0, "a deferred b");
	assert_int_equal(store_rows(), 0);
	assert_table("a b");
	assert_null(rows.rows[0].refused);
	assert_non_null(rows.rows[1].refused);
	assert_string_equal(server.log,
			    "BEGIN INSERT INSERT INSERT SET ROLLBACK BEGIN SET SAVEPOINT INSERT RELEASE SAVEPOINT "
			    "INSERT ROLLBACK SAVEPOINT INSERT RELEASE UPDATE COMMIT ");
	end();
}

/* ---- known already ---- */

static void test_who_is_known_is_not_stored_again(void **state)
{
	(void)state;
	begin("insert");
	add(0, "a b");
	assert_int_equal(store_rows(), 0);
	/* Killed before its commit: the items come again, and one more. */
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	postgres_rows_clear(&rows);
	add(0, "a b c");
	assert_int_equal(store_rows(), 0);
	assert_table("a b c");
	assert_true(rows.rows[0].is_known && rows.rows[1].is_known && !rows.rows[2].is_known);
	assert_int_equal(server.committed.turn, 2);
	end();
}

/* ---- losses ---- */

/* The connection goes at that statement. Returns false: there are not so many. */
static bool lose_at(const char *mode, const char *words, const char *expected, uint32_t at, bool after)
{
	bool lost;
	int r;

	begin(mode);
	add(0, words);
	server.lose_at = at;
	server.lose_after = after;
	r = store_rows();
	lost = r != 0;
	for (unsigned i = 0; r == POSTGRES_E_AWAY && i < 3; i++) {
		assert_string_equal(store.why, "server closed the connection");
		base.connection = fake_postgres_connect();
		assert_int_equal(postgres_store_prepare(&store, &base, &columns), 0);
		assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
		r = store_rows();
	}
	assert_int_equal(r, 0);
	assert_table(expected);
	assert_int_equal(stored.turn, server.committed.turn);
	end();
	return lost;
}

static void test_lost_at_each_statement(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned after = 0; after < 2; after++) {
			uint32_t at = 1;

			while (lose_at(modes[i], "a b c", "a b c", at, after))
				at++;
			assert_true(at >= 7);
			at = 1;
			while (lose_at(modes[i], "a bad b", "a b", at, after))
				at++;
			assert_true(at >= 12);
		}
}

/* ---- what can't go on ---- */

static void test_the_row_of_the_seat_is_gone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin(modes[i]);
		add(0, "a");
		server.committed.has_seat = false;
		assert_int_equal(store_rows(), WEIR_FAILED);
		assert_non_null(strstr(host.reason, "weir's row for this worker is gone"));
		assert_table("");
		assert_null(strstr(server.log, "COMMIT"));
		end();
	}
}

static void test_a_commit_that_rolls_back(void **state)
{
	(void)state;
	begin("insert");
	add(0, "a");
	server.rolls_back = true;
	assert_int_equal(store_rows(), POSTGRES_E_AWAY);
	assert_string_equal(store.why, "it has rolled back instead of committing");
	assert_int_equal(stored.turn, 0);
	server.rolls_back = false;
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	assert_int_equal(store_rows(), 0);
	assert_table("a");
	end();
}

/* By its class: whose fault an error is. */
static void test_errors(void **state)
{
	static const struct {
		const char *statement, *sqlstate;
		int outcome;
	} errors[] = {
		{ "BEGIN", "57P01", POSTGRES_E_AWAY },  { "INSERT", "42P01", WEIR_FAILED },
		{ "INSERT", "53300", POSTGRES_E_AWAY }, { "UPDATE", "42501", WEIR_FAILED },
		{ "UPDATE", "40001", POSTGRES_E_AWAY }, { "COMMIT", "40001", POSTGRES_E_AWAY },
		{ "COMMIT", "23505", POSTGRES_E_AWAY }, { "SET CONSTRAINTS", "25006", POSTGRES_E_AWAY },
		{ "COMMIT", "42501", WEIR_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		begin("insert");
		add(0, "a b");
		server.refused = errors[i].statement;
		server.refusal = errors[i].sqlstate;
		assert_int_equal(store_rows(), errors[i].outcome);
		assert_int_equal(stored.turn, 0);
		if (errors[i].outcome == WEIR_FAILED) {
			assert_non_null(strstr(host.reason, "PG: no ("));
			assert_non_null(strstr(host.reason, errors[i].sqlstate));
		} else {
			assert_string_equal(store.why, "no");
		}
		assert_table("");
		end();
	}
}

static void test_cancelled(void **state)
{
	(void)state;
	begin("insert");
	add(0, "a");
	server.n_busy = 3;
	host.cancelled = true;
	assert_int_equal(store_rows(), WEIR_CANCELLED);
	assert_table("");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_bad_rows),
		cmocka_unit_test(test_nothing_but_bad_rows),
		cmocka_unit_test(test_a_constraint_that_is_deferred),
		cmocka_unit_test(test_who_is_known_is_not_stored_again),
		cmocka_unit_test(test_lost_at_each_statement),
		cmocka_unit_test(test_the_row_of_the_seat_is_gone),
		cmocka_unit_test(test_a_commit_that_rolls_back),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
