/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/cli/top_keys.h"

static void test_every_row_is_its_key(void **state)
{
	static const struct {
		enum top_key key;
		const char *bytes;
	} rows[] = {
#define TOP_KEY(id_, bytes_, name_, summary_) { TOP_KEY_##id_, bytes_ },
#include "broker/cli/top_key.def"
#undef TOP_KEY
	};
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(top_key_read(rows[i].bytes, strlen(rows[i].bytes), true, &used), rows[i].key);
		assert_int_equal(used, strlen(rows[i].bytes));
	}
}

/* Over a slow line a key comes in parts: of each but the last it is said that more has to come. */
static void test_parts(void **state)
{
	static const char *const sequences[] = { "\033[A", "\033OB", "\033[5~", "\033[1;5C", "\033[200~" };
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
		for (size_t n = 1; n < strlen(sequences[i]); n++) {
			assert_int_equal(top_key_read(sequences[i], n, false, &used), TOP_KEY_PART);
			/* Nothing follows: it was the key Esc, and then others. */
			assert_int_equal(top_key_read(sequences[i], n, true, &used), TOP_KEY_BACK);
			assert_int_equal(used, 1);
		}
}

static void test_one_after_the_other(void **state)
{
	static const char bytes[] = "j\033[Bq";
	size_t used;

	(void)state;
	assert_int_equal(top_key_read(bytes, 5, false, &used), TOP_KEY_DOWN);
	assert_int_equal(used, 1);
	assert_int_equal(top_key_read(bytes + 1, 4, false, &used), TOP_KEY_DOWN);
	assert_int_equal(used, 3);
	assert_int_equal(top_key_read(bytes + 4, 1, false, &used), TOP_KEY_QUIT);
}

/* What we do not know is read past as a whole: no part of it may count as a key. */
static void test_unknown(void **state)
{
	size_t used;

	(void)state;
	assert_int_equal(top_key_read("\033[1;5q", 6, false, &used), TOP_KEY_NONE);
	assert_int_equal(used, 6);
	assert_int_equal(top_key_read("x", 1, false, &used), TOP_KEY_NONE);
	assert_int_equal(used, 1);
	assert_int_equal(top_key_read("", 1, false, &used), TOP_KEY_NONE);
	for (unsigned byte = 0; byte < 256; byte++) {
		char c = (char)byte;

		top_key_read(&c, 1, true, &used);
		assert_int_equal(used, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_its_key),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
