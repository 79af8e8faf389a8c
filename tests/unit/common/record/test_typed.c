/* SPDX-License-Identifier: Apache-2.0 */
/* Fields with types: the last numbers that fit, what only looks like one, what is shown of it, and what is no text to begin with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/record/typed.h"
#include "tests/unit/common/record/as_json.h"

static struct record_fault fault;

static void add(struct typed *typed, const char *name, const char *type)
{
	if (typed_add(typed, name, type, &fault) != 0)
		fail_msg("%s: %s", type, fault.why);
}

/* Into room that is exactly as large as it has to be: JSON, or why not. */
static const char *write_item(struct typed *typed, const void *map, size_t size_bytes)
{
	size_t bound = typed_bound(typed, size_bytes), n;
	unsigned char *room = malloc(bound + 8);
	const char *said;

	assert_non_null(room);
	memset(room + bound, 0xa5, 8);
	said = typed_write(typed, map, size_bytes, room, &n, &fault) == 0 ? as_json(room, n) : fault.why;
	for (int i = 0; i < 8; i++)
		assert_int_equal(room[bound + (size_t)i], 0xa5);
	free(room);
	return said;
}

static const char *write_json(struct typed *typed, const char *json)
{
	const struct test_item item = item_of(json);

	return write_item(typed, item.data, item.size_bytes);
}

/* The one field f, of that type, has this text. */
static const char *becomes(const char *type, const char *text, size_t size_bytes)
{
	unsigned char item[4096] = "\x81\xa1\x66\xda";
	struct typed typed = { 0 };
	const char *said;

	item[4] = (unsigned char)(size_bytes >> 8);
	item[5] = (unsigned char)size_bytes;
	memcpy(item + 6, text, size_bytes);
	add(&typed, "f", type);
	said = write_item(&typed, item, 6 + size_bytes);
	typed_deinit(&typed);
	return said;
}

static void assert_becomes(const char *type, const char *text, const char *json)
{
	char expected[256];

	snprintf(expected, sizeof(expected), "{\"f\":%s}", json);
	assert_string_equal(becomes(type, text, strlen(text)), expected);
}

static void assert_none(const char *type, const char *text, const char *called)
{
	char expected[256];

	snprintf(expected, sizeof(expected), "f: '%s' is no %s", text, called);
	assert_string_equal(becomes(type, text, strlen(text)), expected);
}

static void test_integers(void **state)
{
	static const char *const none[] = { "",
					    "-",
					    "+",
					    "+-1",
					    "1.0",
					    " 1",
					    "1 ",
					    "1e3",
					    "0x1",
					    "1_000",
					    "18446744073709551616",
					    "18446744073709551620",
					    "-9223372036854775809",
					    "99999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_none("int", none[i], "int");
	assert_becomes("int", "18446744073709551615", "18446744073709551615");
	assert_becomes("int", "-9223372036854775808", "-9223372036854775808");
	assert_becomes("int", "+9223372036854775808", "9223372036854775808");
	assert_becomes("int", "-0", "0");
	assert_becomes("int", "00000000000000000000000042", "42");
	assert_string_equal(becomes("int", "1\0", 2), "f: '1' is no int"); /* a NUL is no digit */
}

static void test_floats(void **state)
{
	static const char *const none[] = { "",   ".",   "-",   "e5",  "1e",    "1.5.2", "1e5e5", "--1",
					    "1-", "0x1", "nan", "inf", "1e400", " 1",    "1 ",    "1,5" };
	char digits[1100];

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_none("float", none[i], "float");
	assert_becomes("float", "+1.5e3", "1500.0");
	assert_becomes("float", ".5", "0.5");
	assert_becomes("float", "5.", "5.0");
	assert_becomes("float", "-1e-400", "-0.0");
	memset(digits, '0', sizeof(digits));
	digits[0] = '1';
	digits[1] = '.';
	assert_string_equal(becomes("float", digits, 1024), "{\"f\":1.0}");
	assert_non_null(strstr(becomes("float", digits, 1025), "is no float"));
	assert_string_equal(becomes("float", "1\0", 2), "f: '1' is no float");
}

static void test_words(void **state)
{
	(void)state;
	assert_becomes("bool", "true", "true");
	assert_becomes("bool", "false", "false");
	assert_none("bool", "", "bool");
	assert_none("bool", "True", "bool");
	assert_none("bool", "truer", "bool");
	assert_none("bool", "1", "bool");
	assert_becomes("time(unix)", "0", "\"1970-01-01T00:00:00Z\"");
	assert_none("time", "yesterday", "time of this format");
	assert_becomes("text", "18", "\"18\"");
}

/* At most 40 bytes, and no half character. */
static void test_what_is_shown(void **state)
{
	char text[64], expected[128];

	(void)state;
	memset(text, 'x', sizeof(text));
	snprintf(expected, sizeof(expected), "f: '%.40s' is no int", text);
	assert_string_equal(becomes("int", text, 40), expected);
	snprintf(expected, sizeof(expected), "f: '%.40s'... is no int", text);
	assert_string_equal(becomes("int", text, 41), expected);
	memcpy(text + 39, "\xc3\xa4", 2);
	snprintf(expected, sizeof(expected), "f: '%.39s'... is no int", text);
	assert_string_equal(becomes("int", text, 41), expected);
	memcpy(text + 38, "\xc3\xa4", 2);
	text[40] = 'x';
	snprintf(expected, sizeof(expected), "f: '%.40s'... is no int", text);
	assert_string_equal(becomes("int", text, 41), expected);
}

static void test_fields_among_others(void **state)
{
	struct typed typed = { 0 };

	(void)state;
	add(&typed, "n", "int");
	add(&typed, "t", "text");
	add(&typed, "b", "bool");
	assert_string_equal(write_json(&typed, "{}"), "{}");
	assert_string_equal(write_json(&typed, "{\"nn\":\"1\",\"\":\"2\",\"N\":\"3\"}"),
			    "{\"nn\":\"1\",\"\":\"2\",\"N\":\"3\"}");
	assert_string_equal(write_json(&typed, "{\"x\":[{\"n\":\"1\"}],\"n\":\"1\",\"t\":\"1\",\"b\":true}"),
			    "{\"x\":[{\"n\":\"1\"}],\"n\":1,\"t\":\"1\",\"b\":true}");
	assert_string_equal(write_json(&typed, "{\"n\":true}"), "n: it has no value");
	assert_string_equal(write_json(&typed, "{\"t\":true}"), "{\"t\":true}"); /* text is whatever it is */
	assert_string_equal(write_json(&typed, "{\"n\":\"1\",\"b\":\"no\"}"), "b: 'no' is no bool");
	typed_deinit(&typed);
	assert_int_equal(typed.n, 0);
}

/* What grows most: times in few bytes, all of them. */
static void test_many_that_grow(void **state)
{
	static char names[100][4];
	struct typed typed = { 0 };
	char json[2048] = "", expected[4000] = "";

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "%u", i);
		add(&typed, names[i], "time(unix_ns)");
		snprintf(json + strlen(json), sizeof(json) - strlen(json), "%s\"%u\":\"1\"", i ? "," : "{", i);
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
			 "%s\"%u\":\"1970-01-01T00:00:00.000000001Z\"", i ? "," : "{", i);
	}
	strcat(json, "}");
	strcat(expected, "}");
	assert_string_equal(write_json(&typed, json), expected);
	typed_deinit(&typed);
}

static void test_types_that_are_none(void **state)
{
	static const char *const none[] = { "", "Int", "integer", "times", "time()x", "time(%Y-%m-%d", "time(%H)" };
	char longest[MOMENT_FORMAT_SIZE_MAX + 8];
	struct typed typed = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(typed_add(&typed, "f", none[i], &fault), RECORD_E_BAD);
		assert_int_equal(typed.n, 0);
	}
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "time(%F", 7);
	longest[5 + MOMENT_FORMAT_SIZE_MAX] = ')';
	longest[6 + MOMENT_FORMAT_SIZE_MAX] = '\0';
	assert_int_equal(typed_add(&typed, "f", longest, &fault), 0);
	typed_deinit(&typed);
	longest[5 + MOMENT_FORMAT_SIZE_MAX] = 'x';
	longest[6 + MOMENT_FORMAT_SIZE_MAX] = ')';
	longest[7 + MOMENT_FORMAT_SIZE_MAX] = '\0';
	assert_int_equal(typed_add(&typed, "f", longest, &fault), RECORD_E_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_what_is_shown),
		cmocka_unit_test(test_fields_among_others),
		cmocka_unit_test(test_many_that_grow),
		cmocka_unit_test(test_types_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
