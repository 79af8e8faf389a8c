/* SPDX-License-Identifier: Apache-2.0 */
/* What can be a key, what can't, and how that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/stage/key_expression.h"

static struct key_expression parse(const char *source)
{
	struct key_expression expression = KEY_EXPRESSION_NULL;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (key_expression_parse(source, &expression, &why) != 0)
		fail_msg("'%s' %s", source, text_get(&why));
	return expression;
}

static void test_item_and_bytes(void **state)
{
	struct key_expression e = parse(" item ");

	(void)state;
	assert_int_equal(e.kind, KEY_KIND_ITEM);
	e = parse("bytes( 3 ,8 )");
	assert_int_equal(e.kind, KEY_KIND_BYTES);
	assert_int_equal(e.offset_bytes, 3);
	assert_int_equal(e.size_bytes, 8);
	e = parse("bytes(0,1073741824)");
	assert_int_equal(e.size_bytes, 1073741824);
}

static void test_fields(void **state)
{
	static const struct {
		const char *source;
		uint32_t field;
		int separator;
	} cases[] = {
		{ "field(1)", 1, KEY_FIELD_BLANKS }, { "field( 17 , ';' )", 17, ';' }, { "field(2, \",\")", 2, ',' },
		{ "field(2, '\\t')", 2, '\t' },      { "field(2, '\\\\')", 2, '\\' },  { "field(2, ' ')", 2, ' ' },
		{ "field(2, '\"')", 2, '"' },        { "field(2, '\xe9')", 2, 0xe9 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct key_expression e = parse(cases[i].source);

		assert_int_equal(e.kind, KEY_KIND_FIELD);
		assert_int_equal(e.field, cases[i].field);
		assert_int_equal(e.separator, cases[i].separator);
	}
}

static void test_path(void **state)
{
	struct key_expression e = parse(".a_1.\"b \\\"c\\\\\"[0][\"d]\"][-2].e");

	(void)state;
	assert_int_equal(e.kind, KEY_KIND_PATH);
	assert_int_equal(e.n_segments, 6);
	assert_string_equal(e.segments[0].name, "a_1");
	assert_string_equal(e.segments[1].name, "b \"c\\");
	assert_null(e.segments[2].name);
	assert_int_equal(e.segments[2].index, 0);
	assert_string_equal(e.segments[3].name, "d]");
	assert_int_equal(e.segments[4].index, -2);
	assert_string_equal(e.segments[5].name, "e");
	key_expression_deinit(&e);
	assert_int_equal(e.n_segments, 0);
	e = parse(".[1]");
	assert_int_equal(e.n_segments, 1);
	key_expression_deinit(&e);
}

static void test_bad(void **state)
{
	static const char *const cases[][2] = {
		{ "", "ends too early: expected item, bytes" },
		{ "items", "is wrong at 'items': expected item, bytes" },
		{ "item 2", "is wrong at '2': expected the end" },
		{ "bytes", "ends too early: expected '('" },
		{ "bytes(1)", "is wrong at ')': expected ','" },
		{ "bytes(1, 0)", "is wrong at '0)': expected how many bytes make the key, at least 1" },
		{ "bytes(-1, 2)", "is wrong at '-1, 2)'" },
		{ "bytes(99999999999999999999, 2)", "is wrong at '99999999999999999999, 2)'" },
		{ "field(0)", "from 1 on" },
		{ "field(1", "ends too early: expected ')'" },
		{ "field(1, x)", "is wrong at 'x)': expected one byte in quotes" },
		{ "field(1, '')", "expected one byte in quotes" },
		{ "field(1, '", "expected one byte in quotes" },
		{ "field(1, '\\", "expected one byte in quotes" },
		{ ".", "ends too early: expected a name" },
		{ ".a.", "ends too early: expected a name" },
		{ ".1", "is wrong at '1': expected a name" },
		{ ".a[", "ends too early: expected an index" },
		{ ".a[1", "ends too early: expected ']'" },
		{ ".a[\"b\"", "ends too early: expected ']'" },
		{ ".a[-\"b\"]", "expected an index" },
		{ ".\"b", "ends too early: expected '\"'" },
		{ ".a | length", "is wrong at '| length': expected the end" },
		{ ".a?", "is wrong at '?'" },
		{ ".a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "is too deep" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct key_expression e;
		_cleanup_(text_deinit) struct text why = TEXT_NULL;

		assert_int_equal(key_expression_parse(cases[i][0], &e, &why), KEY_EXPRESSION_E_BAD);
		if (!strstr(text_get(&why), cases[i][1]))
			fail_msg("'%s' %s", cases[i][0], text_get(&why));
	}
}

static void test_unwrap(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	_cleanup_(free) char *source = NULL;

	(void)state;
	assert_int_equal(key_expression_unwrap("key(bytes(0, 8))", &source, &why), 0);
	assert_string_equal(source, "bytes(0, 8)");
	assert_int_equal(key_expression_unwrap("key", &source, &why), KEY_EXPRESSION_E_BAD);
	assert_int_equal(key_expression_unwrap("key(", &source, &why), KEY_EXPRESSION_E_BAD);
	assert_int_equal(key_expression_unwrap("keys(item)", &source, &why), KEY_EXPRESSION_E_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_item_and_bytes), cmocka_unit_test(test_fields),
					    cmocka_unit_test(test_path), cmocka_unit_test(test_bad),
					    cmocka_unit_test(test_unwrap) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
