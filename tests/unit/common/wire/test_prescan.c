/* SPDX-License-Identifier: Apache-2.0 */
/* The look before unpacking: each finding, and that whatever it lets through msgpack's own unpacker takes, without surprise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <msgpack/object.h>
#include <msgpack/unpack.h>

#include "common/base/cleanup.h"
#include "common/wire/prescan.h"

#define BYTES(string_) string_, sizeof(string_) - 1

static const struct {
	const char *bytes;
	size_t size_bytes;
	int expected;
} cases[] = {
	{ BYTES("\x00"), 0 },
	{ BYTES("\x7f"), 0 },
	{ BYTES("\xff"), 0 },
	{ BYTES("\xc0"), 0 },
	{ BYTES("\xc2"), 0 },
	{ BYTES("\xca\0\0\0\0"), 0 },
	{ BYTES("\xcb\0\0\0\0\0\0\0\0"), 0 },
	{ BYTES("\xcf\1\2\3\4\5\6\7\x8"), 0 },
	{ BYTES("\xd3\1\2\3\4\5\6\7"), PRESCAN_E_TRUNCATED },
	{ BYTES("\x90"), 0 },
	{ BYTES("\x80"), 0 },
	{ BYTES("\x81\xa1k\x01"), 0 },
	{ BYTES("\x81\xa1k"), PRESCAN_E_TRUNCATED },
	{ BYTES("\xde\x00\x01\x01\x02"), 0 },
	{ BYTES("\xdc\x00\x02\x01\x02"), 0 },
	{ BYTES("\xdc\x00\x02\x01"), PRESCAN_E_TRUNCATED },
	{ BYTES("\xdd\x04\0\0\0"), PRESCAN_E_TRUNCATED },
	{ BYTES("\xdf\xff\xff\xff\xff\0\0"), PRESCAN_E_TRUNCATED },
	{ BYTES("\xdb\xff\xff\xff\xff"
		"a"),
	  PRESCAN_E_TRUNCATED },
	{ BYTES("\xc6\0\0\0\x02"
		"a"),
	  PRESCAN_E_TRUNCATED },
	{ BYTES("\xa3"
		"abc"),
	  0 },
	{ BYTES("\xd9\x03"
		"abc"),
	  0 },
	{ BYTES("\xc4\x02\0\xff"), 0 },
	{ BYTES("\xa2"
		"a\0"),
	  PRESCAN_E_TEXT },
	{ BYTES("\xa1\xff"), PRESCAN_E_TEXT },
	{ BYTES("\xc1"), PRESCAN_E_TYPE },
	{ BYTES("\xd4\x01\x02"), PRESCAN_E_TYPE },
	{ BYTES("\xc7\x01\x01\x02"), PRESCAN_E_TYPE },
	{ BYTES("\x01\x02"), PRESCAN_E_TRAILING },
	{ BYTES("\x90\x90"), PRESCAN_E_TRAILING },
	{ BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x01"), 0 },
	{ BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01"), PRESCAN_E_TOO_DEEP },
	{ BYTES("\x92\x90\x91\x90"), 0 },
};

static void test_findings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (prescan(cases[i].bytes, cases[i].size_bytes, 64) != cases[i].expected)
			fail_msg("case %zu: %d, expected %d", i, prescan(cases[i].bytes, cases[i].size_bytes, 64),
				 cases[i].expected);
	assert_int_equal(prescan("", 0, 64), PRESCAN_E_TRUNCATED);
	assert_int_equal(prescan(BYTES("\xa3"
				       "abc"),
				 3),
			 PRESCAN_E_TOO_LONG);
}

/* Documents that prescan accepts are small for the unpacker too, and end where it says. */
static void test_unpacker_agrees(void **state)
{
	unsigned n_well = 0;
	uint64_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		size_t size_bytes = 1 + seed % 24, offset = 0;
		_cleanup_(free) unsigned char *data = malloc(size_bytes);
		msgpack_unpacked unpacked;

		assert_non_null(data);
		for (size_t i = 0; i < size_bytes; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			/* small arrays, maps and strings more often than chance has it */
			data[i] = (unsigned char)(seed >> 60 < 6 ? 0x80 | (seed >> 40 & 0x23) : seed >> 33);
		}
		seed ^= seed >> 29;
		if (prescan(data, size_bytes, 64))
			continue;
		n_well++;
		msgpack_unpacked_init(&unpacked);
		assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)data, size_bytes, &offset),
				 MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(offset, size_bytes);
		msgpack_unpacked_destroy(&unpacked);
	}
	assert_in_range(n_well, 1000, 200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_findings), cmocka_unit_test(test_unpacker_agrees) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
