/* SPDX-License-Identifier: Apache-2.0 */
/* MessagePack as a format, and plain text: the tables of the document, random values, and every cut of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/json.h"
#include "common/record/msgpack_format.h"
#include "common/record/value.h"
#include "document.h"
#include "random_item.h"

static void bad_record(const struct document_cell *cells)
{
	unsigned char *exact = memcpy(malloc(cells[0].size_bytes + 1), cells[0].data, cells[0].size_bytes);
	struct record_fault fault = { "" };

	assert_int_equal(msgpack_format_check(exact, cells[0].size_bytes, &fault), RECORD_E_BAD);
	assert_string_equal(fault.why, cells[1].data);
	free(exact);
}

static void test_document(void **state)
{
	(void)state;
	assert_true(document_rows("MessagePack: bad records", bad_record) >= 10);
}

/* Each whole value is fine; cut off anywhere, or with a byte behind it, it is bad. */
static void test_random_values(void **state)
{
	struct random_source source = { 5 };
	unsigned char room[RANDOM_ITEM_BYTES];
	struct record_fault fault;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		size_t size = random_item(&source, room), cut = random_below(&source, (uint32_t)size);
		unsigned char *exact = memcpy(malloc(size + 1), room, size);
		struct value_reader reader;

		assert_int_equal(msgpack_format_check(exact, size, &fault), 0);
		value_reader_init(&reader, exact, size);
		assert_int_equal(value_skip(&reader), 0);
		assert_ptr_equal(reader.next, reader.end);
		exact[size] = 1;
		assert_int_equal(msgpack_format_check(exact, size + 1, &fault), RECORD_E_BAD);
		free(exact);
		exact = memcpy(malloc(cut + 1), room, cut);
		assert_int_equal(msgpack_format_check(exact, cut, &fault), RECORD_E_BAD);
		free(exact);
	}
}

/* Every head that there is, and what it is read as. */
static void head(const char *bytes, size_t size, enum value_type type, uint64_t number, uint32_t n)
{
	struct value_reader reader;
	struct value value;

	value_reader_init(&reader, bytes, size);
	assert_int_equal(value_next(&reader, &value), 0);
	assert_int_equal(value.type, type);
	assert_true(value.number == number);
	assert_int_equal(value.n, n);
	for (size_t cut = 0; cut < size; cut++) {
		value_reader_init(&reader, bytes, cut);
		assert_int_equal(value_next(&reader, &value), VALUE_E_TRUNCATED);
		assert_ptr_equal(reader.next, bytes);
	}
}
#define HEAD(bytes_, type_, number_, n_) head(bytes_, sizeof(bytes_) - 1, VALUE_##type_, (uint64_t)(number_), n_)

static void test_heads(void **state)
{
	(void)state;
	HEAD("\x00", UNSIGNED, 0, 0);
	HEAD("\x7f", UNSIGNED, 127, 0);
	HEAD("\xff", NEGATIVE, -1, 0);
	HEAD("\xe0", NEGATIVE, -32, 0);
	HEAD("\xc0", NIL, 0, 0);
	HEAD("\xc2", BOOLEAN, 0, 0);
	HEAD("\xc3", BOOLEAN, 1, 0);
	HEAD("\xcc\xff", UNSIGNED, 255, 0);
	HEAD("\xcd\x01\x02", UNSIGNED, 0x102, 0);
	HEAD("\xce\x01\x02\x03\x04", UNSIGNED, 0x1020304, 0);
	HEAD("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", UNSIGNED, UINT64_MAX, 0);
	HEAD("\xd0\x80", NEGATIVE, -128, 0);
	HEAD("\xd0\x7f", UNSIGNED, 127, 0);
	HEAD("\xd1\x80\x00", NEGATIVE, -32768, 0);
	HEAD("\xd2\x80\x00\x00\x00", NEGATIVE, INT32_MIN, 0);
	HEAD("\xd3\x80\x00\x00\x00\x00\x00\x00\x00", NEGATIVE, INT64_MIN, 0);
	HEAD("\xa2hi", STRING, 2, 2);
	HEAD("\xd9\x01h", STRING, 1, 1);
	HEAD("\xda\x00\x01h", STRING, 1, 1);
	HEAD("\xdb\x00\x00\x00\x01h", STRING, 1, 1);
	HEAD("\xc4\x01h", BINARY, 1, 1);
	HEAD("\xc5\x00\x01h", BINARY, 1, 1);
	HEAD("\xc6\x00\x00\x00\x01h", BINARY, 1, 1);
	HEAD("\xd4\xffh", EXTENSION, -1, 1);
	HEAD("\xd5\x05hi", EXTENSION, 5, 2);
	HEAD("\xd6\x05hihi", EXTENSION, 5, 4);
	HEAD("\xd7\x05hihihihi", EXTENSION, 5, 8);
	HEAD("\xd8\x05hihihihihihihihi", EXTENSION, 5, 16);
	HEAD("\xc7\x01\x05h", EXTENSION, 5, 1);
	HEAD("\xc8\x00\x01\x05h", EXTENSION, 5, 1);
	HEAD("\xc9\x00\x00\x00\x01\x05h", EXTENSION, 5, 1);
	HEAD("\x91\x01", ARRAY, 1, 1);
	HEAD("\xdc\x00\x01\x01", ARRAY, 1, 1);
	HEAD("\xdd\x00\x00\x00\x01\x01", ARRAY, 1, 1);
	HEAD("\x81\x01\x01", MAP, 1, 1);
	HEAD("\xde\x00\x01\x01\x01", MAP, 1, 1);
	HEAD("\xdf\x00\x00\x00\x01\x01\x01", MAP, 1, 1);
}

static void test_reals(void **state)
{
	struct value_reader reader;
	struct value value;

	(void)state;
	value_reader_init(&reader, "\xca\xbf\xc0\x00\x00\xcb\x40\x04\x00\x00\x00\x00\x00\x00", 14);
	assert_int_equal(value_next(&reader, &value), 0);
	assert_true(value.type == VALUE_DOUBLE && value.real == -1.5);
	assert_int_equal(value_next(&reader, &value), 0);
	assert_true(value.type == VALUE_DOUBLE && value.real == 2.5);
}

/* A head that promises what is not there costs nothing. */
static void test_promises(void **state)
{
	static const char *const promises[] = { "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff",
						"\xc9\xff\xff\xff\xff" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct value_reader reader;
		struct value value;

		value_reader_init(&reader, promises[i], 5);
		assert_int_equal(value_next(&reader, &value), VALUE_E_TRUNCATED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document), cmocka_unit_test(test_random_values), cmocka_unit_test(test_heads),
		cmocka_unit_test(test_reals),    cmocka_unit_test(test_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
