/* SPDX-License-Identifier: Apache-2.0 */
/* What is hidden, and that nothing else is; and paths and items that are none. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/record/json.h"
#include "common/record/redact.h"

static void check(const char *paths, const char *json, const char *expected)
{
	struct record_scratch scratch = { NULL, 0 };
	struct redact *redact = calloc(1, sizeof(*redact));
	size_t n = strlen(json), item_bytes, hidden_bytes, text_bytes;
	void *item = malloc(json_decode_bound(n)), *hidden;
	struct record_fault fault = { "" };
	char *text;

	assert_int_equal(redact_add(redact, paths, &fault), 0);
	assert_int_equal(json_decode(&scratch, json, n, item, &item_bytes, &fault), 0);
	hidden = malloc(redact_bound(item_bytes));
	assert_int_equal(redact_write(redact, item, item_bytes, hidden, &hidden_bytes, &fault), 0);
	assert_true(hidden_bytes <= redact_bound(item_bytes));
	text = malloc(json_encode_bound(hidden_bytes) + 1);
	assert_int_equal(json_encode(hidden, hidden_bytes, text, &text_bytes, &fault), 0);
	text[text_bytes] = '\0';
	assert_string_equal(text, expected);
	free(text);
	free(hidden);
	free(item);
	free(redact);
	record_scratch_deinit(&scratch);
}

static void test_paths(void **state)
{
	(void)state;
	check("a", "{\"a\":1,\"b\":2}", "{\"a\":\"***\",\"b\":2}");
	check(".a", "{\"a\":{\"x\":[1,2]},\"b\":2}", "{\"a\":\"***\",\"b\":2}");
	check(".user.name", "{\"name\":1,\"user\":{\"name\":\"Ann\",\"names\":3,\"x\":{\"name\":4}}}",
	      "{\"name\":1,\"user\":{\"name\":\"***\",\"names\":3,\"x\":{\"name\":4}}}");
	check("..name", "{\"name\":1,\"user\":{\"name\":\"Ann\",\"x\":[[{\"name\":4}]]}}",
	      "{\"name\":\"***\",\"user\":{\"name\":\"***\",\"x\":[[{\"name\":\"***\"}]]}}");
	check("users.key", "{\"users\":[{\"key\":1},[{\"key\":2}],3]}",
	      "{\"users\":[{\"key\":\"***\"},[{\"key\":\"***\"}],3]}");
	check("*.key", "{\"a\":{\"key\":1},\"key\":2,\"b\":{\"c\":{\"key\":3}}}",
	      "{\"a\":{\"key\":\"***\"},\"key\":2,\"b\":{\"c\":{\"key\":3}}}");
	check("a,b.c,..d", "[{\"a\":0},{\"b\":{\"c\":0,\"d\":0}},{\"e\":{\"d\":null}}]",
	      "[{\"a\":\"***\"},{\"b\":{\"c\":\"***\",\"d\":\"***\"}},{\"e\":{\"d\":\"***\"}}]");
	check("a.b.c", "{\"a\":{\"b\":1,\"x\":{\"c\":2}},\"b\":{\"c\":3}}",
	      "{\"a\":{\"b\":1,\"x\":{\"c\":2}},\"b\":{\"c\":3}}");
	check("a", "{\"a\":1,\"a \":2,\"A\":3,\"aa\":4,\"\":5}", "{\"a\":\"***\",\"a \":2,\"A\":3,\"aa\":4,\"\":5}");
	check("a", "7", "7");
	check("*", "{\"a\":1,\"b\":[]}", "{\"a\":\"***\",\"b\":\"***\"}");
}

static void test_wrong_paths(void **state)
{
	static const struct {
		const char *paths, *why;
	} rows[] = {
		{ "", "'': a name is missing" },
		{ ".", "'.': a name is missing" },
		{ "a,", "'': a name is missing" },
		{ "a..b", "'a..b': a name is missing" },
		{ "a.", "'a.': a name is missing" },
		{ "..", "'..': a name is missing" },
		{ "..a.b", "'..a.b': behind '..' stands one name" },
		{ "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a",
		  "'a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a': at most 16 names of 127 bytes each" },
	};
	struct redact *redact = calloc(1, sizeof(*redact));
	struct record_fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(redact_add(redact, rows[i].paths, &fault), RECORD_E_BAD);
		assert_string_equal(fault.why, rows[i].why);
	}
	redact->n_paths = 0;
	for (unsigned i = 0; i < REDACT_PATHS_MAX; i++)
		assert_int_equal(redact_add(redact, "a", &fault), 0);
	assert_int_equal(redact_add(redact, "a", &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, "at most 32 paths");
	free(redact);
}

/* Any bytes: what comes out fits the room, or is refused. */
static void test_hostile(void **state)
{
	struct redact *redact = calloc(1, sizeof(*redact));
	unsigned char item[48], deep[80], room[48 * 5 + 1024];
	struct record_fault fault;
	unsigned n_good = 0, n_bad = 0;
	size_t size_bytes;

	(void)state;
	assert_int_equal(redact_add(redact, "a,..b,*.c", &fault), 0);
	srand(3);
	for (unsigned round = 0; round < 50000; round++) {
		size_t n = (size_t)(rand() % (int)sizeof(item));

		for (size_t i = 0; i < n; i++)
			item[i] = (unsigned char)(rand() % 3 ? "\x81\x91\x92\xa1"
							       "abc\x01"[rand() % 8] :
							       rand());
		if (redact_write(redact, item, n, room, &size_bytes, &fault) == 0) {
			n_good++;
			assert_true(size_bytes <= redact_bound(n));
		} else {
			n_bad++;
		}
	}
	assert_true(n_good > 100 && n_bad > 100);
	memset(deep, 0x91, sizeof(deep));
	deep[sizeof(deep) - 1] = 1;
	assert_int_equal(redact_write(redact, deep, sizeof(deep), room, &size_bytes, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, "deeper than 64 levels");
	free(redact);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_wrong_paths),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
