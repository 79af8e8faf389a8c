/* SPDX-License-Identifier: Apache-2.0 */
/* How dead letters look to people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "broker/cli/dlq.h"

static const struct dead_letter_death deaths[] = {
	{ .when_ns = 1790000000123456789, .pid = 11, .generation = 1, .how = "was killed by SIGSEGV" },
	{ .when_ns = 1790000000223456789, .pid = 12, .generation = 2, .how = "exited with status 3" },
};

static struct dead_letter letter_of(const void *data, size_t size_bytes)
{
	return (struct dead_letter){
		.id = 17,
		.pipeline = "orders",
		.stage = "price",
		.worker_index = 2,
		.cause = DEAD_LETTER_ATTEMPTS,
		.reason = "2 workers died\x1b[2J of it",
		.attempts = 2,
		.sequence = 41,
		.producer = 3,
		.input = "read",
		.time_ns = 1790000000323456789,
		.run = 1789999990000000000,
		.deaths = deaths,
		.n_deaths = 2,
		.data = data,
		.size_bytes = size_bytes,
	};
}

static void assert_shown(const struct dead_letter *letter, const char *payload)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	const char *end;

	dlq_format_letter(letter, &text);
	end = strstr(text_get(&text), "payload ");
	assert_non_null(end);
	assert_string_equal(end, payload);
}

static void test_letter(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct dead_letter letter = letter_of("x", 1);

	(void)state;
	dlq_format_letter(&letter, &text);
	assert_string_equal(text_get(&text),
			    "id         17\n"
			    "time       2026-09-21T14:13:20.323Z\n"
			    "pipeline   orders\n"
			    "stage      price\n"
			    "worker     2\n"
			    "cause      attempts\n"
			    "reason     2 workers died?[2J of it\n"
			    "from       read\n"
			    "number     41 of slot 3\n"
			    "accepted   unknown\n"
			    "run of     2026-09-21T14:13:10.000Z\n"
			    "attempts   2\n"
			    "deaths     2026-09-21T14:13:20.123Z pid 11, generation 1 was killed by SIGSEGV\n"
			    "           2026-09-21T14:13:20.223Z pid 12, generation 2 exited with status 3\n"
			    "payload    1 bytes\n"
			    "x\n");
}

static void test_payloads(void **state)
{
	struct dead_letter letter = letter_of("two\nlines\n", 10);

	(void)state;
	assert_shown(&letter, "payload    10 bytes\ntwo\nlines\n");
	letter = letter_of(NULL, 0);
	assert_shown(&letter, "payload    0 bytes\n");
	letter = letter_of("\x1b[2J 456789abcdef!", 18);
	assert_shown(&letter, "payload    18 bytes\n"
			      "  00000000  1b 5b 32 4a 20 34 35 36 37 38 39 61 62 63 64 65  .[2J 456789abcde\n"
			      "  00000010  66 21                                            f!\n");
}

static void test_rows(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	const struct dlq_row rows[] = {
		{ 1, 1790000000323456789, 41, 3, 17, DEAD_LETTER_ATTEMPTS, (char[]){ "price" }, (char[]){ "read" },
		  (char[]){ "died" }, 0, 0 },
		{ 22, 1790000000323456789, 42, 0, 5, DEAD_LETTER_REJECTED, (char[]){ "check" }, (char[]){ "" },
		  (char[]){ "bad\nline" }, 0, 0 },
	};

	(void)state;
	dlq_format_rows(rows, 2, 0, false, &text);
	assert_string_equal(text_get(&text),
			    "ID  TIME                      STAGE  CAUSE     LIVES  FROM  NUMBER  SIZE  REASON\n"
			    " 1  2026-09-21T14:13:20.323Z  price  attempts      3  read      41    17  died\n"
			    "22  2026-09-21T14:13:20.323Z  check  rejected                   42     5  bad?line\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letter),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
