/* SPDX-License-Identifier: Apache-2.0 */
/* weir's own table in a PostgreSQL database, against a server of the test's own: what is claimed, written, and not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/sinks/fake_postgres.h"
#include "worker/builtin.h"
#include "worker/sinks/postgres_turns.h"

static struct fake_postgres server;
static struct fake_host host;
static struct postgres_base base;
static struct stored stored;

static int setup(void **state)
{
	(void)state;
	server = (struct fake_postgres){ 0 };
	fake_host_init(&host, &postgres_sink_callbacks);
	fake_host_option_string(&host, "turns", "own.weir \"turns\"");
	host.run = 12;
	host.worker_index = 3;
	fake_postgres_begin(&server);
	base = (struct postgres_base){ .context = &host.context,
				       .connection = fake_postgres_connect(),
				       .server = "PG" };
	stored = (struct stored){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stored_deinit(&stored);
	fake_postgres_end();
	fake_host_deinit(&host);
	return 0;
}

static void test_the_table_is_made_if_it_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(postgres_turns_make(&base), 0);
	assert_string_equal(server.log, "SELECT CREATE ");
	assert_non_null(strstr(server.last_sql, "CREATE TABLE IF NOT EXISTS \"own\".\"weir \"\"turns\"\"\" ("));
	assert_int_equal(postgres_turns_make(&base), 0); /* who may not make tables need not */
	assert_string_equal(server.log, "SELECT CREATE SELECT ");
	assert_string_equal(server.last_parameters[0], "\"own\".\"weir \"\"turns\"\"\"");
	server.refused = "SELECT to_regclass";
	server.refusal = "57P01";
	assert_int_equal(postgres_turns_make(&base), POSTGRES_E_AWAY);
}

static void test_a_seat_that_is_new(void **state)
{
	(void)state;
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	assert_int_equal(stored.turn, 0);
	assert_true(server.committed.has_seat);
	assert_string_equal(server.log, "DELETE INSERT SELECT ");
	assert_string_equal(server.last_parameters[0], "bottle");
	assert_string_equal(server.last_parameters[1], "fake");
	assert_string_equal(server.last_parameters[2], "12");
	assert_string_equal(server.last_parameters[3], "3");
}

static void write_turn(uint64_t sequence)
{
	const struct weir_identity identity = { .run = 12, .sequence = sequence, .producer = 1 };
	struct postgres_turn turn = { 0 };
	struct text sql = TEXT_NULL;
	PGresult *result;

	stored_add(&stored, &identity);
	postgres_turns_write_sql(&host.context, &sql);
	postgres_turns_parameters(&host.context, &stored, &turn);
	assert_string_equal(turn.parameters[2], "12");
	assert_string_equal(turn.parameters[3], "3");
	assert_int_equal(postgres_base_run(&base, text_get(&sql), POSTGRES_TURN_PARAMETERS, turn.parameters, &result),
			 0);
	assert_string_equal(pq.cmdStatus(result), "UPDATE 1");
	pq.clear(result);
	stored_committed(&stored);
	postgres_turn_deinit(&turn);
	text_deinit(&sql);
}

/* The cursor has a turn less than the database: the items of that turn are known, and nobody else's. */
static void test_what_was_stored_and_not_committed(void **state)
{
	struct weir_identity identity = { .run = 12, .sequence = 5, .producer = 1 };

	(void)state;
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	write_turn(4);
	write_turn(5);
	assert_int_equal(server.committed.turn, 2);
	assert_int_equal(postgres_turns_claim(&base, &stored, 1), 0);
	assert_int_equal(stored.turn, 2);
	assert_true(stored_has(&stored, &identity));
	identity.sequence = 4; /* its turn was committed: that it comes again can't be */
	assert_false(stored_has(&stored, &identity));
	assert_int_equal(postgres_turns_claim(&base, &stored, 2), 0);
	identity.sequence = 5;
	assert_false(stored_has(&stored, &identity));
}

static void test_a_turn_of_the_row_is_written_once(void **state)
{
	struct postgres_turn turn = { 0 };
	struct text sql = TEXT_NULL;
	PGresult *result;

	(void)state;
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	postgres_turns_write_sql(&host.context, &sql);
	for (int i = 0; i < 2; i++) {
		postgres_turns_parameters(&host.context, &stored, &turn);
		assert_int_equal(
			postgres_base_run(&base, text_get(&sql), POSTGRES_TURN_PARAMETERS, turn.parameters, &result),
			0);
		assert_string_equal(pq.cmdStatus(result), i ? "UPDATE 0" : "UPDATE 1");
		pq.clear(result);
	}
	postgres_turn_deinit(&turn);
	text_deinit(&sql);
}

static void test_what_others_have_stored(void **state)
{
	struct weir_identity identity = { .run = 12, .sequence = 9, .producer = 1 };
	struct postgres_turn turn = { 0 };

	(void)state;
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	stored_add(&stored, &identity);
	postgres_turns_parameters(&host.context, &stored, &turn);
	strcpy(server.committed.other_items, turn.parameters[5]);
	strcpy(server.committed.other_awaited, "\\x");
	postgres_turn_deinit(&turn);
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	assert_true(stored_has(&stored, &identity));
	strcpy(server.committed.other_items, "\\x"); /* it is gone: it was read anew */
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	assert_false(stored_has(&stored, &identity));
}

static void test_what_is_not_believed(void **state)
{
	(void)state;
	assert_int_equal(postgres_turns_claim(&base, &stored, 1), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "PG knows 0 turns of this run, and 1 were committed"));
	strcpy(server.committed.awaited, "\\x0102");
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), WEIR_FAILED);
	assert_non_null(strstr(host.reason, "is not what weir writes"));
	strcpy(server.committed.awaited, "\\x");
	strcpy(server.committed.other_items, "\\x0102");
	strcpy(server.committed.other_awaited, "\\x");
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), WEIR_FAILED);
}

/* Whatever is lost while it claims: it is away, and claiming again is the same. */
static void test_lost_while_claiming(void **state)
{
	(void)state;
	for (uint32_t at = 1; at <= 3; at++)
		for (unsigned after = 0; after < 2; after++) {
			server.n_statements = 0;
			server.lose_at = at;
			server.lose_after = after;
			assert_int_equal(postgres_turns_claim(&base, &stored, 0), POSTGRES_E_AWAY);
			base.connection = fake_postgres_connect();
			assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
			assert_int_equal(stored.turn, 0);
		}
}

static void test_the_end(void **state)
{
	(void)state;
	assert_int_equal(postgres_turns_claim(&base, &stored, 0), 0);
	assert_int_equal(postgres_turns_end(&base, &stored), 0);
	assert_true(server.committed.ended);
	assert_string_equal(server.last_parameters[3], "3");
	assert_string_equal(server.last_parameters[4], "\\x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_table_is_made_if_it_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_seat_that_is_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_was_stored_and_not_committed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_turn_of_the_row_is_written_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_others_have_stored, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_while_claiming, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
