/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/traceparent.h"

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void test_read_and_written(void **state)
{
	struct traceparent traceparent;
	char text[TRACEPARENT_SIZE];

	(void)state;
	assert_true(traceparent_parse(GOOD, strlen(GOOD), &traceparent));
	assert_true(traceparent.trace_high == UINT64_C(0x4bf92f3577b34da6) &&
		    traceparent.trace_low == UINT64_C(0xa3ce929d0e0e4736) &&
		    traceparent.parent == UINT64_C(0x00f067aa0ba902b7) && traceparent.flags == TRACEPARENT_SAMPLED);
	traceparent_format(&traceparent, text);
	assert_string_equal(text, GOOD);
}

static void test_what_is_none(void **state)
{
	static const char *const rows[] = {
		"",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",  /* cut */
		GOOD "0",                                                  /* longer, in version 00 */
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", /* capitals */
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bx-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01", /* of nobody */
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
	};
	static const char later[] = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
	struct traceparent traceparent;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (traceparent_parse(rows[i], strlen(rows[i]), &traceparent))
			fail_msg("'%s'", rows[i]);
	assert_true(traceparent_parse(later, strlen(later), &traceparent));
}

/* The same for the same item in the same stage, another for any other. */
static void test_spans(void **state)
{
	struct traceparent one = { 1, 2, 3, 1 }, other = { 1, 2, 4, 1 };
	uint64_t span = traceparent_span(&one, "price", 7, 41);

	(void)state;
	assert_int_equal(traceparent_span(&one, "price", 7, 41), span);
	assert_int_not_equal(traceparent_span(&other, "price", 7, 41), span);
	assert_int_not_equal(traceparent_span(&one, "write", 7, 41), span);
	assert_int_not_equal(traceparent_span(&one, "price", 8, 41), span);
	assert_int_not_equal(traceparent_span(&one, "price", 7, 42), span);
	assert_int_not_equal(span, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_and_written),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
