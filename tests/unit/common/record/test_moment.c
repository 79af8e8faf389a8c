/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time: every day of ten thousand years against libc, the first and the last second, what is no time, what is no format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "common/record/moment.h"

#define DAY_S INT64_C(86400)
#define FIRST_S INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define END_S INT64_C(253402300800)   /* 10000-01-01T00:00:00Z */

static struct moment_form form_of(const char *text)
{
	struct moment_form form;
	const char *wrong = moment_form_read(text, &form);

	if (wrong)
		fail_msg("'%s' %s", text, wrong);
	return form;
}

/* What it is in UTC, or "no". */
static const char *becomes(const char *format, const char *text)
{
	static char said[MOMENT_TEXT_SIZE + 1];
	const struct moment_form form = form_of(format);
	struct moment moment;

	if (!moment_read(&form, text, strlen(text), &moment))
		return "no";
	said[moment_write(&moment, said)] = '\0';
	return said;
}

static void assert_same_as_libc(int64_t second)
{
	const struct moment moment = { .second = second };
	const struct moment_form form = form_of("");
	char written[MOMENT_TEXT_SIZE], expected[128];
	const time_t time = second;
	struct moment again;
	struct tm tm;
	size_t n = moment_write(&moment, written);

	assert_non_null(gmtime_r(&time, &tm));
	snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(written, expected, n);
	assert_true(moment_read(&form, written, n, &again));
	assert_int_equal(again.second, second);
	assert_int_equal(again.ns, 0);
}

static void test_every_day(void **state)
{
	(void)state;
	for (int64_t second = FIRST_S; second < END_S; second += DAY_S)
		assert_same_as_libc(second);
	for (int64_t second = FIRST_S + DAY_S - 1; second < END_S; second += 17 * DAY_S + 12345)
		assert_same_as_libc(second);
	assert_same_as_libc(-1);
	assert_same_as_libc(END_S - 1);
}

static void test_days_that_do_not_exist(void **state)
{
	static const char *const none[] = { "1900-02-29", "2100-02-29", "2026-02-29", "2026-02-30", "2026-04-31",
					    "2026-00-10", "2026-13-01", "2026-01-00", "2026-01-32", "2026-1-01" };
	char text[40];

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		snprintf(text, sizeof(text), "%sT00:00:00Z", none[i]);
		assert_string_equal(becomes("", text), "no");
	}
	assert_string_equal(becomes("", "2000-02-29T00:00:00Z"), "2000-02-29T00:00:00Z");
	assert_string_equal(becomes("%Y %j", "2024 366"), "2024-12-31T00:00:00Z");
	assert_string_equal(becomes("%Y %j", "2023 366"), "no");
	assert_string_equal(becomes("%d/%b/%Y", "31/Apr/2026"), "no");
}

static void test_the_first_and_the_last_second(void **state)
{
	(void)state;
	assert_string_equal(becomes("", "0000-01-01T00:00:00Z"), "0000-01-01T00:00:00Z");
	assert_string_equal(becomes("", "0000-01-01T00:00:00+00:01"), "no");
	assert_string_equal(becomes("", "9999-12-31T23:59:59.999999999Z"), "9999-12-31T23:59:59.999999999Z");
	assert_string_equal(becomes("", "9999-12-31T23:59:60Z"), "no");
	assert_string_equal(becomes("", "9999-12-31T23:59:59-00:01"), "no");
	assert_string_equal(becomes("unix", "253402300799"), "9999-12-31T23:59:59Z");
	assert_string_equal(becomes("unix", "253402300800"), "no");
}

static void test_clocks_and_zones(void **state)
{
	static const char *const none[] = {
		"2026-11-02T15:04:05",       "2026-11-02T15:04:05+0100",   "2026-11-02T15:04:05+24:00",
		"2026-11-02T15:04:05+01:60", "2026-11-02T24:00:00Z",       "2026-11-02T15:60:00Z",
		"2026-11-02T15:04:61Z",      "2026-11-02T15:04:05.Z",      "2026-11-02T15:04:05Z ",
		" 2026-11-02T15:04:05Z",     "2026-11-02  15:04:05Z",      "2026-11-02T15:04Z",
		"+026-11-02T15:04:05Z",      "2026-11-02T15:04:05Z+01:00", "",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_string_equal(becomes("", none[i]), "no");
	assert_string_equal(becomes("", "2026-11-02t15:04:05z"), "2026-11-02T15:04:05Z");
	assert_string_equal(becomes("", "2026-11-02 15:04:05+23:59"), "2026-11-01T15:05:05Z");
	assert_string_equal(becomes("", "2026-12-31T23:30:00-01:00"), "2027-01-01T00:30:00Z");
	assert_string_equal(becomes("", "2016-12-31T23:59:60Z"), "2017-01-01T00:00:00Z"); /* a leap second */
}

static void test_fractions(void **state)
{
	(void)state;
	assert_string_equal(becomes("", "2026-11-02T15:04:05.000Z"), "2026-11-02T15:04:05Z");
	assert_string_equal(becomes("", "2026-11-02T15:04:05.2Z"), "2026-11-02T15:04:05.200Z");
	assert_string_equal(becomes("", "2026-11-02T15:04:05.2003Z"), "2026-11-02T15:04:05.200300Z");
	assert_string_equal(becomes("", "2026-11-02T15:04:05.200300001Z"), "2026-11-02T15:04:05.200300001Z");
	assert_string_equal(becomes("", "2026-11-02T15:04:05.0000000019Z"), "2026-11-02T15:04:05.000000001Z"); /* cut */
	assert_string_equal(becomes("", "1969-12-31T23:59:59.5Z"), "1969-12-31T23:59:59.500Z");
}

static void test_units(void **state)
{
	static const char *const none[] = { "",   "-1", "+1",  " 1",   "1 ",
					    "1.", ".5", "1e3", "0x10", "18446744073709551616" };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_string_equal(becomes("unix", none[i]), "no");
	assert_string_equal(becomes("unix", "0"), "1970-01-01T00:00:00Z");
	assert_string_equal(becomes("unix", "1.5"), "1970-01-01T00:00:01.500Z");
	assert_string_equal(becomes("unix_ms", "1001.5"), "1970-01-01T00:00:01.001500Z");
	assert_string_equal(becomes("unix_us", "1000001.5"), "1970-01-01T00:00:01.000001500Z");
	assert_string_equal(becomes("unix_ns", "1000000001.9"),
			    "1970-01-01T00:00:01.000000001Z"); /* finer is cut off */
	assert_string_equal(becomes("unix_ns", "18446744073709551600"), "2554-07-21T23:34:33.709551600Z");
	assert_string_equal(becomes("unix_ns", "18446744073709551616"), "no");
}

static void test_formats(void **state)
{
	const struct moment_form form = form_of("%Y-%m-%d");
	struct moment moment;

	(void)state;
	assert_string_equal(becomes("%d/%b/%Y:%H:%M:%S %z", "02/Nov/2026:15:04:05 +0100"), "2026-11-02T14:04:05Z");
	assert_string_equal(becomes("%d/%b/%Y:%H:%M:%S,%f %z", "02/Nov/2026:15:04:05,25 +0100"),
			    "2026-11-02T14:04:05.250Z");
	assert_string_equal(becomes("%Y-%m-%d %H:%M:%S.%f", "2026-11-02 15:04:05."), "no");
	assert_string_equal(becomes("%Y-%m-%d", "2026-11-02Z"), "no"); /* something behind it */
	assert_string_equal(becomes("%Y-%m-%d", "2026-11"), "no");
	assert_string_equal(becomes("%%f%Y%m%d", "%f20261102"), "2026-11-02T00:00:00Z"); /* no fraction */
	assert_true(moment_read(&form, "2026-11-02", 10, &moment));
	assert_false(moment_read(&form, "2026-11-02\0", 11, &moment));
	assert_false(moment_read(&form, "2026-11-02", 0, &moment));
}

static void test_formats_that_can_not_be_used(void **state)
{
	char longest[MOMENT_FORMAT_SIZE_MAX + 2], spelled[MOMENT_FORMAT_SIZE_MAX + 2];
	struct moment_form form;
	struct moment moment;

	(void)state;
	assert_non_null(strstr(moment_form_read("%Y-%m-%d %Z", &form), "can't be read exactly"));
	assert_non_null(strstr(moment_form_read("%s", &form), "can't be read exactly"));
	assert_non_null(strstr(moment_form_read("%Y-%m-%d %", &form), "can't be read exactly"));
	assert_non_null(strstr(moment_form_read("%H:%M", &form), "no year or no day"));
	assert_non_null(strstr(moment_form_read("%Y-%m", &form), "no year or no day"));
	assert_non_null(strstr(moment_form_read("%d.%m.", &form), "no year or no day"));
	assert_non_null(strstr(moment_form_read("%%Y%%d", &form), "no year or no day"));
	assert_string_equal(moment_form_read("%F %f %f", &form), "has %f twice");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "%F", 2);
	longest[MOMENT_FORMAT_SIZE_MAX + 1] = '\0';
	assert_non_null(strstr(moment_form_read(longest, &form), "too long"));
	longest[MOMENT_FORMAT_SIZE_MAX] = '\0';
	assert_null(moment_form_read(longest, &form));
	snprintf(spelled, sizeof(spelled), "2026-11-02%s", longest + 2 + 8); /* as long as a text may be */
	assert_int_equal(strlen(spelled), MOMENT_FORMAT_SIZE_MAX);
	assert_false(moment_read(&form, spelled, strlen(spelled), &moment)); /* too few of x */
	longest[MOMENT_FORMAT_SIZE_MAX - 8] = '\0';
	assert_null(moment_form_read(longest, &form));
	assert_true(moment_read(&form, spelled, strlen(spelled), &moment));
	assert_false(moment_read(&form, spelled, strlen(spelled) + 1, &moment));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_days_that_do_not_exist),
		cmocka_unit_test(test_the_first_and_the_last_second),
		cmocka_unit_test(test_clocks_and_zones),
		cmocka_unit_test(test_fractions),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_formats_that_can_not_be_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
