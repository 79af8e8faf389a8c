/* SPDX-License-Identifier: Apache-2.0 */
/* One member of an item, and others in its place: order, names that come twice, items that are none, and maps of chance cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/record/member.h"
#include "common/record/value.h"
#include "tests/unit/common/record/as_json.h"
#include "tests/unit/common/record/random_item.h"

static struct record_scratch scratch;
static struct record_fault fault;

static const char *text_of(const void *item, size_t size_bytes, const char *name)
{
	static char copy[128];
	const char *text;
	size_t n;

	if (member_text(item, size_bytes, name, &text, &n, &fault) != 0)
		return fault.why;
	snprintf(copy, sizeof(copy), "'%.*s'", (int)n, text);
	return copy;
}

/* Into room that is exactly as large as it has to be; *ret_item is the caller's. */
static int replace(const void *item, size_t item_bytes, const char *name, const void *map, size_t map_bytes,
		   unsigned char **ret_item, size_t *ret_size_bytes)
{
	size_t bound = member_bound(item_bytes, map_bytes);
	unsigned char *room = malloc(bound + 8);
	int r;

	assert_non_null(room);
	memset(room + bound, 0xa5, 8);
	r = member_replace(&scratch, item, item_bytes, name, map, map_bytes, room, ret_size_bytes, &fault);
	for (int i = 0; i < 8; i++)
		assert_int_equal(room[bound + (size_t)i], 0xa5);
	*ret_item = room;
	return r;
}

static const char *replaced(const char *item_json, const char *name, const char *map_json)
{
	const struct test_item item = item_of(item_json), map = item_of(map_json);
	unsigned char *made;
	size_t n;
	const char *said = replace(item.data, item.size_bytes, name, map.data, map.size_bytes, &made, &n) == 0 ?
				   as_json(made, n) :
				   fault.why;

	free(made);
	return said;
}

static const char *text_in(const char *json, const char *name)
{
	const struct test_item item = item_of(json);

	return text_of(item.data, item.size_bytes, name);
}

static void test_text(void **state)
{
	(void)state;
	assert_string_equal(text_in("{\"a\":\"x\",\"ab\":\"y\"}", "a"), "'x'");
	assert_string_equal(text_in("{\"a\":\"x\",\"ab\":\"y\"}", "ab"), "'y'");
	assert_string_equal(text_in("{\"\":\"\"}", ""), "''");
	assert_string_equal(text_in("{\"in\":{\"a\":\"x\"}}", "a"), "it has no 'a'");
	assert_string_equal(text_in("{\"a\":null}", "a"), "its 'a' is no text");
	assert_string_equal(text_in("{\"a\":[\"x\"]}", "a"), "its 'a' is no text");
	assert_string_equal(text_in("[\"a\",\"x\"]", "a"), "it is no map: is what comes here decoded?");
	assert_string_equal(text_of("", 0, "a"), "it is no map: is what comes here decoded?");
	assert_string_equal(text_of("\x82\xa1\x61\xa1\x31\xa1\x61\xa1\x32", 9, "a"), "'2'"); /* the last counts */
	assert_string_equal(text_of("\x82\xa1\x61\xa1\x31\xa1\x61\x07", 8, "a"), "its 'a' is no text");
	assert_string_equal(text_of("\x81\xc4\x01\x61\xa1\x31", 6, "a"), "it has no 'a'"); /* bytes are no name */
}

static void test_replace(void **state)
{
	(void)state;
	assert_string_equal(replaced("{\"h\":1,\"line\":\"x\",\"n\":{\"line\":3}}", "line", "{\"x\":\"1\",\"y\":[]}"),
			    "{\"h\":1,\"n\":{\"line\":3},\"x\":\"1\",\"y\":[]}");
	assert_string_equal(replaced("{\"a\":1,\"b\":2,\"line\":0}", "line", "{\"a\":\"new\"}"),
			    "{\"b\":2,\"a\":\"new\"}");
	assert_string_equal(replaced("{\"line\":0}", "line", "{\"line\":\"within\"}"), "{\"line\":\"within\"}");
	assert_string_equal(replaced("{\"line\":0}", "line", "{}"), "{}");
	assert_string_equal(replaced("{\"a\":1}", "line", "{}"), "{\"a\":1}");
	assert_string_equal(replaced("[]", "line", "{}"), "it is no map: is what comes here decoded?");
}

static void assert_bad(const char *item, size_t size_bytes, const char *why)
{
	unsigned char *made;
	size_t n;

	assert_int_equal(replace(item, size_bytes, "a", "\x80", 1, &made, &n), RECORD_E_BAD);
	assert_string_equal(fault.why, why);
	free(made);
}

static void test_what_is_no_item(void **state)
{
	unsigned char *made;
	size_t n;

	(void)state;
	assert_bad("\x81\x01\x02", 3, "it has a name that is no string, or no end");
	assert_bad("\x82\xa1\x62\x02\xa1", 5, "it has a name that is no string, or no end");
	assert_bad("\x80\x80", 2, "something is behind its value: is what comes here decoded?");
	assert_bad("\xdf\xff\xff\xff\xff", 5, "it is no map: is what comes here decoded?"); /* so many can't be there */
	assert_int_equal(replace("\x80", 1, "a", "\x01", 1, &made, &n), RECORD_E_BAD);      /* nor is the other a map */
	free(made);
	assert_int_equal(replace("\x82\xa1\x62\x01\xa1\x62\x02", 7, "a", "\x80", 1, &made, &n),
			 0); /* the last counts */
	assert_string_equal(as_json(made, n), "{\"b\":2}");
	free(made);
}

/* From 15 names on the head is longer than those of both that it is made of. */
static void test_heads_grow(void **state)
{
	unsigned char first[256] = "\x8f", second[256] = "\x8f", *made;
	struct value_reader reader;
	struct value value;
	size_t n;

	(void)state;
	for (unsigned char i = 0; i < 15; i++) {
		memcpy(first + 1 + 3 * i, (unsigned char[]){ 0xa1, (unsigned char)('a' + i), i }, 3);
		memcpy(second + 1 + 3 * i, (unsigned char[]){ 0xa1, (unsigned char)('A' + i), i }, 3);
	}
	assert_int_equal(replace(first, 46, "none", second, 46, &made, &n), 0);
	assert_int_equal(n, 3 + 90);
	value_reader_init(&reader, made, n);
	assert_int_equal(value_next(&reader, &value), 0);
	assert_int_equal(value.n, 30);
	assert_memory_equal(made + 3, first + 1, 45);
	assert_memory_equal(made + 48, second + 1, 45);
	free(made);
}

/* Whole, each one comes out as it went in; cut anywhere, none is believed. */
static void test_items_of_chance(void **state)
{
	static unsigned char item[RANDOM_ITEM_BYTES];
	struct random_source source = { .state = 5 };
	unsigned n_maps = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		size_t size = random_item(&source, item), cut = random_below(&source, (uint32_t)size), n;
		struct value_reader reader;
		struct value value;
		unsigned char *made;

		value_reader_init(&reader, item, size);
		assert_int_equal(value_next(&reader, &value), 0);
		if (value.type == VALUE_MAP) {
			n_maps++;
			assert_int_equal(replace(item, size, "no such name", "\x80", 1, &made, &n), 0);
			assert_int_equal(n, size);
			assert_memory_equal(made, item, size);
		} else {
			assert_int_equal(replace(item, size, "no such name", "\x80", 1, &made, &n), RECORD_E_BAD);
		}
		free(made);
		assert_int_equal(replace(item, cut, "no such name", "\x80", 1, &made, &n), RECORD_E_BAD);
		free(made);
	}
	assert_true(n_maps > 300);
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
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_what_is_no_item),
		cmocka_unit_test(test_heads_grow),
		cmocka_unit_test(test_items_of_chance),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
