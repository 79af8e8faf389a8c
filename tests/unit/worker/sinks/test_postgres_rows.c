/* SPDX-License-Identifier: Apache-2.0 */
/* What a server is given. How it takes it: scenarios k13 and x07, with a server of their own. */
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "worker/sinks/postgres_rows.h"
#include "worker/sinks/postgres_turns.h"

static struct cell cells[9] = {
	{ .type = CELL_NULL },
	{ .type = CELL_BOOLEAN, .integer = 1 },
	{ .type = CELL_INTEGER, .integer = INT64_MIN },
	{ .type = CELL_UNSIGNED, .integer = -1 },
	{ .type = CELL_REAL, .real = 0.1 },
	{ .type = CELL_REAL, .real = -INFINITY },
	{ .type = CELL_TEXT, .data = "a\tb\\c\nd\re", .size_bytes = 9 },
	{ .type = CELL_TEXT, .data = "", .size_bytes = 0 },
	{ .type = CELL_BYTES, .data = "\x00\xff\x7f", .size_bytes = 3 },
};

static void test_cells(void **state)
{
	static const char *const expected[9] = { NULL,
						 "true",
						 "-9223372036854775808",
						 "18446744073709551615",
						 "0.10000000000000001",
						 "-Infinity",
						 "a\tb\\c\nd\re",
						 "",
						 "\\x00ff7f" };
	const struct columns columns = { .cells = cells, .n = 9 };
	const struct weir_identity identity = { .sequence = 5 };
	struct text copied = TEXT_NULL;
	struct postgres_rows rows;

	(void)state;
	postgres_rows_init(&rows, 40, 9);
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 40; i++)
			postgres_rows_add(&rows, &columns, i + 1, &identity);
		for (uint32_t i = 0; i < 40; i++) {
			const char *const *got = postgres_rows_cells(&rows, i);

			assert_int_equal(rows.rows[i].token, i + 1);
			for (int j = 0; j < 9; j++)
				if (expected[j])
					assert_string_equal(got[j], expected[j]);
				else
					assert_null(got[j]);
		}
		postgres_rows_refuse(&rows, 3, "no");
		postgres_rows_refuse(&rows, 3, "not at all");
		assert_string_equal(rows.rows[3].refused, "not at all");
		text_clear(&copied);
		postgres_rows_copy(&rows, 39, &copied);
		assert_string_equal(
			text_get(&copied),
			"\\N\ttrue\t-9223372036854775808\t18446744073709551615\t0.10000000000000001\t-Infinity\t"
			"a\\tb\\\\c\\nd\\re\t\t\\\\x00ff7f\n");
		postgres_rows_clear(&rows);
		assert_int_equal(rows.n, 0);
	}
	text_deinit(&copied);
	postgres_rows_deinit(&rows);
}

static void test_names_of_tables(void **state)
{
	struct text sql = TEXT_NULL;

	(void)state;
	postgres_add_table(&sql, "orders");
	text_add_char(&sql, ' ');
	postgres_add_table(&sql, "shop.\"odd\" name");
	assert_string_equal(text_get(&sql), "\"orders\" \"shop\".\"\"\"odd\"\" name\"");
	text_deinit(&sql);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_names_of_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
