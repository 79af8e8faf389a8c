/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a PostgreSQL server of the test's own: how it is made, waited for and lost, and whose fault an error is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/sinks/fake_postgres.h"
#include "worker/builtin.h"
#include "worker/sinks/postgres_base.h"

static struct fake_postgres server;
static struct fake_host host;
static struct postgres_base base;
static char why[500];

static int setup(void **state)
{
	(void)state;
	server = (struct fake_postgres){ 0 };
	base = (struct postgres_base){ 0 };
	fake_host_init(&host, &postgres_sink_callbacks);
	fake_host_option_string(&host, "connect", "host=db.example dbname=shop");
	fake_postgres_begin(&server);
	strcpy(why, "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	postgres_base_close(&base);
	postgres_base_close(&base); /* none: nothing */
	assert_int_equal(server.n_sessions, 0);
	fake_postgres_end();
	fake_host_deinit(&host);
	return 0;
}

static int connect_to_it(void)
{
	return postgres_base_connect(&base, &host.context, why, sizeof(why));
}

static void test_it_connects(void **state)
{
	(void)state;
	assert_int_equal(connect_to_it(), 0);
	assert_string_equal(
		server.connected,
		"fallback_application_name=weir bottle fake keepalives_idle=30 connect_timeout=10 dbname=host=db.example dbname=shop ");
	assert_string_equal(base.server, "PostgreSQL at db.example, port 5432 (database shop)");
	assert_string_equal(why, "");
	assert_int_equal(postgres_base_run(&base, "BEGIN", 0, NULL, NULL), 0);
	assert_int_equal(host.n_waits, 3); /* it has waited for its socket, and nowhere else */
}

static void test_it_is_refused(void **state)
{
	(void)state;
	server.n_refused = 1;
	assert_int_equal(connect_to_it(), POSTGRES_E_AWAY);
	assert_string_equal(why, "connection refused"); /* its first line */
	postgres_base_close(&base);
	assert_int_equal(connect_to_it(), 0);
	assert_int_equal(server.n_connects, 2);
}

/* As long as its own options say; a cancel is heard meanwhile. */
static void test_it_does_not_answer(void **state)
{
	uint64_t from_ns = clock_now_ns();

	(void)state;
	server.never_answers = true;
	server.timeout = "1";
	assert_int_equal(connect_to_it(), POSTGRES_E_AWAY);
	assert_string_equal(why, "it does not answer");
	assert_true(clock_now_ns() - from_ns >= NS_PER_S);
	postgres_base_close(&base);
	host.cancelled = true;
	assert_int_equal(connect_to_it(), WEIR_CANCELLED);
}

/* Twice as long each time, up to five seconds, until it works. */
static void test_waits_grow(void **state)
{
	static const uint64_t waits_ms[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

	(void)state;
	assert_int_equal(connect_to_it(), 0);
	host.sleepless = true;
	for (unsigned n = 0; n < 2; n++) {
		for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
			uint64_t from_ns = clock_now_ns();

			host.now_ns = 1; /* becomes when the wait ends */
			assert_int_equal(postgres_base_wait(&base, i % 2 ? "one reason" : "another"), 0);
			assert_string_equal(base.said, i % 2 ? "one reason" : "another");
			assert_true(host.now_ns >= from_ns + waits_ms[i] * NS_PER_MS);
			assert_true(host.now_ns <= clock_now_ns() + waits_ms[i] * NS_PER_MS);
		}
		postgres_base_works(&base);
		assert_string_equal(base.said, "");
	}
	host.cancelled = true;
	assert_int_equal(postgres_base_wait(&base, "one reason"), WEIR_CANCELLED);
}

static void test_it_is_lost(void **state)
{
	(void)state;
	assert_int_equal(connect_to_it(), 0);
	server.lose_at = 1;
	assert_int_equal(postgres_base_run(&base, "BEGIN", 0, NULL, NULL), POSTGRES_E_AWAY);
	assert_string_equal(postgres_base_message(&base, NULL), "server closed the connection");
	assert_int_equal(postgres_base_run(&base, "BEGIN", 0, NULL, NULL), POSTGRES_E_AWAY);
}

static void test_whose_fault_it_is(void **state)
{
	static const struct {
		const char *sqlstate;
		int r;
	} rows[] = {
		{ "22P02", POSTGRES_E_ROW },  { "23505", POSTGRES_E_ROW },  { "P0001", POSTGRES_E_ROW },
		{ "44000", POSTGRES_E_ROW },  { "54000", POSTGRES_E_ROW },  { "21000", POSTGRES_E_ROW },
		{ "08006", POSTGRES_E_AWAY }, { "40P01", POSTGRES_E_AWAY }, { "53100", POSTGRES_E_AWAY },
		{ "53300", POSTGRES_E_AWAY }, { "55P03", POSTGRES_E_AWAY }, { "57P01", POSTGRES_E_AWAY },
		{ "57014", POSTGRES_E_AWAY }, { "58030", POSTGRES_E_AWAY }, { "25006", POSTGRES_E_AWAY },
		{ "42P01", WEIR_FAILED },     { "42501", WEIR_FAILED },     { "0A000", WEIR_FAILED },
		{ "P0002", WEIR_FAILED },
	};

	(void)state;
	assert_int_equal(connect_to_it(), 0);
	server.refused = "SET";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		server.refusal = rows[i].sqlstate;
		strcpy(host.reason, "");
		assert_int_equal(postgres_base_run(&base, "SET x = 1", 0, NULL, NULL), rows[i].r);
		assert_int_equal(strstr(host.reason, rows[i].sqlstate) != NULL, rows[i].r == WEIR_FAILED);
	}
}

/* A start says what is wrong; who comes after a death has items in hand, and waits with them. */
static void test_the_first_and_who_comes_later(void **state)
{
	(void)state;
	fake_host_option_list(&host, "columns", (const char *const[]){ "n", ".", NULL });
	fake_host_option_string(&host, "table", "t");
	fake_host_option_string(&host, "turns", "weir_turns");
	fake_host_option_string(&host, "mode", "insert");
	server.n_refused = 3;
	assert_int_equal(fake_host_open(&host), WEIR_FAILED);
	assert_non_null(strstr(host.reason,
			       "cannot use PostgreSQL at db.example, port 5432 (database shop): connection refused"));
	assert_int_equal(server.n_connects, 1);
	host.generation = 1;
	assert_int_equal(fake_host_open(&host), 0);
	assert_int_equal(server.n_connects, 1);
	host.sleepless = true;
	assert_int_equal(fake_host_finish(&host), 0);
	assert_int_equal(server.n_connects, 4);
	assert_true(server.committed.ended);
	fake_host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_connects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_does_not_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waits_grow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whose_fault_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_first_and_who_comes_later, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
