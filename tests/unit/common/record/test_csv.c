/* SPDX-License-Identifier: Apache-2.0 */
/* CSV: the tables of the document, random records there and back with any separator, and where a record ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/csv.h"
#include "common/record/json.h"
#include "document.h"
#include "random_item.h"

static struct csv_names names; /* a, b */
static struct record_scratch scratch;

static int decode(const struct csv_names *of, char separator, const char *text, size_t size, unsigned char **ret_item,
		  size_t *ret_size, struct record_fault *fault)
{
	char *exact = memcpy(malloc(size ? size : 1), text, size);
	int r;

	*ret_item = malloc(csv_decode_bound(of, size));
	r = csv_decode(of, separator, exact, size, *ret_item, ret_size, fault);
	free(exact);
	return r;
}

static int encode(const struct csv_names *of, char separator, const void *item, size_t size, char **ret_text,
		  size_t *ret_size, struct record_fault *fault)
{
	unsigned char *exact = memcpy(malloc(size ? size : 1), item, size);
	int r;

	*ret_text = malloc(csv_encode_bound(of, size));
	r = csv_encode(of, separator, exact, size, *ret_text, ret_size, fault);
	free(exact);
	return r;
}

static void assert_same(const char *what, const char *text, size_t size, const struct document_cell *expected)
{
	if (size != expected->size_bytes || memcmp(text, expected->data, size) != 0)
		fail_msg("'%s' becomes '%.*s', not '%s'", what, (int)size, text, expected->data);
}

static void there_and_back(const struct document_cell *cells)
{
	struct record_fault fault;
	unsigned char *item;
	char *json, *text = NULL;
	size_t size, json_size, text_size;

	if (decode(&names, ',', cells[0].data, cells[0].size_bytes, &item, &size, &fault) != 0)
		fail_msg("'%s' is bad: %s", cells[0].data, fault.why);
	json = malloc(json_encode_bound(size));
	assert_int_equal(json_encode(item, size, json, &json_size, &fault), 0);
	assert_same(cells[0].data, json, json_size, &cells[1]);
	if (encode(&names, ',', item, size, &text, &text_size, &fault) != 0)
		fail_msg("'%s' can't be written: %s", cells[0].data, fault.why);
	assert_same(cells[0].data, text, text_size, &cells[2]);
	free(item);
	free(json);
	free(text);
}

static void bad_record(const struct document_cell *cells)
{
	struct record_fault fault = { "" };
	unsigned char *item;
	size_t size;

	assert_int_equal(decode(&names, ',', cells[0].data, cells[0].size_bytes, &item, &size, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, cells[1].data);
	free(item);
}

static void bad_header(const struct document_cell *cells)
{
	struct csv_names found = { 0 };
	struct record_fault fault = { "" };

	assert_int_equal(csv_decode_names(',', cells[0].data, cells[0].size_bytes, &found, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, cells[1].data);
	assert_int_equal(found.n, 0);
	csv_names_deinit(&found);
}

static void bad_item(const struct document_cell *cells)
{
	struct record_fault fault = { "" };
	unsigned char item[256];
	char *text;
	size_t size;

	assert_int_equal(json_decode(&scratch, cells[0].data, cells[0].size_bytes, item, &size, &fault), 0);
	assert_int_equal(encode(&names, ',', item, size, &text, &size, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, cells[1].data);
	free(text);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows("CSV: what becomes of it", there_and_back) >= 7);
	assert_true(document_rows("CSV: bad records", bad_record) >= 10);
	assert_true(document_rows("CSV: headers that can't be used", bad_header) >= 3);
	assert_true(document_rows("CSV: items that it can't say", bad_item) >= 6);
}

/* An item, as JSON, in the columns a and b. */
static void written(const char *json, const char *expected)
{
	struct record_fault fault;
	unsigned char item[256];
	char *text;
	size_t size;

	assert_int_equal(json_decode(&scratch, json, strlen(json), item, &size, &fault), 0);
	if (encode(&names, ',', item, size, &text, &size, &fault) != 0)
		fail_msg("%s can't be written: %s", json, fault.why);
	if (size != strlen(expected) || memcmp(text, expected, size) != 0)
		fail_msg("%s is written as '%.*s', not '%s'", json, (int)size, text, expected);
	free(text);
}

static void test_columns(void **state)
{
	(void)state;
	written("{\"a\":1,\"b\":2}", "1,2");
	written("{\"b\":2,\"a\":1}", "1,2");
	written("{\"x\":{\"a\":9},\"b\":-2.5,\"y\":[[]],\"a\":true,\"z\":0}", "true,-2.5");
	written("{\"b\":null}", ",");
	written("{\"b\":\"x\"}", ",x");
	written("{}", ",");
	written("[1,\"\\r\"]", "1,\"\r\"");
	written("[false,18446744073709551615]", "false,18446744073709551615");
}

static void test_blank(void **state)
{
	struct record_fault fault;
	unsigned char *item;
	size_t size;

	(void)state;
	assert_int_equal(decode(&names, ',', "", 0, &item, &size, &fault), RECORD_E_EMPTY);
	free(item);
	assert_int_equal(decode(&names, ',', "\r", 1, &item, &size, &fault), RECORD_E_EMPTY);
	free(item);
}

/* Random fields, quoted or not, of a random number of columns: the same strings come back, and the cut finds the same end. */
static void test_random_records(void **state)
{
	static const char separators[] = ",;\t|:";
	struct random_source source = { 23 };

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct csv_names of = { 0 };
		char separator = separators[random_below(&source, 5)], name[16], *text, *again;
		unsigned n = 1 + random_below(&source, random_below(&source, 20) ? 6 : 40);
		unsigned char room[RANDOM_ITEM_BYTES], *item;
		struct record_fault fault;
		struct csv_cut cut = { 0 };
		size_t size = 0, text_size, again_size, end;

		for (unsigned i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "%u", i);
			assert_true(csv_names_add(&of, name, strlen(name)));
			assert_false(csv_names_add(&of, name, strlen(name)));
		}
		/* an array of strings, as JSON reads it */
		{
			char field[200], *json = malloc(n * 1300 + 16), *to = json;

			*to++ = '[';
			for (unsigned i = 0; i < n; i++) {
				unsigned char packed[208];
				size_t field_size = random_text(&source, 40, field), json_size;

				packed[0] = 0xd9;
				packed[1] = (unsigned char)field_size;
				memcpy(packed + 2, field, field_size);
				if (i)
					*to++ = ',';
				assert_int_equal(json_encode(packed, field_size + 2, to, &json_size, &fault), 0);
				to += json_size;
			}
			*to++ = ']';
			assert_int_equal(json_decode(&scratch, json, (size_t)(to - json), room, &size, &fault), 0);
			free(json);
		}
		assert_int_equal(encode(&of, separator, room, size, &text, &text_size, &fault), 0);
		end = csv_cut_find(&cut, separator, text, text_size);
		assert_int_equal(end, text_size);
		assert_int_equal(csv_cut_find(&cut, separator, "\n", 1), 0);
		assert_int_equal(cut.state, 0);
		if (decode(&of, separator, text, text_size, &item, &size, &fault) != 0)
			fail_msg("round %u: '%.*s' is bad: %s", round, (int)text_size, text, fault.why);
		assert_int_equal(encode(&of, separator, item, size, &again, &again_size, &fault), 0);
		assert_int_equal(again_size, text_size);
		assert_memory_equal(again, text, text_size);
		free(item);
		free(again);
		csv_names_deinit(&of);
		/* without names it is the array again */
		assert_int_equal(decode(&of, separator, text, text_size, &item, &again_size, &fault), 0);
		assert_memory_equal(item, room, again_size);
		free(item);
		free(text);
	}
}

/* Damage anywhere: taken or bad, never more than the room. */
static void test_random_damage(void **state)
{
	static const char hostile[] = "\"\",,\r\n a\xff\xc3";
	struct random_source source = { 99 };
	struct record_fault fault;
	unsigned n_taken = 0;

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		char text[64];
		unsigned char *item;
		size_t size = random_below(&source, sizeof(text)), item_size;
		int r;

		for (size_t at = 0; at < size; at++)
			text[at] = hostile[random_below(&source, i % 2 ? 7 : sizeof(hostile) - 1)];
		r = decode(&names, ',', text, size, &item, &item_size, &fault);
		n_taken += r == 0;
		free(item);
	}
	assert_in_range(n_taken, 10, 49000);
}

/* The bytes of a stream in any pieces: the ends are the same. */
static void test_cut(void **state)
{
	static const char stream[] = "a,b\n\"1\n2\",\"\"\"\n\"\n5\" pipe,x\n\"\",\"\"\n\n\"open\n";
	static const size_t ends[] = { 3, 15, 25, 31, 32 };

	(void)state;
	for (size_t piece = 1; piece < sizeof(stream); piece++) {
		struct csv_cut cut = { 0 };
		size_t n = 0;

		for (size_t at = 0; at < sizeof(stream) - 1;) {
			size_t left = sizeof(stream) - 1 - at, size = left < piece ? left : piece;
			size_t found = csv_cut_find(&cut, ',', stream + at, size);

			if (found < size) {
				assert_true(n < 5);
				assert_int_equal(at + found, ends[n++]);
				found++;
			}
			at += found;
		}
		assert_int_equal(n, 5);
		assert_int_not_equal(cut.state, 0);
	}
}

static void test_names(void **state)
{
	struct csv_names found = { 0 };
	struct record_fault fault;
	char room[64];

	(void)state;
	assert_int_equal(csv_decode_names(';', "id;\"a;b\";\"say \"\"ah\"\"\";;\r", 24, &found, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, "two columns have the name ''");
	assert_int_equal(csv_decode_names(';', "id;\"a;b\";\"say \"\"ah\"\"\";\r", 23, &found, &fault), 0);
	assert_int_equal(found.n, 4);
	assert_true(csv_encode_names(&found, ';', room) == 22);
	assert_memory_equal(room, "id;\"a;b\";\"say \"\"ah\"\"\";", 22);
	csv_names_deinit(&found);
	assert_int_equal(csv_decode_names(',', "", 0, &found, &fault), RECORD_E_EMPTY);
	assert_true(csv_names_add(&found, "", 0));
	assert_int_equal(csv_encode_names(&found, ',', room), 2); /* a blank line would name nothing */
	csv_names_deinit(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),      cmocka_unit_test(test_columns),
		cmocka_unit_test(test_blank),         cmocka_unit_test(test_random_records),
		cmocka_unit_test(test_random_damage), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_names),
	};
	int r;

	(void)csv_names_add(&names, "a", 1);
	(void)csv_names_add(&names, "b", 1);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	csv_names_deinit(&names);
	record_scratch_deinit(&scratch);
	return r;
}
