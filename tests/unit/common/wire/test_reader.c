/* SPDX-License-Identifier: Apache-2.0 */
/* The in-place reader: every width that msgpack-c writes, limits, and that a refused value is not taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>

#include "common/wire/reader.h"

struct fixture {
	msgpack_sbuffer buffer;
	msgpack_packer packer;
};

static void begin(struct fixture *fixture)
{
	msgpack_sbuffer_init(&fixture->buffer);
	msgpack_packer_init(&fixture->packer, &fixture->buffer, msgpack_sbuffer_write);
}

static struct reader reader_of(const struct fixture *fixture)
{
	struct reader reader;

	reader_init(&reader, fixture->buffer.data, fixture->buffer.size);
	return reader;
}

static void test_integers(void **state)
{
	static const int64_t edges[] = {
		0,          1,
		127,        128,
		255,        256,
		32767,      32768,
		65535,      65536,
		INT32_MAX,  (int64_t)INT32_MAX + 1,
		UINT32_MAX, (int64_t)UINT32_MAX + 1,
		INT64_MAX,  -1,
		-32,        -33,
		-128,       -129,
		-32768,     -32769,
		INT32_MIN,  (int64_t)INT32_MIN - 1,
		INT64_MIN,
	};
	struct fixture fixture;
	struct reader reader;
	uint64_t natural = 0;
	int64_t whole = 0;

	(void)state;
	begin(&fixture);
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		msgpack_pack_int64(&fixture.packer, edges[i]);
	msgpack_pack_uint64(&fixture.packer, UINT64_MAX);
	reader = reader_of(&fixture);
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		struct reader before = reader;

		if (edges[i] < 0) {
			assert_int_equal(reader_unsigned(&reader, &natural), READER_E_BAD);
			assert_ptr_equal(reader.next, before.next);
		} else {
			assert_int_equal(reader_unsigned(&reader, &natural), 0);
			assert_true(natural == (uint64_t)edges[i]);
			reader = before;
		}
		assert_int_equal(reader_signed(&reader, &whole), 0);
		assert_true(whole == edges[i]);
	}
	assert_int_equal(reader_signed(&reader, &whole), READER_E_BAD);
	assert_int_equal(reader_unsigned(&reader, &natural), 0);
	assert_true(natural == UINT64_MAX && reader_at_end(&reader));
	assert_int_equal(reader_unsigned(&reader, &natural), READER_E_BAD);
	msgpack_sbuffer_destroy(&fixture.buffer);
}

static void test_bytes_and_counts(void **state)
{
	static const size_t sizes[] = { 0, 1, 31, 32, 255, 256, 65535, 65536 };
	static char bytes[65536];
	struct fixture fixture;
	struct reader reader;
	const char *data;
	size_t n;
	uint32_t count;
	bool flag = false;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		begin(&fixture);
		msgpack_pack_array(&fixture.packer, sizes[i]);
		msgpack_pack_str(&fixture.packer, sizes[i]);
		msgpack_pack_str_body(&fixture.packer, bytes, sizes[i]);
		msgpack_pack_bin(&fixture.packer, sizes[i]);
		msgpack_pack_bin_body(&fixture.packer, bytes, sizes[i]);
		msgpack_pack_true(&fixture.packer);
		msgpack_pack_nil(&fixture.packer);
		reader = reader_of(&fixture);
		assert_int_equal(reader_array(&reader, &count), 0);
		assert_int_equal(count, sizes[i]);
		assert_int_equal(reader_binary(&reader, &data, &n), READER_E_BAD);
		assert_int_equal(reader_string(&reader, &data, &n), 0);
		assert_int_equal(n, sizes[i]);
		assert_int_equal(reader_string(&reader, &data, &n), READER_E_BAD);
		assert_int_equal(reader_binary(&reader, &data, &n), 0);
		assert_int_equal(n, sizes[i]);
		assert_int_equal(reader_nil(&reader), READER_E_BAD);
		assert_int_equal(reader_boolean(&reader, &flag), 0);
		assert_true(flag);
		assert_int_equal(reader_boolean(&reader, &flag), READER_E_BAD);
		assert_int_equal(reader_nil(&reader), 0);
		assert_true(reader_at_end(&reader));
		msgpack_sbuffer_destroy(&fixture.buffer);
	}
	/* an array may not claim more values than there are bytes */
	reader_init(&reader, "\x92\x01", 2);
	assert_int_equal(reader_array(&reader, &count), READER_E_BAD);
	reader_init(&reader, "\x91\x01", 2);
	assert_int_equal(reader_array(&reader, &count), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_integers), cmocka_unit_test(test_bytes_and_counts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
