/* SPDX-License-Identifier: Apache-2.0 */
/* `expires` of a source: what can be written, what items can say, and what neither can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/stage/expiry_rule.h"

#define DAY_S UINT64_C(86400)

static struct expiry_rule parse(const char *source)
{
	struct expiry_rule rule = EXPIRY_RULE_NULL;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (expiry_rule_parse(source, &rule, &why) != 0)
		fail_msg("'%s' %s", source, text_get(&why));
	return rule;
}

static void assert_rule(const char *source, enum expiry_kind kind, const char *expression, uint64_t unit_ns)
{
	struct expiry_rule rule = parse(source);

	assert_int_equal(rule.kind, kind);
	assert_string_equal(rule.expression, expression);
	assert_int_equal(rule.unit_ns, unit_ns);
	expiry_rule_deinit(&rule);
}

static void test_rules(void **state)
{
	struct expiry_rule rule = parse("1500ms");

	(void)state;
	assert_int_equal(rule.kind, EXPIRY_FOR);
	assert_int_equal(rule.for_ns, 1500 * NS_PER_MS);
	assert_null(rule.expression);
	assert_rule("at(.deadline)", EXPIRY_AT, ".deadline", NS_PER_MS);
	assert_rule("within( item )", EXPIRY_WITHIN, " item ", NS_PER_MS);
	assert_rule("at(.a[\"x, s\"], s)", EXPIRY_AT, ".a[\"x, s\"]", NS_PER_S);
	assert_rule("at(.a[\"x\\\", s\"])", EXPIRY_AT, ".a[\"x\\\", s\"]", NS_PER_MS);
	assert_rule("within(field(2, ','),us )", EXPIRY_WITHIN, "field(2, ',')", NS_PER_US);
	assert_rule("at(bytes(0, 8), ns)", EXPIRY_AT, "bytes(0, 8)", 1);
	assert_rule("at(field(2, ')'), ms)", EXPIRY_AT, "field(2, ')')", NS_PER_MS);
}

static void assert_bad(const char *source, const char *words)
{
	struct expiry_rule rule = EXPIRY_RULE_NULL;
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	assert_int_equal(expiry_rule_parse(source, &rule, &why), EXPIRY_RULE_E_BAD);
	assert_null(rule.expression);
	if (!strstr(text_get(&why), words))
		fail_msg("'%s' %s: not '%s'", source, text_get(&why), words);
}

static void test_bad_rules(void **state)
{
	(void)state;
	assert_bad("", "expected a duration such as 500ms");
	assert_bad("0", "out of range: expected 1ms to 8760h");
	assert_bad("-5s", "negative");
	assert_bad("9999999h", "expected");
	assert_bad("2", "the unit is missing: 2s?");
	assert_bad("key(.a)", "within(.ttl), at(.deadline)");
	assert_bad("at (.a)", "within(.ttl), at(.deadline)");
	assert_bad("at(", "no closing parenthesis");
	assert_bad("at(.a", "no closing parenthesis");
	assert_bad("at()", "ends too early");
	assert_bad("at(.a, h)", "expected the unit of numbers: s, ms, us or ns");
	assert_bad("at(.a, s, ms)", "expected");
	assert_bad("at(.a, s ms)", "expected the unit");
	assert_bad("at(.a,)", "expected the unit");
	assert_bad("within(.a + 1)", "only looking up a value is possible");
	assert_bad("within(field(0))", "the number of a field");
}

static void assert_value(const char *source, const char *value, uint64_t expected_ns)
{
	struct expiry_rule rule = parse(source);
	uint64_t ns = 0;

	if (expiry_rule_value(&rule, value, strlen(value), &ns) != 0 || ns != expected_ns)
		fail_msg("%s: '%s' is %llu instead of %llu", source, value, (unsigned long long)ns,
			 (unsigned long long)expected_ns);
	expiry_rule_deinit(&rule);
}

static void test_values(void **state)
{
	(void)state;
	assert_value("at(item)", "0", 0);
	assert_value("at(item)", " 1730000000000\r\n", 1730000000 * NS_PER_S);
	assert_value("at(item)", "1730000000000.5", 1730000000 * NS_PER_S + 500 * NS_PER_US);
	assert_value("at(item, s)", "1730000000.123456789999", 1730000000 * NS_PER_S + 123456789);
	assert_value("at(item, ns)", "17.9", 17);
	assert_value("at(item)", "99999999999999999999999999999999999999999999", UINT64_MAX);
	assert_value("at(item)", "1970-01-01T00:00:00Z", 0);
	assert_value("at(item)", "1970-01-02 01:02:03.25Z", (DAY_S + 3723) * NS_PER_S + 250 * NS_PER_MS);
	assert_value("at(item)", "2026-11-22t06:00:00+02:00", UINT64_C(1795320000) * NS_PER_S);
	assert_value("at(item)", "2026-11-22T04:00:00-00:30", UINT64_C(1795321800) * NS_PER_S);
	assert_value("at(item)", "2016-12-31T23:59:60Z", UINT64_C(1483228800) * NS_PER_S);
	assert_value("at(item)", "1970-01-01T00:00:00+02:00", 0);
	assert_value("at(item)", "9999-12-31T23:59:59Z", UINT64_MAX);
	assert_value("within(item)", "0", 0);
	assert_value("within(item)", "250", 250 * NS_PER_MS);
	assert_value("within(item)", "1.5s", 1500 * NS_PER_MS);
	assert_value("within(item, s)", "2", 2 * NS_PER_S);
	assert_value("within(item, s)", "2m", 120 * NS_PER_S);
}

static void assert_no_value(const char *source, const char *value, size_t size_bytes, int expected)
{
	struct expiry_rule rule = parse(source);
	uint64_t ns;

	if (expiry_rule_value(&rule, value, size_bytes, &ns) != expected)
		fail_msg("%s: '%s' is not %d", source, value, expected);
	expiry_rule_deinit(&rule);
}

static void test_no_values(void **state)
{
	static const char *const no_times[] = { "soon",
						"-1",
						"+1",
						"1e3",
						"0x10",
						"1.",
						".5",
						"1,5",
						"true",
						"{}",
						"12 13",
						"2026-11-22",
						"2026-11-22T06:00:00",
						"2026-11-22T06:00Z",
						"2026-13-22T06:00:00Z",
						"2026-02-30T06:00:00Z",
						"2026-11-22T24:00:00Z",
						"2026-11-22T06:60:00Z",
						"2026-11-22T06:00:61Z",
						"2026-11-22T06:00:00.Z",
						"2026-11-22T06:00:00+2:00",
						"2026-11-22T06:00:00+24:00",
						"2026-11-22T06:00:00+02:00Z",
						"1969-12-31T23:59:59Z",
						"226-11-22T06:00:00Z",
						"1s",
						"0000000000000000000000000000000000000000000000000000000000000000001" };
	static const char *const no_durations[] = { "soon", "-1s", "1 s s", "1y", "2026-11-22T06:00:00Z", "1e3" };

	(void)state;
	for (size_t i = 0; i < sizeof(no_times) / sizeof(no_times[0]); i++)
		assert_no_value("at(item)", no_times[i], strlen(no_times[i]), EXPIRY_RULE_E_BAD);
	for (size_t i = 0; i < sizeof(no_durations) / sizeof(no_durations[0]); i++)
		assert_no_value("within(item)", no_durations[i], strlen(no_durations[i]), EXPIRY_RULE_E_BAD);
	assert_no_value("at(item)", "", 0, EXPIRY_RULE_E_NONE);
	assert_no_value("at(item)", " \t\n", 3, EXPIRY_RULE_E_NONE);
	assert_no_value("at(item)", "12\0", 3, EXPIRY_RULE_E_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
