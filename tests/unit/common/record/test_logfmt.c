/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt: bounds of what it writes, heads of all sizes, lines of chance. What each kind of line becomes: test_parse.c, by docs/parse.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/record/logfmt.h"
#include "common/record/value.h"
#include "tests/unit/common/record/as_json.h"
#include "tests/unit/common/record/random_item.h"

static struct record_scratch scratch;
static struct record_fault fault;

/* Into room that is exactly as large as it has to be; *ret_item is the caller's. */
static int decode(const char *text, size_t size_bytes, void **ret_item, size_t *ret_size_bytes)
{
	size_t bound = logfmt_decode_bound(size_bytes);
	unsigned char *room = malloc(bound + 8);
	int r;

	assert_non_null(room);
	memset(room + bound, 0xa5, 8);
	r = logfmt_decode(&scratch, text, size_bytes, room, ret_size_bytes, &fault);
	for (int i = 0; i < 8; i++)
		assert_int_equal(room[bound + (size_t)i], 0xa5);
	*ret_item = room;
	return r;
}

static void assert_becomes(const char *text, const char *json)
{
	void *item;
	size_t n;

	if (decode(text, strlen(text), &item, &n) != 0)
		fail_msg("'%s': %s", text, fault.why);
	assert_string_equal(as_json(item, n), json);
	free(item);
}

static void assert_bad(const char *text, const char *why)
{
	void *item;
	size_t n;

	assert_int_equal(decode(text, strlen(text), &item, &n), RECORD_E_BAD);
	assert_string_equal(fault.why, why);
	free(item);
}

static void test_places_of_faults(void **state)
{
	(void)state;
	assert_bad("ok a=1 \"b\"=2",
		   "byte 8: a quote inside a word: put all of the value in quotes, and \\\" for one in it");
	assert_bad("a=\"1\"=", "byte 6: something behind the closing quote");
	assert_bad("a=1 b=\"", "byte 7: this quote is never closed");
	assert_bad("a=1 b=\"\\", "byte 7: this quote is never closed");
	assert_bad("a=1 ==", "byte 5: expected a name before '='");
	assert_becomes("a==b", "{\"a\":\"=b\"}");
	assert_becomes("a=\t b", "{\"a\":\"\",\"b\":true}");
	assert_becomes("a=\"b=c\"", "{\"a\":\"b=c\"}");
	assert_becomes("a=\"\\\\\" b=\"\\\"\"",
		       "{\"a\":\"\\\\\",\"b\":\"\\\"\"}"); /* the second quote of a closes it */
}

static void test_blank_and_too_long(void **state)
{
	void *item;
	size_t n;

	(void)state;
	assert_int_equal(decode("", 0, &item, &n), RECORD_E_EMPTY);
	free(item);
	assert_int_equal(decode(" \t\r", 3, &item, &n), RECORD_E_EMPTY);
	free(item);
	assert_int_equal(logfmt_decode(&scratch, "", RECORD_SIZE_MAX + 1, NULL, &n, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, "it is longer than 268435456 bytes");
}

/* n pairs, each other name. */
static void assert_so_many(uint32_t n_names)
{
	char *text = malloc((size_t)n_names * 16), *at = text;
	struct value_reader reader;
	struct value value;
	void *item;
	size_t n;

	assert_non_null(text);
	for (uint32_t i = 0; i < n_names; i++)
		at += sprintf(at, "%s%x=%u", i ? " " : "", i, i);
	assert_int_equal(decode(text, (size_t)(at - text), &item, &n), 0);
	value_reader_init(&reader, item, n);
	assert_int_equal(value_next(&reader, &value), 0);
	assert_int_equal(value.type, VALUE_MAP);
	assert_int_equal(value.n, n_names);
	for (uint32_t i = 0; i < n_names; i++) {
		char name[16], number[16];

		snprintf(name, sizeof(name), "%x", i);
		snprintf(number, sizeof(number), "%u", i);
		assert_int_equal(value_next(&reader, &value), 0);
		assert_int_equal(value.n, strlen(name));
		assert_memory_equal(value.data, name, value.n);
		assert_int_equal(value_next(&reader, &value), 0);
		assert_int_equal(value.n, strlen(number));
		assert_memory_equal(value.data, number, value.n);
	}
	assert_ptr_equal(reader.next, reader.end);
	free(item);
	free(text);
}

static void test_heads_of_all_sizes(void **state)
{
	(void)state;
	assert_so_many(15);
	assert_so_many(16);
	assert_so_many(65535);
	assert_so_many(65536);
}

/* What grows most: two bytes become three, before it is seen that they are one name. */
static void test_names_alone(void **state)
{
	char text[4000];
	void *item;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? ' ' : 'a';
	assert_int_equal(decode(text, sizeof(text), &item, &n), 0);
	assert_string_equal(as_json(item, n), "{\"a\":true}");
	free(item);
}

/* A name and a value of so many bytes: heads of one, two, three and five. */
static void test_strings_of_all_sizes(void **state)
{
	static const uint32_t sizes[] = { 1, 31, 32, 255, 256, 65535, 65536 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i], n;
		char *text = malloc(2 * size + 1);
		struct value_reader reader;
		struct value value;
		void *item;

		assert_non_null(text);
		memset(text, 'n', size);
		text[size] = '=';
		memset(text + size + 1, 'v', size);
		assert_int_equal(decode(text, 2 * size + 1, &item, &n), 0);
		value_reader_init(&reader, item, n);
		assert_int_equal(value_next(&reader, &value), 0);
		for (int j = 0; j < 2; j++) {
			assert_int_equal(value_next(&reader, &value), 0);
			assert_int_equal(value.n, size);
			assert_memory_equal(value.data, j ? text + size + 1 : text, size);
		}
		assert_ptr_equal(reader.next, reader.end);
		free(item);
		free(text);
	}
}

/* A map of names that stand in it once, of texts and true, and nothing behind it. */
static void assert_sound(const void *item, size_t size_bytes)
{
	struct value names[64], value;
	struct value_reader reader;
	uint32_t n;

	value_reader_init(&reader, item, size_bytes);
	assert_int_equal(value_next(&reader, &value), 0);
	assert_int_equal(value.type, VALUE_MAP);
	n = value.n;
	assert_in_range(n, 1, 64);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(value_next(&reader, &names[i]), 0);
		assert_int_equal(names[i].type, VALUE_STRING);
		for (uint32_t j = 0; j < i; j++)
			assert_false(names[i].n == names[j].n && !memcmp(names[i].data, names[j].data, names[i].n));
		assert_int_equal(value_next(&reader, &value), 0);
		assert_true(value.type == VALUE_STRING || (value.type == VALUE_BOOLEAN && value.number));
	}
	assert_ptr_equal(reader.next, reader.end);
}

static void test_lines_of_chance(void **state)
{
	static const char letters[] = "ab=\"\\ n\tu0\xc3\xa4\xff";
	struct random_source source = { .state = 17 };
	unsigned n_good = 0, n_bad = 0;
	char text[64];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint32_t size = random_below(&source, sizeof(text));
		void *item;
		size_t n;
		int r;

		for (uint32_t j = 0; j < size; j++)
			text[j] = letters[random_below(&source, i % 2 ? sizeof(letters) - 1 : 6)];
		r = decode(text, size, &item, &n);
		n_good += r == 0;
		n_bad += r == RECORD_E_BAD;
		if (r == 0)
			assert_sound(item, n);
		free(item);
	}
	assert_true(n_good > 1000);
	assert_true(n_bad > 1000);
}

static int teardown(void **state)
{
	(void)state;
	record_scratch_deinit(&scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_of_faults),   cmocka_unit_test(test_blank_and_too_long),
		cmocka_unit_test(test_heads_of_all_sizes), cmocka_unit_test(test_strings_of_all_sizes),
		cmocka_unit_test(test_names_alone),        cmocka_unit_test(test_lines_of_chance),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
