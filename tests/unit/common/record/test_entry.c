/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of tables, and items with one more member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/record/entry.h"
#include "common/record/json.h"

static struct record_scratch scratch, names, joined, text;

static const char *key(const char *json)
{
	static char copy[128];
	struct record_fault fault;
	const void *bytes;
	size_t n;

	if (entry_key(&scratch, json, strlen(json), &bytes, &n, &fault) != 0)
		return "bad";
	snprintf(copy, sizeof(copy), "%.*s", (int)n, (const char *)bytes);
	return copy;
}

static void test_keys(void **state)
{
	(void)state;
	assert_string_equal(key("17"), "17");
	assert_string_equal(key("\"17\""), "17"); /* one key */
	assert_string_equal(key("\"\""), "");
	assert_string_equal(key("\"a\\\"b\\u00e4\""), "a\"b\xc3\xa4");
	assert_string_equal(key("{\"a\":1}"), "{\"a\":1}");
	assert_string_equal(key("true"), "true");
	assert_string_equal(key("\"\\x\""), "bad");
}

/* In JSON for people: the item with the member. */
static const char *join(const char *item, const char *name, const char *value)
{
	struct record_scratch value_scratch = { 0 };
	const void *map, *member;
	size_t map_bytes, member_bytes, n;
	struct record_fault fault;
	const char *said;
	int r;

	assert_int_equal(entry_value(&scratch, &names, false, item, strlen(item), &map, &map_bytes, &fault), 0);
	assert_int_equal(
		entry_value(&value_scratch, &names, false, value, strlen(value), &member, &member_bytes, &fault), 0);
	r = entry_join(map, map_bytes, name, strlen(name), member, member_bytes,
		       record_scratch_get(&joined, entry_join_bound(map_bytes, strlen(name), member_bytes)), &n,
		       &fault);
	record_scratch_deinit(&value_scratch);
	if (r != 0) {
		said = record_scratch_get(&text, sizeof(fault.why));
		memcpy(text.data, fault.why, sizeof(fault.why));
		return said;
	}
	assert_int_equal(json_encode(joined.data, n, record_scratch_get(&text, json_encode_bound(n) + 1), &n, &fault),
			 0);
	((char *)text.data)[n] = '\0';
	return text.data;
}

static void test_join(void **state)
{
	char many[512] = "{", expected[600];
	size_t n = 1;

	(void)state;
	assert_string_equal(join("{}", "v", "1"), "{\"v\":1}");
	assert_string_equal(join("{\"a\":[1,2],\"b\":{}}", "v", "{\"x\":null}"),
			    "{\"a\":[1,2],\"b\":{},\"v\":{\"x\":null}}");
	assert_string_equal(join("{\"v\":{\"old\":1},\"a\":2}", "v", "\"new\""), "{\"a\":2,\"v\":\"new\"}");
	assert_string_equal(join("{\"vv\":1,\"V\":2}", "v", "3"), "{\"vv\":1,\"V\":2,\"v\":3}");
	assert_string_equal(join("[1]", "v", "3"), "it is no map, so it has no place for a member");
	assert_string_equal(join("17", "v", "3"), "it is no map, so it has no place for a member");
	/* Of fifteen members the head has room for one more, and of sixteen it has not. */
	for (int i = 0; i < 17; i++) {
		n += (size_t)snprintf(many + n, sizeof(many) - n, "%s\"m%d\":%d", i ? "," : "", i, i);
		snprintf(many + n, sizeof(many) - n, "}");
		snprintf(expected, sizeof(expected), "%.*s,\"v\":3}", (int)n, many);
		assert_string_equal(join(many, "v", "3"), expected);
	}
}

static void test_what_is_no_value(void **state)
{
	struct record_fault fault;
	const void *value;
	char room[64];
	size_t n;

	(void)state;
	assert_int_equal(entry_value(&scratch, &names, false, "{\"a\":", 5, &value, &n, &fault), RECORD_E_BAD);
	assert_int_equal(entry_value(&scratch, &names, false, "  ", 2, &value, &n, &fault), RECORD_E_BAD);
	assert_int_equal(entry_value(&scratch, &names, true, "\x92\x01", 2, &value, &n, &fault), RECORD_E_BAD);
	assert_int_equal(entry_value(&scratch, &names, true, "\x01\x01", 2, &value, &n, &fault), RECORD_E_BAD);
	assert_int_equal(entry_join("\x80", 1, "v", 1, "\x92\x01", 2, room, &n, &fault), RECORD_E_BAD);
	assert_int_equal(entry_join("\x80\x01", 2, "v", 1, "\x01", 1, room, &n, &fault), RECORD_E_BAD);
	assert_true(entry_is_structured("\x80", 1));
	assert_true(entry_is_structured("\x91\x01", 2));
	assert_false(entry_is_structured("\x91", 1));
	assert_false(entry_is_structured("{}", 2));
	assert_false(entry_is_structured("", 0));
}

static int teardown(void **state)
{
	(void)state;
	record_scratch_deinit(&scratch);
	record_scratch_deinit(&names);
	record_scratch_deinit(&joined);
	record_scratch_deinit(&text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_what_is_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
