/* SPDX-License-Identifier: Apache-2.0 */
/* One value against its option: what is taken, as which number, and what is said about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/base/text.h"
#include "common/stage/registry.h"

static void expect(const struct weir_option *option, const char *value, int64_t number, const char *reason)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int64_t got = -77;
	int r = stage_option_check(option, value, &got, &why);

	if (reason) {
		assert_int_equal(r, STAGE_E_BAD_VALUE);
		assert_string_equal(text_get(&why), reason);
		assert_int_equal(got, -77); /* untouched */
	} else {
		assert_int_equal(r, 0);
		assert_int_equal(got, number);
		assert_int_equal(stage_option_check(option, value, NULL, &why), 0);
		assert_int_equal(why.length, 0);
	}
}

static void test_quantities(void **state)
{
	const struct weir_option integer = { .type = WEIR_TYPE_INTEGER, .minimum = 1, .maximum = 64 };
	const struct weir_option size = { .type = WEIR_TYPE_SIZE, .minimum = 65536, .maximum = 67108864 };
	const struct weir_option duration = { .type = WEIR_TYPE_DURATION,
					      .minimum = 1000000,
					      .maximum = INT64_C(86400000000000) };
	const struct weir_option rate = { .type = WEIR_TYPE_RATE, .minimum = 1, .maximum = INT64_MAX };
	const struct weir_option key = { .type = WEIR_TYPE_KEY };
	const struct weir_option share = { .type = WEIR_TYPE_SHARE, .minimum = 1000, .maximum = 1000000000 };
	const struct weir_option free_integer = { .type = WEIR_TYPE_INTEGER };
	const struct weir_option below = { .type = WEIR_TYPE_INTEGER, .minimum = -5, .maximum = 5 };

	(void)state;
	expect(&integer, "64", 64, NULL);
	expect(&integer, "65", 0, "is out of range: expected 1 to 64");
	expect(&integer, "-1", 0, "is negative");
	expect(&integer, "4x", 0, "is wrong: expected a whole number such as 100 or 10k");
	expect(&integer, "1.5", 0, "is wrong: expected a whole number such as 100 or 10k");
	expect(&free_integer, "1.5k", 1500, NULL);
	expect(&free_integer, "1.1M", 1100000, NULL);
	expect(&free_integer, "1.0005k", 0, "is wrong: expected a whole number such as 100 or 10k");
	expect(&integer, "", 0, "is wrong: expected a whole number such as 100 or 10k");
	expect(&free_integer, "9223372036854775807", INT64_MAX, NULL);
	expect(&free_integer, "9223372036854775808", 0, "is wrong: expected a whole number such as 100 or 10k");
	expect(&below, "-5", -5, NULL);
	expect(&below, "-6", 0, "is out of range: expected -5 to 5");
	expect(&size, "1MiB", 1048576, NULL);
	expect(&size, "1KiB", 0, "is out of range: expected 64KiB to 64MiB");
	expect(&duration, "30s", INT64_C(30000000000), NULL);
	expect(&duration, "30", 0, "is wrong: expected a duration such as 500ms, 30s or 5m; the unit is missing: 30s?");
	expect(&duration, "25h", 0, "is out of range: expected 1ms to 24h");
	expect(&rate, "60/m", 1, NULL);
	expect(&rate, "7200/h", 2, NULL);
	expect(&rate, "1/m", 0, "is no whole number of items a second, which is the slowest and the finest there is");
	expect(&rate, "90/m", 0, "is no whole number of items a second, which is the slowest and the finest there is");
	expect(&rate, "0", 0, "is out of range: expected at least 1/s");
	expect(&share, "10%", 100000000, NULL);
	expect(&share, "0.25", 250000000, NULL);
	expect(&share, "1", 1000000000, NULL);
	expect(&share, "0.0001 %", 1000, NULL);
	expect(&share, "10", 0, "is out of range: expected 0.0001% to 100%");
	expect(&key, ".a.b[0]", -77, NULL);
	expect(&key, "field(2)", -77, NULL);
	expect(&key, "field(0)", 0, "is wrong at '0)': expected the number of a field, from 1 on");
	expect(&key, ".a[", 0, "ends too early: expected an index such as [0], or a name such as [\"a b\"]");
	expect(&share, "0", 0, "is out of range: expected 0.0001% to 100%");
	expect(&share, "-5%", 0, "is negative");
	expect(&share, "half", 0, "is wrong: expected a share such as 10% or 0.25");
	expect(&share, "1/3", 0, "is wrong: expected a share such as 10% or 0.25");
}

static void test_words(void **state)
{
	const struct weir_option choice = { .type = WEIR_TYPE_CHOICE, .choices = "reject|cut|fail" };
	const struct weir_option boolean = { .type = WEIR_TYPE_BOOLEAN };
	const struct weir_option path = { .type = WEIR_TYPE_PATH }, string = { .type = WEIR_TYPE_STRING },
				 command = { .type = WEIR_TYPE_COMMAND };
	const struct weir_option codes = { .type = WEIR_TYPE_LIST, .minimum = 0, .maximum = 255 };
	const struct weir_option map = { .type = WEIR_TYPE_MAP };
	const struct weir_option unknown = { .type = (enum weir_option_type)77 };
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	(void)state;
	expect(&choice, "reject", 0, NULL);
	expect(&choice, "fail", 2, NULL);
	expect(&choice, "fai", 0, "is unknown: expected reject, cut or fail");
	expect(&choice, "cut|fail", 0, "is unknown: expected reject, cut or fail");
	expect(&choice, "", 0, "is unknown: expected reject, cut or fail");
	expect(&boolean, "true", 1, NULL);
	expect(&boolean, "off", 0, NULL);
	expect(&boolean, "maybe", 0, "is wrong: expected true or false");
	expect(&path, "", 0, "is empty: expected a path");
	expect(&command, "", 0, "is empty: expected a command");
	expect(&codes, "255", 255, NULL);
	expect(&codes, "256", 0, "is out of range: expected 0 to 255");
	expect(&map, "x", 0, "is a word: expected a map such as {name: text}");
	expect(&unknown, "x", 0, "has a type that this weir does not know");
	assert_int_equal(stage_option_check(&string, "", NULL, &why), 0);
	assert_int_equal(stage_option_check(&path, "a b", NULL, &why), 0);
}

/* Every table is whole: texts, defaults that pass their own check, names used once. */
static void test_descriptors(void **state)
{
	(void)state;
	assert_true(n_stage_descriptors >= 36);
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		const struct weir_stage *stage = stage_descriptors[i];

		assert_ptr_equal(stage_descriptor_find(stage->role, stage->name), stage);
		assert_int_equal(stage->abi, WEIR_STAGE_ABI);
		assert_int_equal(stage->size_bytes, sizeof(*stage));
		assert_true(stage->cursor_size_bytes <= WEIR_CURSOR_SIZE_MAX && stage->n_spools <= WEIR_SPOOLS_MAX);
		assert_true(stage->summary[0] && stage->description[0]);
		assert_null(stage->open);
		for (size_t j = 0; j < stage->n_options; j++) {
			const struct weir_option *option = &stage->options[j];
			_cleanup_(text_deinit) struct text why = TEXT_NULL;

			assert_true(option->summary[0] && option->example[0]);
			assert_false(option->required && option->fallback);
			if (option->fallback)
				assert_int_equal(stage_option_check(option, option->fallback, NULL, &why), 0);
			if (option->type != WEIR_TYPE_LIST && option->type != WEIR_TYPE_COMMAND &&
			    option->type != WEIR_TYPE_MAP && option->example[0] != '\'')
				assert_int_equal(stage_option_check(option, option->example, NULL, &why), 0);
			for (size_t k = 0; k < j; k++)
				assert_string_not_equal(option->name, stage->options[k].name);
		}
	}
	assert_null(stage_descriptor_find(WEIR_OPERATOR, "file"));
	assert_null(stage_descriptor_find(WEIR_SINK, "fil"));
	assert_string_equal(stage_role_name(WEIR_OPERATOR), "operator");
	assert_string_equal(stage_role_name((enum weir_role)9), "?");
	assert_string_equal(stage_option_type_name(WEIR_TYPE_PATH), "path");
	assert_string_equal(stage_option_type_name((enum weir_option_type)0), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_quantities), cmocka_unit_test(test_words),
					    cmocka_unit_test(test_descriptors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
