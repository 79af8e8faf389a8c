/* SPDX-License-Identifier: Apache-2.0 */
/* Where records end: of every format, in every kind of pieces, and what has no end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/record/cut.h"
#include "random_item.h"

/* Cuts a stream, handed over in pieces of so many bytes; returns how many records, whose sizes it notes. */
static unsigned cut_all(enum record_format format, const char *stream, size_t size, size_t piece, size_t *sizes,
			unsigned n_max, size_t *ret_rest)
{
	struct record_cut cut = { 0 };
	size_t at = 0, begin = 0, window = 0;
	unsigned n = 0;

	while (at < size) {
		size_t left = size - at, given, record = 0, used = 0;
		char *exact;
		int r;

		window = window < piece ? piece : window;
		given = left < window ? left : window;
		exact = memcpy(malloc(given), stream + at, given);
		r = record_cut(format, ',', &cut, exact, given, &record, &used);
		free(exact);
		assert_true(used <= given && record <= used);
		if (r == 0) {
			assert_true(n < n_max);
			assert_int_equal(cut.left | cut.skip_bytes, 0);
			sizes[n++] = at + record - begin;
			begin = at + used;
			window = 0;
		} else {
			assert_int_equal(r, RECORD_CUT_E_MORE);
			if (given == left)
				break;
			window = used ? 0 : window + piece; /* a head in pieces: more of it together */
		}
		at += used;
	}
	*ret_rest = size - begin;
	return n;
}

static void test_lines(void **state)
{
	static const char stream[] = "one\n\n\"two\nthree";
	size_t sizes[8], rest;

	(void)state;
	for (size_t piece = 1; piece < sizeof(stream); piece++) {
		assert_int_equal(cut_all(RECORD_JSON, stream, sizeof(stream) - 1, piece, sizes, 8, &rest), 3);
		assert_int_equal(sizes[0], 3);
		assert_int_equal(sizes[1], 0);
		assert_int_equal(sizes[2], 4);
		assert_int_equal(rest, 5);
	}
}

static void test_csv(void **state)
{
	static const char stream[] = "a,\"x\ny\"\nb,2\n\"";
	size_t sizes[8], rest;

	(void)state;
	for (size_t piece = 1; piece < sizeof(stream); piece++) {
		assert_int_equal(cut_all(RECORD_CSV, stream, sizeof(stream) - 1, piece, sizes, 8, &rest), 2);
		assert_int_equal(sizes[0], 7);
		assert_int_equal(sizes[1], 3);
		assert_int_equal(rest, 1);
	}
}

/* Random values one behind the other: found again, whatever the pieces. */
static void test_msgpack(void **state)
{
	struct random_source source = { 8 };
	static char stream[200 * RANDOM_ITEM_BYTES];
	size_t wanted[200], sizes[200], size = 0, rest;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		wanted[i] = random_item(&source, (unsigned char *)stream + size);
		size += wanted[i];
	}
	for (size_t piece = 1; piece < 5000; piece = piece * 2 + 1) {
		assert_int_equal(cut_all(RECORD_MSGPACK, stream, size, piece, sizes, 200, &rest), 200);
		assert_int_equal(rest, 0);
		for (unsigned i = 0; i < 200; i++)
			assert_int_equal(sizes[i], wanted[i]);
	}
	assert_int_equal(cut_all(RECORD_MSGPACK, stream, size - 1, 4096, sizes, 200, &rest), 199);
}

static void test_extensions(void **state)
{
	static const char stream[] = "\xd4\x01x\xc7\x02\x05xy\xc4\x01z\x92\xd5\x01xy\xc0";
	size_t sizes[8], rest;

	(void)state;
	for (size_t piece = 1; piece < sizeof(stream); piece++) {
		assert_int_equal(cut_all(RECORD_MSGPACK, stream, sizeof(stream) - 1, piece, sizes, 8, &rest), 4);
		assert_int_equal(sizes[0], 3);
		assert_int_equal(sizes[1], 5);
		assert_int_equal(sizes[2], 3);
		assert_int_equal(sizes[3], 6);
		assert_int_equal(rest, 0);
	}
}

/* No stream of values, and one that promises more than anybody has. */
static void test_lost(void **state)
{
	struct record_cut cut = { 0 };
	size_t record, used;

	(void)state;
	assert_int_equal(record_cut(RECORD_MSGPACK, ',', &cut, "\x92\x01\xc1", 3, &record, &used), RECORD_CUT_E_LOST);
	cut = (struct record_cut){ 0 };
	for (unsigned i = 0; i < 300; i++)
		if (record_cut(RECORD_MSGPACK, ',', &cut, "\xdf\xff\xff\xff\xff", 5, &record, &used) ==
		    RECORD_CUT_E_LOST)
			return;
	fail_msg("a trillion values are still waited for");
}

static void test_short(void **state)
{
	size_t record, used;

	(void)state;
	record_cut_short(RECORD_CSV, "\"open\nnext\n", 11, &record, &used);
	assert_int_equal(record, 5);
	assert_int_equal(used, 6);
	record_cut_short(RECORD_CSV, "\"open", 5, &record, &used);
	assert_int_equal(record, 5);
	assert_int_equal(used, 5);
	record_cut_short(RECORD_MSGPACK, "\x92\n\n", 3, &record, &used);
	assert_int_equal(record, 3);
	assert_int_equal(used, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),      cmocka_unit_test(test_csv),  cmocka_unit_test(test_msgpack),
		cmocka_unit_test(test_extensions), cmocka_unit_test(test_lost), cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
