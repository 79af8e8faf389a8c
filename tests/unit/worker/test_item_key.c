/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of items as integers: exactly, or not at all. */
#include <errno.h>

#include "tests/unit/worker/fake_host.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/item_key.h"

#include <string.h>

static const struct row {
	const char *expression, *item;
	size_t size_bytes; /* 0: a text */
	int r;
	int64_t integer;
} rows[] = {
	{ ".a", "{\"a\":7}", 0, WEIR_OK, 7 },
	{ ".a", "{\"a\":-7.0}", 0, WEIR_OK, -7 },
	{ ".a", "{\"a\":\" 12 \"}", 0, WEIR_OK, 12 },
	{ ".a", "{\"a\":1e3}", 0, WEIR_OK, 1000 },
	{ ".a", "{\"a\":7.5}", 0, -ERANGE, 0 },
	{ ".a", "{\"a\":9007199254740991}", 0, WEIR_OK, INT64_C(9007199254740991) },
	{ ".a", "{\"a\":9007199254740993}", 0, -ERANGE, 0 }, /* libjq knows it as a double */
	{ ".a", "{\"a\":1e300}", 0, -ERANGE, 0 },
	{ ".a", "{\"a\":true}", 0, -EINVAL, 0 },
	{ ".a", "{\"a\":\"0x10\"}", 0, -EINVAL, 0 },
	{ ".a", "{\"a\":\"\"}", 0, -ENOENT, 0 },
	{ ".a", "{\"a\":null}", 0, -ENOENT, 0 },
	{ ".a", "{}", 0, -ENOENT, 0 },
	{ "field(2)", "x 9007199254740993", 0, WEIR_OK, INT64_C(9007199254740993) },
	{ "field(2)", "x 9223372036854775808", 0, -ERANGE, 0 },
	{ "field(2)", "x -", 0, -EINVAL, 0 },
	{ ".a",
	  "\x81\xa1"
	  "a\x07",
	  4, WEIR_OK, 7 },
	{ ".a",
	  "\x81\xa1"
	  "a\xff",
	  4, WEIR_OK, -1 },
	{ ".a",
	  "\x81\xa1"
	  "a\xcf\x7f\xff\xff\xff\xff\xff\xff\xff",
	  12, WEIR_OK, INT64_MAX },
	{ ".a",
	  "\x81\xa1"
	  "a\xcf\x80\x00\x00\x00\x00\x00\x00\x00",
	  12, -ERANGE, 0 },
	{ ".a",
	  "\x81\xa1"
	  "a\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
	  12, WEIR_OK, INT64_MIN },
	{ ".a",
	  "\x81\xa1"
	  "a\xcb\x40\x1c\x00\x00\x00\x00\x00\x00",
	  12, WEIR_OK, 7 },
	{ ".a",
	  "\x81\xa1"
	  "a\xcb\x40\x1c\x00\x00\x00\x00\x00\x01",
	  12, -ERANGE, 0 },
	{ ".a",
	  "\x81\xa1"
	  "a\xa3"
	  "-12",
	  7, WEIR_OK, -12 },
	{ ".a",
	  "\x81\xa1"
	  "a\xc0",
	  4, -ENOENT, 0 },
};

static void test_integers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weir_item item = { .data = rows[i].item,
					  .size_bytes =
						  rows[i].size_bytes ? rows[i].size_bytes : strlen(rows[i].item) };
		struct weir_key *key;
		int64_t integer = 0;
		int r;

		assert_int_equal(item_key_new(NULL, rows[i].expression, &key), WEIR_OK);
		r = item_key_integer(key, &item, &integer);
		if (r != rows[i].r || (r == WEIR_OK && integer != rows[i].integer))
			fail_msg("row %zu: %s of %s is %d, %lld", i, rows[i].expression, rows[i].item, r,
				 (long long)integer);
		item_key_free(key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
