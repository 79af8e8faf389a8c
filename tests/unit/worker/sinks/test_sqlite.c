/* SPDX-License-Identifier: Apache-2.0 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/builtin.h"

static const char *const columns[] = { "line", ".", NULL };

static void sink_init_mode(struct fake_host *host, const char *name, const char *mode)
{
	fake_host_init(host, &sqlite_sink_callbacks);
	fake_host_option_string(host, "path", folder_path(name));
	fake_host_option_string(host, "table", "t");
	fake_host_option_list(host, "columns", columns);
	fake_host_option_string(host, "mode", mode);
	fake_host_option_string(host, "turns", "weir_turns");
}

static void sink_init(struct fake_host *host, const char *name)
{
	sink_init_mode(host, name, "insert");
}

/* The first column of the first row, as text; static. "" if there is none. */
static const char *query(const char *name, const char *sql)
{
	static char answer[512];
	sqlite3_stmt *statement;
	sqlite3 *db;

	answer[0] = '\0';
	assert_int_equal(sqlite3_open(folder_path(name), &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0))
		snprintf(answer, sizeof(answer), "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return answer;
}

static const char *lines(const char *name)
{
	return query(name, "SELECT group_concat(line, ' ') FROM t");
}

static void make(const char *name, const char *sql)
{
	(void)unlink(folder_path(name));
	query(name, sql);
}

static int put(struct fake_host *host, const char *item)
{
	return fake_host_process_item(host, item, strlen(item));
}

static void turn(struct fake_host *host, const char *item)
{
	assert_int_equal(put(host, item), 0);
	assert_int_equal(fake_host_turn_end(host), 0);
}

/* As after SIGKILL: the kernel closes the file, and what was not committed is rolled back. */
static void kill_worker(struct fake_host *host)
{
	sqlite_sink_callbacks.close(&host->context, host->state);
	host->state = NULL;
	fake_host_kill(host);
}

static void test_rows(void **state)
{
	struct fake_host host;

	(void)state;
	make("rows", "CREATE TABLE t (line)");
	sink_init(&host, "rows");
	assert_int_equal(fake_host_open(&host), 0);
	turn(&host, "one");
	assert_int_equal(put(&host, "two"), 0);
	assert_string_equal(lines("rows"), "one"); /* not before the turn ends */
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(put(&host, "lost"), 0);
	fake_host_deinit(&host); /* cancelled: what is not committed never was */
	assert_string_equal(lines("rows"), "one two");
}

/* Killed between the database's commit and weir's: the items come again, in other batches and among others. */
static void test_killed_between_the_commits(void **state)
{
	struct fake_host host;

	(void)state;
	make("between", "CREATE TABLE t (line)");
	sink_init(&host, "between");
	assert_int_equal(fake_host_open(&host), 0);
	turn(&host, "a");
	for (const char *const *item = (const char *const[]){ "b", "c", "d", NULL }; *item; item++)
		assert_int_equal(put(&host, *item), 0);
	assert_int_equal(fake_host_flush(&host), 0);
	kill_worker(&host);
	assert_string_equal(lines("between"), "a b c d");

	assert_int_equal(fake_host_open(&host), 0);
	turn(&host, "b"); /* the suspect runs alone */
	kill_worker(&host);
	assert_int_equal(fake_host_open(&host), 0);
	host.producer = 1; /* somebody else's is the next, and this turn is killed between the commits as well */
	assert_int_equal(put(&host, "x"), 0);
	assert_int_equal(fake_host_flush(&host), 0);
	kill_worker(&host);
	assert_int_equal(fake_host_open(&host), 0);
	host.producer = 0;
	turn(&host, "c");
	turn(&host, "d");
	host.producer = 1;
	host.n_taken = 2;
	turn(&host, "x");
	host.n_taken = 10;
	turn(&host, "y");
	assert_string_equal(lines("between"), "a b c d x y");
	kill_worker(&host);

	/* All have come and are committed: the row names the last turn's items only. */
	assert_string_equal(query("between", "SELECT length(items) || ' ' || length(awaited) FROM weir_turns"), "40 0");
	fake_host_deinit(&host);
}

/* A turn that only passes over items is killed, too: they come once more. */
static void test_killed_after_passing_over(void **state)
{
	struct fake_host host;

	(void)state;
	make("over", "CREATE TABLE t (line)");
	sink_init(&host, "over");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(put(&host, "a"), 0);
	assert_int_equal(fake_host_flush(&host), 0);
	for (int i = 0; i < 3; i++) {
		kill_worker(&host);
		assert_int_equal(fake_host_open(&host), 0);
		assert_int_equal(put(&host, "a"), 0);
		assert_int_equal(put(&host, "b"), 0);
		assert_int_equal(fake_host_flush(&host), 0);
	}
	fake_host_commit(&host);
	assert_string_equal(lines("over"), "a b");
	fake_host_deinit(&host);
}

/* So is one that has only refused some, while those that were stored are still to come. */
static void test_killed_after_refusing(void **state)
{
	struct fake_host host;

	(void)state;
	make("refusing", "CREATE TABLE t (line CHECK (line <> 'bad'))");
	sink_init(&host, "refusing");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(put(&host, "bad"), WEIR_REJECTED);
	assert_int_equal(put(&host, "a"), 0);
	assert_int_equal(fake_host_flush(&host), 0);
	kill_worker(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(put(&host, "bad"), WEIR_REJECTED);
	assert_int_equal(fake_host_turn_end(&host), 0);
	kill_worker(&host);
	assert_int_equal(fake_host_open(&host), 0);
	turn(&host, "a");
	assert_string_equal(lines("refusing"), "a");
	fake_host_deinit(&host);
}

/* The seat is given up after such a kill, and its items move to a sibling, who has been there all the time. */
static void test_items_of_a_lost_sibling(void **state)
{
	struct fake_host host, sibling;

	(void)state;
	make("sibling", "CREATE TABLE t (line)");
	sink_init(&sibling, "sibling");
	sibling.worker_index = 1;
	assert_int_equal(fake_host_open(&sibling), 0);
	sibling.n_taken = 100;
	turn(&sibling, "s");
	sink_init(&host, "sibling");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(put(&host, "a"), 0);
	assert_int_equal(put(&host, "b"), 0);
	assert_int_equal(fake_host_flush(&host), 0);
	kill_worker(&host);
	sibling.n_taken = 0;
	turn(&sibling, "a");
	turn(&sibling, "b");
	turn(&sibling, "c");
	assert_string_equal(lines("sibling"), "s a b c");
	fake_host_deinit(&sibling);
	fake_host_deinit(&host);
}

/* In another run the same numbers are other items, unless somebody kept what a killed run had stored. */
static void test_the_next_run(void **state)
{
	struct fake_host host;

	(void)state;
	make("runs", "CREATE TABLE t (line)");
	for (uint64_t run = 1; run <= 3; run++) {
		sink_init(&host, "runs");
		host.run = run;
		assert_int_equal(fake_host_open(&host), 0);
		turn(&host, "x");
		if (run != 2) {
			assert_int_equal(fake_host_finish(&host), 0);
			assert_int_equal(fake_host_turn_end(&host), 0);
		}
		fake_host_deinit(&host);
	}
	assert_string_equal(lines("runs"), "x x x");
	/* The first is forgotten, as it ended; the second did not. */
	assert_string_equal(query("runs", "SELECT group_concat(run || ' ' || ended) FROM weir_turns"), "2 0,3 1");
	query("runs", "UPDATE weir_turns SET at = at - 3000000");
	sink_init(&host, "runs");
	host.run = 4;
	assert_int_equal(fake_host_open(&host), 0);
	assert_string_equal(query("runs", "SELECT count(*) FROM weir_turns"), "0");
	fake_host_deinit(&host);
}

/* What became a dead letter as its worker died after storing it is remembered beyond the end of the run, though nothing else is stored. */
static void test_a_letter_of_an_earlier_run(void **state)
{
	struct fake_host host;

	(void)state;
	make("letter", "CREATE TABLE t (line)");
	sink_init(&host, "letter");
	host.run = 1;
	assert_int_equal(fake_host_open(&host), 0);
	turn(&host, "a");
	assert_int_equal(put(&host, "letter"), 0);
	assert_int_equal(fake_host_flush(&host), 0);
	kill_worker(&host);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(fake_host_finish(&host), 0);
	fake_host_deinit(&host);
	for (uint64_t run = 2; run <= 3;
	     run++) { /* as often as it is given, for its supervisor may be killed as well */
		sink_init(&host, "letter");
		host.run = run;
		assert_int_equal(fake_host_open(&host), 0);
		host.run = 1; /* in which it was first given */
		host.n_taken = 1;
		turn(&host, "letter");
		host.run = run;
		turn(&host, "b");
		assert_int_equal(fake_host_finish(&host), 0);
		fake_host_deinit(&host);
	}
	assert_string_equal(lines("letter"), "a letter b b");
}

static void test_a_database_that_has_forgotten(void **state)
{
	struct fake_host host;

	(void)state;
	make("forgot", "CREATE TABLE t (line)");
	sink_init(&host, "forgot");
	assert_int_equal(fake_host_open(&host), 0);
	turn(&host, "a");
	turn(&host, "b");
	kill_worker(&host);
	assert_int_equal(fake_host_open(&host), 0);
	query("forgot", "UPDATE weir_turns SET turn = 1");
	assert_int_equal(put(&host, "c"), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "knows 1 turns of this run, and 2 were committed"));
	query("forgot", "UPDATE weir_turns SET turn = 3, items = 'nonsense'");
	assert_int_equal(put(&host, "c"), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "is not what weir writes"));
	query("forgot", "DELETE FROM weir_turns");
	assert_int_equal(put(&host, "c"), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "knows 0 turns"));
	assert_int_equal(fake_host_finish(&host), WEIR_FAILED);
	assert_string_equal(lines("forgot"), "a b");
	fake_host_deinit(&host);
}

/* A row that is refused is one dead letter, and its neighbours stay. */
static void test_refused_rows(void **state)
{
	struct fake_host host;

	(void)state;
	make("refused", "CREATE TABLE t (line TEXT UNIQUE CHECK (line <> 'bad'))");
	sink_init(&host, "refused");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(put(&host, "a"), 0);
	assert_int_equal(put(&host, "bad"), WEIR_REJECTED);
	assert_string_equal(host.reason, "t: CHECK constraint failed: line <> 'bad'");
	assert_int_equal(put(&host, "a"), WEIR_REJECTED);
	assert_string_equal(host.reason, "t: UNIQUE constraint failed: t.line");
	assert_int_equal(put(&host, "b"), 0);
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_int_equal(put(&host, "bad"), WEIR_REJECTED); /* a turn with nothing to store */
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_string_equal(lines("refused"), "a b");
	assert_string_equal(query("refused", "SELECT turn FROM weir_turns"), "1");
	fake_host_deinit(&host);

	make("rollback", "CREATE TABLE t (line TEXT UNIQUE ON CONFLICT ROLLBACK)");
	sink_init(&host, "rollback");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(put(&host, "a"), 0);
	assert_int_equal(put(&host, "a"), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "say ABORT there"));
	assert_int_equal(fake_host_flush(&host), WEIR_FAILED); /* "a" is not there: nothing may be committed */
	assert_string_equal(lines("rollback"), "");
	assert_string_equal(query("rollback", "SELECT count(*) FROM weir_turns"), "0"); /* nor be said to be there */
	fake_host_deinit(&host);
}

/* An expression of the table's that a row is too much for is the row's fault; a table that is gone is not. */
static void test_errors_of_statements(void **state)
{
	struct fake_host host;

	(void)state;
	make("json", "CREATE TABLE t (line TEXT, id AS (json_extract(line, '$.id')) STORED)");
	sink_init(&host, "json");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(put(&host, "{\"id\": 5}"), 0);
	assert_int_equal(put(&host, "no JSON"), WEIR_REJECTED);
	assert_string_equal(host.reason, "t: malformed JSON");
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_string_equal(query("json", "SELECT id FROM t"), "5");
	query("json", "ALTER TABLE t RENAME TO u");
	assert_int_equal(put(&host, "{}"), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "no such table: t"));
	fake_host_deinit(&host);
}

static void test_upsert(void **state)
{
	static const char *const key[] = { "line", NULL };
	struct fake_host host;

	(void)state;
	make("upsert", "CREATE TABLE t (line TEXT PRIMARY KEY)");
	sink_init_mode(&host, "upsert", "upsert");
	fake_host_option_list(&host, "key", key);
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(put(&host, "a"), 0);
	assert_int_equal(put(&host, "a"), 0);
	assert_int_equal(fake_host_turn_end(&host), 0);
	assert_string_equal(lines("upsert"), "a");
	fake_host_deinit(&host);
}

static void test_openings_that_fail(void **state)
{
	static const struct {
		const char *name, *sql, *why;
	} cases[] = {
		{ "absent", NULL, "unable to open database file" },
		{ "table", "CREATE TABLE u (line)", "no such table: t" },
		{ "column", "CREATE TABLE t (other)", "table t has no column named line" },
	};
	struct fake_host host;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].sql)
			make(cases[i].name, cases[i].sql);
		sink_init(&host, cases[i].name);
		assert_int_equal(fake_host_open(&host), WEIR_FAILED);
		if (!strstr(host.reason, cases[i].why))
			fail_msg("'%s' does not say '%s'", host.reason, cases[i].why);
		fake_host_deinit(&host);
	}
	assert_int_equal(access(folder_path("absent"), F_OK), -1);
	file_write_text("text",
			"this is no database, and it is as long as a header would have to be, at least: a hundred "
			"bytes or so, and some more");
	sink_init(&host, "text");
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "file is not a database; name a file that SQLite has made"));
	fake_host_deinit(&host);
}

static void test_create(void **state)
{
	struct fake_host host;

	(void)state;
	for (int i = 0; i < 2; i++) { /* the second time it is there */
		sink_init(&host, "made");
		host.run = (uint64_t)i + 1;
		fake_host_option_string(&host, "create", "CREATE TABLE t (line); CREATE INDEX i ON t (line)");
		assert_int_equal(fake_host_open(&host), 0);
		turn(&host, i ? "two" : "one");
		fake_host_deinit(&host);
	}
	assert_string_equal(lines("made"), "one two");
}

struct lock {
	sqlite3 *db;
	uint64_t n_left;
};

static void unlock(struct fake_host *host, void *data)
{
	struct lock *lock = data;

	if (!host->cancelled && lock->n_left && --lock->n_left == 0)
		sqlite3_exec(lock->db, "COMMIT", NULL, NULL, NULL);
}

/* Somebody else has the file locked: the sink waits in weir_wait(), and goes on; or is cancelled there. */
static void test_locked(void **state)
{
	struct lock lock;
	struct fake_host host;

	(void)state;
	make("locked", "CREATE TABLE t (line)");
	sink_init(&host, "locked");
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(sqlite3_open(folder_path("locked"), &lock.db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(lock.db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	lock.n_left = 12;
	host.on_wait = unlock;
	host.on_wait_data = &lock;
	turn(&host, "a");
	assert_int_equal(lock.n_left, 0);
	assert_int_equal(host.n_waits, 12);

	/* A reader keeps the commit waiting. */
	assert_int_equal(sqlite3_exec(lock.db, "BEGIN; SELECT * FROM t", NULL, NULL, NULL), SQLITE_OK);
	lock.n_left = 3;
	turn(&host, "b");
	assert_int_equal(lock.n_left, 0);
	assert_string_equal(lines("locked"), "a b");

	assert_int_equal(sqlite3_exec(lock.db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	host.cancelled = true;
	assert_int_equal(put(&host, "c"), WEIR_CANCELLED);
	host.cancelled = false;
	sqlite3_close(lock.db);
	fake_host_deinit(&host);
	assert_string_equal(lines("locked"), "a b");
}

/* Who comes after a death is there at once, though the file is locked: he waits with an item, and if its time is over with the next. */
static void test_locked_when_a_worker_comes(void **state)
{
	struct lock lock;
	struct fake_host host;

	(void)state;
	make("coming", "CREATE TABLE t (line)");
	sink_init(&host, "coming");
	assert_int_equal(fake_host_open(&host), 0);
	turn(&host, "a");
	kill_worker(&host);
	assert_int_equal(sqlite3_open(folder_path("coming"), &lock.db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(lock.db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	lock.n_left = 50;
	host.on_wait = unlock;
	host.on_wait_data = &lock;
	host.n_waits = 0;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(host.n_waits, 0);
	host.cancelled = true;
	assert_int_equal(put(&host, "late"), WEIR_CANCELLED);
	host.cancelled = false;
	lock.n_left = 5;
	host.n_waits = 0;
	turn(&host, "b");
	assert_int_equal(host.n_waits, 5);
	assert_string_equal(lines("coming"), "a b");
	sqlite3_close(lock.db);
	fake_host_deinit(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_killed_between_the_commits),
		cmocka_unit_test(test_killed_after_passing_over),
		cmocka_unit_test(test_killed_after_refusing),
		cmocka_unit_test(test_items_of_a_lost_sibling),
		cmocka_unit_test(test_the_next_run),
		cmocka_unit_test(test_a_letter_of_an_earlier_run),
		cmocka_unit_test(test_a_database_that_has_forgotten),
		cmocka_unit_test(test_refused_rows),
		cmocka_unit_test(test_errors_of_statements),
		cmocka_unit_test(test_upsert),
		cmocka_unit_test(test_openings_that_fail),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_locked_when_a_worker_comes),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
