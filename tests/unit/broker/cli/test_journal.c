/* SPDX-License-Identifier: Apache-2.0 */
/* What of a line becomes fields. That the journal has them is tests/scenario/b30_journal.sh. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "broker/cli/journal.h"

static void check(const char *line, const char *expected)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL, got = TEXT_NULL;
	struct iovec fields[JOURNAL_FIELDS_MAX];
	size_t n = journal_fields(line, strlen(line), &text, fields);

	for (size_t i = 0; i < n; i++)
		text_printf(&got, "[%.*s]", (int)fields[i].iov_len, (const char *)fields[i].iov_base);
	assert_string_equal(text_get(&got), expected);
}

static void test_lines(void **state)
{
	(void)state;
	check("<4>\x1eWEIR_STAGE=a\x1fWEIR_SLOT=1\x1f\x1ewords\n",
	      "[PRIORITY=4][WEIR_STAGE=a][WEIR_SLOT=1][MESSAGE=words]");
	check("<7>\x1e\x1ewords\n", "[PRIORITY=7][MESSAGE=words]");
	check("words", "[PRIORITY=6][MESSAGE=words]");
	check("\n", "[PRIORITY=6][MESSAGE=]");
	check("", "[PRIORITY=6][MESSAGE=]");
	check("<3>", "[PRIORITY=3][MESSAGE=]");
}

/* Lines that look nearly so are words. */
static void test_what_is_no_block(void **state)
{
	(void)state;
	check("<9>words\n", "[PRIORITY=6][MESSAGE=<9>words]");
	check("<4\n", "[PRIORITY=6][MESSAGE=<4]");
	check("<4>\x1eWEIR_STAGE=a\x1fwords\n", "[PRIORITY=4][MESSAGE=\x1eWEIR_STAGE=a\x1fwords]");
	check("<4>words \x1e WEIR_STAGE=a \x1e\n", "[PRIORITY=4][MESSAGE=words \x1e WEIR_STAGE=a \x1e]");
	check("<4>\x1e", "[PRIORITY=4][MESSAGE=\x1e]");
}

static void test_more_than_there_is_room_for(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL, line = TEXT_NULL;
	struct iovec fields[JOURNAL_FIELDS_MAX];

	(void)state;
	text_add(&line, "<4>\x1e");
	for (unsigned i = 0; i < 40; i++)
		text_printf(&line, "F%u=1\x1f", i);
	text_add(&line, "\x1ewords\n");
	assert_int_equal(journal_fields(line.data, line.length, &text, fields), JOURNAL_FIELDS_MAX);
	assert_memory_equal(fields[JOURNAL_FIELDS_MAX - 1].iov_base, "MESSAGE=words", strlen("MESSAGE=words"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_what_is_no_block),
		cmocka_unit_test(test_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
