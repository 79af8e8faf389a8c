/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/text.h"
#include "worker/split.h"

/*
 * Cuts `input`, given in pieces of `piece` bytes, into "[record]" each; a record that was too long as "[record+lost]".
 */
static void cut(struct text *result, enum split_mode mode, size_t record_max, const char *input, size_t length,
		size_t piece)
{
	struct splitter splitter;
	struct split_record record;
	uint64_t consumed = 0;
	size_t given = 0;
	int r;

	assert_int_equal(splitter_init(&splitter, mode, record_max), 0);
	while ((r = splitter_next(&splitter, given == length, &record)) != SPLIT_E_END) {
		if (r == SPLIT_E_MORE) {
			unsigned char *at;
			size_t room = splitter_room(&splitter, &at),
			       n = length - given < piece ? length - given : piece;

			assert_true(room > 0);
			n = n < room ? n : room;
			memcpy(at, input + given, n);
			splitter_fill(&splitter, n);
			given += n;
			continue;
		}
		assert_int_equal(r, 0);
		consumed += record.consumed_bytes;
		text_add_char(result, '[');
		text_add_bytes(result, record.data, record.size_bytes);
		if (record.total_bytes > record.size_bytes)
			text_printf(result, "+%llu", (unsigned long long)(record.total_bytes - record.size_bytes));
		text_add_char(result, ']');
	}
	assert_int_equal(consumed + record.consumed_bytes, length);
	splitter_deinit(&splitter);
}

static void check(enum split_mode mode, size_t record_max, const char *input, const char *expected)
{
	for (size_t piece = 1; piece <= strlen(input) + 1; piece++) {
		_cleanup_(text_deinit) struct text result = TEXT_NULL;

		cut(&result, mode, record_max, input, strlen(input), piece);
		assert_string_equal(text_get(&result), expected);
	}
}

static void test_lines(void **state)
{
	(void)state;
	check(SPLIT_LINES, 100, "", "");
	check(SPLIT_LINES, 100, "a\nbb\n", "[a][bb]");
	check(SPLIT_LINES, 100, "a\n\n\nb", "[a][][][b]");
	check(SPLIT_LINES, 100, "\n", "[]");
	check(SPLIT_LINES, 100, "a\r\nb\n", "[a\r][b]");
}

static void test_stanzas(void **state)
{
	(void)state;
	check(SPLIT_STANZAS, 100, "", "");
	check(SPLIT_STANZAS, 100, "\n\n\n", "");
	check(SPLIT_STANZAS, 100, "a: 1\nb: 2\n\nc: 3\n\n", "[a: 1\nb: 2][c: 3]");
	check(SPLIT_STANZAS, 100, "\n\na\n\n\n\nb\n", "[a][b]");
	check(SPLIT_STANZAS, 100, "a\n\nb", "[a][b]");
	check(SPLIT_STANZAS, 100, "a\n \nb\n", "[a\n \nb]");
}

static void test_too_long(void **state)
{
	(void)state;
	check(SPLIT_LINES, 3, "abc\nabcd\nx\n", "[abc][abc+1][x]");
	check(SPLIT_LINES, 3, "abcdefgh", "[abc+5]");
	check(SPLIT_STANZAS, 3, "ab\n\nab\ncd\n\ne", "[ab][ab\n+2][e]");
}

/* Records far beyond the buffer cost bounded memory, and their separators are found wherever the buffer ends. */
static void test_shed(void **state)
{
	static const size_t pieces[] = { 1000, 4096, 65535, 65536, 65537, 200000 };
	const size_t length = 500000;
	char *input = malloc(2 * length + 4);

	(void)state;
	assert_non_null(input);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (size_t extra = 0; extra < 3; extra++) {
			_cleanup_(text_deinit) struct text lines = TEXT_NULL, stanzas = TEXT_NULL;
			char expected[64];

			memset(input, 'y', length + extra);
			memcpy(input + length + extra, "\n\nz", 4);
			snprintf(expected, sizeof(expected), "[yyyyy+%zu][][z]", length + extra - 5);
			cut(&lines, SPLIT_LINES, 5, input, length + extra + 3, pieces[i]);
			assert_string_equal(text_get(&lines), expected);
			snprintf(expected, sizeof(expected), "[yyyyy+%zu][z]", length + extra - 5);
			cut(&stanzas, SPLIT_STANZAS, 5, input, length + extra + 3, pieces[i]);
			assert_string_equal(text_get(&stanzas), expected);
		}
	free(input);
}

/* One newline at each place of the buffer must not end a stanza, nor be lost. */
static void test_shed_single_newlines(void **state)
{
	const size_t length = 70000;
	char *input = malloc(length + 1);

	(void)state;
	assert_non_null(input);
	for (size_t at = 65500; at < 65600; at++) {
		_cleanup_(text_deinit) struct text result = TEXT_NULL;
		char expected[64];

		memset(input, 'y', length);
		input[at] = '\n';
		cut(&result, SPLIT_STANZAS, 5, input, length, 4096);
		snprintf(expected, sizeof(expected), "[yyyyy+%zu]", length - 5);
		assert_string_equal(text_get(&result), expected);
	}
	free(input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_stanzas),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_shed),
		cmocka_unit_test(test_shed_single_newlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
