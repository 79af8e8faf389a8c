/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/processors.h"

static void assert_reads(const char *words, const char *expected)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	cpu_set_t set;

	CPU_ZERO(&set);
	assert_int_equal(processors_parse(words, &set), 0);
	processors_format(&set, &text);
	assert_string_equal(text_get(&text), expected);
}

static void test_lists_and_ranges(void **state)
{
	(void)state;
	assert_reads("0", "0");
	assert_reads("0-3", "0-3");
	assert_reads("4,0-1", "0-1,4");
	assert_reads("1,2,3,2-5", "1-5");
	assert_reads("7-7", "7");
	assert_reads("0-1023", "0-1023");
	assert_reads("1023", "1023");
}

static void test_what_is_no_list(void **state)
{
	static const char *const wrong[] = { "",    "-1",   "a",    "0-",     "3-1", "1,",    ",1",
					     "1 2", "1--2", "1024", "0-1024", "0x1", "1-2-3", "99999999999999999999" };
	cpu_set_t set;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(processors_parse(wrong[i], &set), PROCESSORS_E_BAD);
}

static void test_an_empty_set(void **state)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	cpu_set_t set;

	(void)state;
	CPU_ZERO(&set);
	processors_format(&set, &text);
	assert_int_equal(text.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_and_ranges),
		cmocka_unit_test(test_what_is_no_list),
		cmocka_unit_test(test_an_empty_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
