/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/cli/table.h"

static const struct table_column columns[] = { { "NAME", false, 9 }, { "KIND", false, 0 }, { "ITEMS", true, 1 } };

static void fill(struct table *table)
{
	table_init(table, columns, 3, 2);
	table_set(table, 0, 0, CELL_PLAIN, "read");
	table_set(table, 0, 1, CELL_PLAIN, "file");
	table_set(table, 0, 2, CELL_WARNING, "%d", 12345);
	table_set(table, 1, 0, CELL_PLAIN, "write-long");
	table_set(table, 1, 2, CELL_PLAIN, "7");
}

static void check(size_t width, bool header, bool color, const char *expected)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	fill(&table);
	assert_int_equal(table_format(&table, width, header, color, &text), 2 + header);
	assert_string_equal(text_get(&text), expected);
}

static void test_aligned(void **state)
{
	(void)state;
	check(0, true, false,
	      "NAME        KIND  ITEMS\n"
	      "read        file  12345\n"
	      "write-long            7\n");
}

static void test_less_important_columns_go_first(void **state)
{
	(void)state;
	check(23, false, false, "read        file  12345\nwrite-long            7\n");
	check(22, false, false, "read        12345\nwrite-long      7\n");
	check(16, false, false, "read\nwrite-long\n");
	check(6, false, false, "read\nwrite~\n");
	check(1, false, false, "~\n~\n");
}

static void test_color_has_no_width(void **state)
{
	(void)state;
	check(17, false, true, "read        \033[33m12345\033[0m\nwrite-long      7\n");
}

static void test_empty_columns_are_left_out(void **state)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	table_init(&table, columns, 3, 1);
	table_set(&table, 0, 0, CELL_PLAIN, "a");
	table_set(&table, 0, 2, CELL_PLAIN, "1");
	table_format(&table, 0, true, false, &text);
	assert_string_equal(text_get(&text), "NAME  ITEMS\na         1\n");
}

static void test_control_characters_never_reach_the_terminal(void **state)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	table_init(&table, columns, 3, 1);
	table_set(&table, 0, 0, CELL_PLAIN, "a\033[2Jb\nc");
	table_format(&table, 0, false, false, &text);
	assert_string_equal(text_get(&text), "a?[2Jb?c\n");
}

static void test_width(void **state)
{
	(void)state;
	assert_int_equal(table_text_width("abc", 3), 3);
	assert_int_equal(table_text_width("\033[1;31mabc\033[0m", 14), 3);
	assert_int_equal(table_text_width("▕█▏", 9), 3);
	assert_int_equal(table_text_width("\033[", 2), 0);
}

static void test_cut(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	table_add_cut(&text, "▕███▏", 3);
	table_add_cut(&text, "xyz", 0);
	table_add_cut(&text, "|xyz", 4);
	assert_string_equal(text_get(&text), "▕█~|xyz");
}

static void test_wrapped(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	(void)state;
	table_add_wrapped(&text, "one two three four", 12, 2);
	text_add_char(&text, '|');
	table_add_wrapped(&text, " a-word-that-is-too-long for 0", 0, 50);
	assert_string_equal(text_get(&text), "one two\n  three\n  four| a-word-that-is-too-long for 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aligned),
		cmocka_unit_test(test_less_important_columns_go_first),
		cmocka_unit_test(test_color_has_no_width),
		cmocka_unit_test(test_empty_columns_are_left_out),
		cmocka_unit_test(test_control_characters_never_reach_the_terminal),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_wrapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
