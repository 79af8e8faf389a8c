/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: the tables of the document, every random value there and back, every text cut anywhere, and the odd ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/json.h"
#include "common/record/value.h"
#include "document.h"
#include "random_item.h"

static struct record_scratch scratch;

/* In memory of its exact size, into room of exactly the bound: a sanitizer sees each byte too far. */
static int decode(const char *text, size_t size, unsigned char **ret_item, size_t *ret_size, struct record_fault *fault)
{
	char *exact = memcpy(malloc(size ? size : 1), text, size);
	int r;

	*ret_item = malloc(json_decode_bound(size));
	r = json_decode(&scratch, exact, size, *ret_item, ret_size, fault);
	free(exact);
	return r;
}

static int encode(const void *item, size_t size, char **ret_text, size_t *ret_size, struct record_fault *fault)
{
	unsigned char *exact = memcpy(malloc(size ? size : 1), item, size);
	int r;

	*ret_text = malloc(json_encode_bound(size));
	r = json_encode(exact, size, *ret_text, ret_size, fault);
	free(exact);
	return r;
}

static void there_and_back(const struct document_cell *cells)
{
	struct record_fault fault;
	unsigned char *item;
	char *text = NULL;
	size_t item_size, text_size;

	if (decode(cells[0].data, cells[0].size_bytes, &item, &item_size, &fault) != 0)
		fail_msg("'%s' is bad: %s", cells[0].data, fault.why);
	if (encode(item, item_size, &text, &text_size, &fault) != 0)
		fail_msg("'%s' can't be written: %s", cells[0].data, fault.why);
	if (text_size != cells[1].size_bytes || memcmp(text, cells[1].data, text_size) != 0)
		fail_msg("'%s' is written as '%.*s', not as '%s'", cells[0].data, (int)text_size, text, cells[1].data);
	free(item);
	free(text);
}

static void bad_record(const struct document_cell *cells)
{
	struct record_fault fault = { "" };
	unsigned char *item;
	size_t size;

	if (decode(cells[0].data, cells[0].size_bytes, &item, &size, &fault) != RECORD_E_BAD)
		fail_msg("'%s' is taken", cells[0].data);
	if (strcmp(fault.why, cells[1].data) != 0)
		fail_msg("'%s' is bad because '%s', not because '%s'", cells[0].data, fault.why, cells[1].data);
	free(item);
}

static void bad_item(const struct document_cell *cells)
{
	struct record_fault fault = { "" };
	char *text;
	size_t size;

	if (encode(cells[0].data, cells[0].size_bytes, &text, &size, &fault) != RECORD_E_BAD)
		fail_msg("an item is taken that should be bad because '%s'", cells[1].data);
	assert_string_equal(fault.why, cells[1].data);
	free(text);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows("JSON: what becomes of it", there_and_back) >= 18);
	assert_true(document_rows("JSON: bad records", bad_record) >= 38);
	assert_true(document_rows("JSON: items that it can't say", bad_item) >= 10);
}

static void test_blank(void **state)
{
	static const char *const blank[] = { "", " ", "\r", " \t \r\n" };
	struct record_fault fault;
	unsigned char *item;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(blank) / sizeof(blank[0]); i++) {
		assert_int_equal(decode(blank[i], strlen(blank[i]), &item, &size, &fault), RECORD_E_EMPTY);
		free(item);
	}
}

/* What was written is read as the very bytes that it was made of; and cut off anywhere it is bad, and nothing worse. */
static void test_random_values(void **state)
{
	struct random_source source = { 17 };
	unsigned char room[RANDOM_ITEM_BYTES];
	struct record_fault fault;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		size_t size = random_item(&source, room), text_size, again_size;
		unsigned char *again;
		char *text;

		if (encode(room, size, &text, &text_size, &fault) != 0)
			fail_msg("value %u can't be written: %s", i, fault.why);
		assert_null(memchr(text, '\n', text_size));
		if (decode(text, text_size, &again, &again_size, &fault) != 0)
			fail_msg("value %u: '%.*s' is bad: %s", i, (int)text_size, text, fault.why);
		if (again_size != size || memcmp(again, room, size) != 0)
			fail_msg("value %u: '%.*s' is read as another one", i, (int)text_size, text);
		free(again);
		if (text_size > 1 && (*text == '{' || *text == '[' || *text == '"')) {
			size_t cut = 1 + random_below(&source, (uint32_t)text_size - 1);

			assert_int_equal(decode(text, cut, &again, &again_size, &fault), RECORD_E_BAD);
			free(again);
		}
		free(text);
	}
}

/* One byte of a text changed, anywhere: taken or bad, never more than the room; and what is taken can be written. */
static void test_random_damage(void **state)
{
	static const char hostile[] = "{}[]\",:\\u0dDeE+-.19 \xff\x80\xc3";
	struct random_source source = { 4711 };
	unsigned char room[RANDOM_ITEM_BYTES];
	struct record_fault fault;
	unsigned n_taken = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		size_t size = random_item(&source, room), text_size, item_size;
		unsigned char *item;
		char *text, *again;
		int r;

		assert_int_equal(encode(room, size, &text, &text_size, &fault), 0);
		for (unsigned n = 1 + random_below(&source, 3); n; n--)
			text[random_below(&source, (uint32_t)text_size)] =
				hostile[random_below(&source, sizeof(hostile))];
		r = decode(text, text_size, &item, &item_size, &fault);
		if (r == 0) {
			n_taken++;
			assert_int_equal(encode(item, item_size, &again, &size, &fault), 0);
			free(again);
		}
		free(item);
		free(text);
	}
	assert_in_range(n_taken, 1000, 19000);
}

/* Decimal numbers as people write them, with up to nine places: written as they were read, and never longer. */
static void test_decimals(void **state)
{
	struct random_source source = { 12 };
	struct record_fault fault;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		unsigned places = 1 + random_below(&source, 9);
		uint64_t whole = random_next(&source) >> (34 + random_below(&source, 30));
		char text[64], expected[64], *again;
		unsigned char *item;
		size_t size, n;

		n = (size_t)sprintf(text, "%s%llu.%0*u", i % 2 ? "-" : "", (unsigned long long)(whole % 1000000),
				    (int)places,
				    random_below(&source, 1000000000) %
					    (places > 8 ? 1000000000 : (unsigned)(1 + 9 * places * 111)));
		assert_int_equal(decode(text, n, &item, &size, &fault), 0);
		strcpy(expected, text);
		while (n > 3 && expected[n - 1] == '0' && expected[n - 2] != '.')
			expected[--n] = '\0';
		assert_int_equal(encode(item, size, &again, &size, &fault), 0);
		if (strtod(text, NULL) != strtod(expected, NULL))
			fail_msg("%s is not %s", text, expected);
		again = realloc(again, size + 1);
		again[size] = '\0';
		if (strtod(again, NULL) != strtod(text, NULL) || size > n)
			fail_msg("%s is written as %s", text, again);
		free(again);
		free(item);
	}
}

/* Items of all lengths of head, and what costs the most room for its text. */
static void test_bounds(void **state)
{
	static const unsigned counts[] = { 0, 1, 15, 16, 17, 31, 32, 255, 256, 65535, 65536, 70000 };
	static const char *const elements[] = { "1.5", "1e5",  "-1",          "\"\"",     "[]",
						"{}",  "null", "\"\\u0001\"", "-9.5e-300" };
	struct record_fault fault;

	(void)state;
	for (size_t e = 0; e < sizeof(elements) / sizeof(elements[0]); e++)
		for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
			char *text = malloc(2 + (size_t)counts[c] * 12), *to = text, *again;
			size_t size, again_size;
			unsigned char *item;

			*to++ = '[';
			for (unsigned i = 0; i < counts[c]; i++) {
				if (i)
					*to++ = ',';
				memcpy(to, elements[e], strlen(elements[e]));
				to += strlen(elements[e]);
			}
			*to++ = ']';
			assert_int_equal(decode(text, (size_t)(to - text), &item, &size, &fault), 0);
			assert_int_equal(encode(item, size, &again, &again_size, &fault), 0);
			free(again);
			free(item);
			free(text);
		}
}

static char *nested(unsigned depth, size_t *ret_size)
{
	char *text = malloc(2 * (size_t)depth + 1);

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	*ret_size = 2 * (size_t)depth;
	return text;
}

/* Sixty-four levels are fine, one more is bad, and a million of them no matter. */
static void test_depth(void **state)
{
	static const unsigned depths[] = { RECORD_DEPTH_MAX, RECORD_DEPTH_MAX + 1, 1000000 };
	struct record_fault fault;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		size_t size, item_size;
		char *text = nested(depths[i], &size), *again;
		unsigned char *item;
		int r = decode(text, size, &item, &item_size, &fault);

		assert_int_equal(r, i ? RECORD_E_BAD : 0);
		if (i)
			assert_string_equal(fault.why, "byte 65: deeper than 64 levels");
		free(item);
		item = malloc(depths[i]);
		memset(item, 0x91, depths[i]);
		item[depths[i] - 1] = 0x90;
		assert_int_equal(encode(item, depths[i], &again, &size, &fault), i ? RECORD_E_BAD : 0);
		free(again);
		free(item);
		free(text);
	}
}

/* The names of an object as large as an item: with all of them twice, and with none. The last value of each counts. */
static void many_names(unsigned n, unsigned n_different)
{
	char *text = malloc(32 * (size_t)n), *to = text;
	struct record_fault fault;
	struct value_reader reader;
	struct value value;
	size_t size;
	unsigned char *item;

	*to++ = '{';
	for (unsigned i = 0; i < n; i++)
		to += sprintf(to, "%s\"name%u\":%u", i ? "," : "", i % n_different, i);
	*to++ = '}';
	assert_int_equal(decode(text, (size_t)(to - text), &item, &size, &fault), 0);
	value_reader_init(&reader, item, size);
	assert_int_equal(value_next(&reader, &value), 0);
	assert_int_equal(value.type, VALUE_MAP);
	assert_int_equal(value.n, n_different);
	for (unsigned i = n - n_different; i < n; i++) {
		char name[32];

		sprintf(name, "name%u", i % n_different);
		assert_int_equal(value_next(&reader, &value), 0);
		assert_int_equal(value.n, strlen(name));
		assert_memory_equal(value.data, name, value.n);
		assert_int_equal(value_next(&reader, &value), 0);
		assert_int_equal(value.number, i);
	}
	assert_ptr_equal(reader.next, reader.end);
	free(item);
	free(text);
}

static void test_names_that_come_twice(void **state)
{
	static const unsigned counts[][2] = {
		{ 2, 1 },  { 3, 2 },   { 12, 12 },  { 12, 5 },          { 13, 13 },
		{ 13, 1 }, { 40, 39 }, { 100, 50 }, { 200000, 100000 }, { 100000, 100000 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		many_names(counts[i][0], counts[i][1]);
}

/* Inside each other: the names of an outer object are none of the inner one. */
static void test_names_of_each_object(void **state)
{
	static const struct document_cell cells[2] = {
		{ "{\"a\":{\"a\":1,\"b\":{\"a\":2,\"a\":3}},\"b\":4,\"a\":{\"a\":5,\"a\":[{\"b\":6,\"b\":7}]}}", 66 },
		{ "{\"b\":4,\"a\":{\"a\":[{\"b\":7}]}}", 30 },
	};
	struct document_cell sized[2] = { cells[0], cells[1] };

	(void)state;
	sized[0].size_bytes = strlen(sized[0].data);
	sized[1].size_bytes = strlen(sized[1].data);
	there_and_back(sized);
}

/* Nothing is allocated once the scratch has grown. */
static void test_scratch_stays(void **state)
{
	void *before;

	(void)state;
	many_names(1000, 500);
	before = scratch.data;
	many_names(1000, 500);
	assert_ptr_equal(before, scratch.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_blank),
		cmocka_unit_test(test_random_values),
		cmocka_unit_test(test_random_damage),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_names_that_come_twice),
		cmocka_unit_test(test_names_of_each_object),
		cmocka_unit_test(test_scratch_stays),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	record_scratch_deinit(&scratch);
	return r;
}
