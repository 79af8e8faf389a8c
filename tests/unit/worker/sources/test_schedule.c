/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "tests/unit/worker/stage_test.h"
#include "worker/sources/schedule.h"

static uint64_t utc(const char *text)
{
	struct tm tm = { 0 };

	assert_int_equal(sscanf(text, "%d-%d-%dT%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
				&tm.tm_min, &tm.tm_sec),
			 6);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (uint64_t)timegm(&tm) * NS_PER_S;
}

/* The times behind `after`, all in UTC. */
static void assert_times(const char *zone, const char *text, const char *after, const char *const *times)
{
	struct schedule schedule;
	char why[SCHEDULE_WHY_SIZE];
	uint64_t at_ns = utc(after);

	if (schedule_parse(text, &schedule, why) != 0)
		fail_msg("'%s': %s", text, why);
	assert_int_equal(schedule_zone(zone), 0);
	for (; *times; times++) {
		uint64_t next_ns = schedule_next(&schedule, at_ns);

		if (next_ns != utc(*times))
			fail_msg("'%s' in %s: %lld s after %s, not %s", text, zone,
				 (long long)(next_ns - at_ns) / (long long)NS_PER_S, after, *times);
		after = *times;
		at_ns = next_ns;
	}
}

#define TIMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_fields(void **state)
{
	(void)state;
	assert_times("UTC", "* * * * *", "2026-12-31T23:58:59", TIMES("2026-12-31T23:59:00", "2027-01-01T00:00:00"));
	assert_times("UTC", "*/20 * * * *", "2026-11-22T10:00:00",
		     TIMES("2026-11-22T10:20:00", "2026-11-22T10:40:00", "2026-11-22T11:00:00"));
	assert_times("UTC", "5/25 9-10,23 * * *", "2026-11-22T10:06:00",
		     TIMES("2026-11-22T10:30:00", "2026-11-22T10:55:00", "2026-11-22T23:05:00"));
	assert_times("UTC", "0 8-18/5 * * *", "2026-11-22T08:00:00",
		     TIMES("2026-11-22T13:00:00", "2026-11-22T18:00:00", "2026-11-23T08:00:00"));
	assert_times("UTC", "30 2 * * mon-Fri", "2026-11-20T12:00:00", TIMES("2026-11-23T02:30:00"));
	assert_times("UTC", "0 0 * * 7", "2026-11-20T12:00:00", TIMES("2026-11-22T00:00:00", "2026-11-29T00:00:00"));
	assert_times("UTC", "0 0 13 * FRI", "2026-11-12T12:00:00",
		     TIMES("2026-11-13T00:00:00", "2026-11-20T00:00:00", "2026-11-27T00:00:00", "2026-12-04T00:00:00",
			   "2026-12-11T00:00:00", "2026-12-13T00:00:00"));
	assert_times("UTC", "0 12 31 * *", "2026-11-22T00:00:00",
		     TIMES("2026-12-31T12:00:00", "2027-01-31T12:00:00", "2027-03-31T12:00:00"));
	assert_times("UTC", "0 0 29 FEB *", "2096-03-01T00:00:00", TIMES("2104-02-29T00:00:00"));
	assert_times("UTC", "* * 29 2 *", "2026-03-01T00:00:00", TIMES("2028-02-29T00:00:00", "2028-02-29T00:01:00"));
	assert_times("UTC", "@hourly", "2026-11-22T10:00:00", TIMES("2026-11-22T11:00:00"));
	assert_times("UTC", "@daily", "2026-11-22T10:00:00", TIMES("2026-11-23T00:00:00"));
	assert_times("UTC", "@weekly", "2026-11-21T10:00:00", TIMES("2026-11-22T00:00:00"));
	assert_times("UTC", "@monthly", "2026-11-22T10:00:00", TIMES("2026-12-01T00:00:00"));
	assert_times("UTC", "@yearly", "2026-11-22T10:00:00", TIMES("2027-01-01T00:00:00"));
	assert_times("UTC", "@every 7s", "1970-01-01T00:00:00", TIMES("1970-01-01T00:00:07", "1970-01-01T00:00:14"));
	assert_times("UTC", "@every 1h", "2026-11-22T10:10:10", TIMES("2026-11-22T11:00:00"));
}

/* In 2026 Berlin sets its clocks forward on 29 March at 01:00 UTC, and back on 25 October at 01:00 UTC. */
static void test_summer(void **state)
{
	(void)state;
	assert_times("Europe/Berlin", "30 2 * * *", "2026-03-28T00:00:00",
		     TIMES("2026-03-28T01:30:00", "2026-03-29T01:00:00", "2026-03-30T00:30:00"));
	assert_times("Europe/Berlin", "*/20 2 * * *", "2026-03-28T01:39:00",
		     TIMES("2026-03-28T01:40:00", "2026-03-29T01:00:00", "2026-03-30T00:00:00"));
	assert_times("Europe/Berlin", "0 2,3 * * *", "2026-03-28T20:00:00",
		     TIMES("2026-03-29T01:00:00", "2026-03-30T00:00:00", "2026-03-30T01:00:00"));
	assert_times("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00",
		     TIMES("2026-10-25T00:30:00", "2026-10-26T01:30:00"));
	assert_times("Europe/Berlin", "30 2 * * *", "2026-10-25T00:45:00", TIMES("2026-10-26T01:30:00"));
	assert_times("Europe/Berlin", "30 * * * *", "2026-10-24T23:00:00",
		     TIMES("2026-10-24T23:30:00", "2026-10-25T00:30:00", "2026-10-25T01:30:00", "2026-10-25T02:30:00"));
	assert_times("Europe/Berlin", "30 * * * *", "2026-03-29T00:00:00",
		     TIMES("2026-03-29T00:30:00", "2026-03-29T01:30:00"));
	assert_times("Asia/Kolkata", "0 9 * * *", "2026-11-22T00:00:00", TIMES("2026-11-22T03:30:00"));
	assert_times("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00",
		     TIMES("2026-10-03T15:30:00", "2026-10-04T15:15:00"));
	/* A whole day that never was: the clock was set forward at the end of 29 December 2011, 10:00 UTC. */
	assert_times("Pacific/Apia", "0 12 30 12 *", "2011-12-01T00:00:00",
		     TIMES("2011-12-30T10:00:00", "2012-12-29T22:00:00"));
}

static void test_wrong(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "there are 0" },
		{ "* * * *", "there are 4" },
		{ "0 * * * * *", "there are 6" },
		{ "60 * * * *", "minute '60': expected *, or numbers from 0 to 59" },
		{ "* 24 * * *", "hour '24'" },
		{ "* * 0 * *", "day of the month '0': expected *, or numbers from 1 to 31" },
		{ "* * * 13 *", "month '13'" },
		{ "* * * * 8", "day of the week '8'" },
		{ "* * * * TOM",
		  "day of the week 'TOM': expected *, or numbers from 0 to 7, or names such as MON or JAN" },
		{ "5-1 * * * *", "this runs backwards" },
		{ "*/0 * * * *", "the step behind /" },
		{ "*/4294967297 * * * *", "the step behind /" },
		{ "*/x * * * *", "the step behind /" },
		{ "1,,2 * * * *", "minute ''" },
		{ "1- * * * *", "minute '1-'" },
		{ "1x * * * *", "minute '1x'" },
		{ "99999999999999999999 * * * *", "minute '99999999999999999999'" },
		{ "0 0 30 2 *", "it never comes" },
		{ "0 0 31 4,6,9,11 *", "it never comes" },
		{ "@reboot", "'@reboot' is unknown" },
		{ "@every", "@every ''" },
		{ "@every 5", "@every '5': expected a duration" },
		{ "@every 0s", "@every '0s'" },
		{ "@every -5s", "@every '-5s'" },
		{ "@every 10000h", "@every '10000h'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct schedule schedule;
		char why[SCHEDULE_WHY_SIZE] = "";

		if (schedule_parse(rows[i].text, &schedule, why) == 0 || !strstr(why, rows[i].why))
			fail_msg("'%s': '%s', not '%s'", rows[i].text, why, rows[i].why);
	}
}

static void test_zones(void **state)
{
	(void)state;
	assert_int_equal(schedule_zone_check("UTC"), 0);
	assert_int_equal(schedule_zone_check("local"), 0);
	assert_int_equal(schedule_zone_check("America/Argentina/Buenos_Aires"), 0);
	assert_int_equal(schedule_zone_check("Europe/Berlyn"), -ENOENT);
	assert_int_equal(schedule_zone_check("Europe"), -ENOENT);
	assert_int_equal(schedule_zone_check("/etc/localtime"), -EINVAL);
	assert_int_equal(schedule_zone_check("../../etc/localtime"), -EINVAL);
	assert_int_equal(schedule_zone_check(""), -EINVAL);
	assert_int_equal(schedule_zone("Europe/Berlyn"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_summer),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
