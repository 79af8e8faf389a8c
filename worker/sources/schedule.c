/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks on the wall are set forward and back. What a schedule means then:
 *
 *      every hour is one of its hours    it goes by the time that passes: an hour that comes twice has its times twice
 *      only some are                     it goes by the wall: a time that comes twice counts the first time; one that is left out, at the
 *                                        moment when the clock is set forward (several of them: once)
 *
 *      wall     01:00     01:59|03:00          wall     02:00     02:59|02:00     02:59|03:00
 *      02:30 is at             ^               02:30 is at    ^
 *
 * Offsets are asked of the C library for moments alone; what a wall clock shows is computed from there, so nothing here guesses as mktime()
 * has to. A day on the wall is counted as if it were one of UTC's, which have no gaps.
 */
#include "worker/sources/schedule.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"

#define MINUTE_S 60
#define HOUR_S 3600
#define DAY_S 86400
#define ALL_HOURS 0xffffffu
#define LOOKS_MAX 110000u /* hours in more than ten years, and some minutes */
#define WALL_BEFORE_S ((time_t)3 * HOUR_S)
#define FIELDS 5u
#define ZONES "/usr/share/zoneinfo/"

/* ---- reading ---- */

static const struct field {
	const char *name;
	unsigned minimum, maximum;
	const char *words; /* three letters each, the first stands for `minimum` */
} fields[FIELDS] = {
	{ "minute", 0, 59, "" },
	{ "hour", 0, 23, "" },
	{ "day of the month", 1, 31, "" },
	{ "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC" },
	{ "day of the week", 0, 7, "SUNMONTUEWEDTHUFRISAT" },
};

static const struct {
	const char *name, *text;
} nicknames[] = {
	{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
};

static int complain(char *why, const struct field *field, const char *part, const char *what)
{
	snprintf(why, SCHEDULE_WHY_SIZE, "%s '%.40s': %s", field->name, part, what);
	return -EINVAL;
}

/* A number or a word, up to its end. */
static bool read_value(const struct field *field, const char **at, unsigned *ret)
{
	char *end;

	for (unsigned i = 0; i * 3 < strlen(field->words); i++)
		if (strncasecmp(*at, field->words + (size_t)3 * i, 3) == 0) {
			*at += 3;
			*ret = field->minimum + i;
			return true;
		}
	if (!isdigit((unsigned char)**at))
		return false;
	*ret = (unsigned)strtoul(*at, &end, 10);
	if (end - *at > 4)
		return false;
	*at = end;
	return true;
}

/* One of the parts between commas: a, a-b, a/n, a-b/n, or * for all. */
static int read_part(const struct field *field, const char *part, char *why, uint64_t *bits)
{
	unsigned from = field->minimum, to = field->maximum;
	unsigned long step = 1;
	const char *at = part;
	bool open = true;
	char expected[80];

	snprintf(expected, sizeof(expected), "expected *, or numbers from %u to %u%s", field->minimum, field->maximum,
		 *field->words ? ", or names such as MON or JAN" : "");
	if (*at == '*') {
		at++;
	} else {
		if (!read_value(field, &at, &from))
			return complain(why, field, part, expected);
		to = from;
		open = false;
		if (*at == '-') {
			at++;
			if (!read_value(field, &at, &to))
				return complain(why, field, part, expected);
		}
	}
	if (*at == '/') {
		to = !open && to == from && !strchr(part, '-') ? field->maximum : to;
		at++;
		step = isdigit((unsigned char)*at) ? strtoul(at, (char **)(uintptr_t)&at, 10) : 0;
		if (step == 0 || step > field->maximum)
			return complain(why, field, part,
					"the step behind / is a number from 1 up to the largest value");
	}
	if (*at || from < field->minimum || to > field->maximum)
		return complain(why, field, part, expected);
	if (from > to)
		return complain(why, field, part, "this runs backwards: write both ends, as in 22-23,0-5");
	for (unsigned i = from; i <= to; i += (unsigned)step)
		*bits |= UINT64_C(1) << i;
	return 0;
}

static int read_field(const struct field *field, char *text, char *why, uint64_t *ret_bits)
{
	char *rest = text;
	int r = 0;

	*ret_bits = 0;
	while (r == 0 && rest)
		r = read_part(field, strsep(&rest, ","), why, ret_bits);
	return r;
}

/* Some day in some year is one of these. */
static bool has_a_day(const struct schedule *schedule)
{
	static const unsigned lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (schedule->any_day || !schedule->any_weekday)
		return true;
	for (unsigned i = 0; i < 12; i++)
		if (schedule->months >> (i + 1) & 1 && schedule->days & ((UINT32_C(2) << lengths[i]) - 2))
			return true;
	return false;
}

static int read_fields(const char *text, struct schedule *ret, char *why)
{
	char copy[256], *rest = copy, *words[FIELDS] = { NULL };
	uint64_t bits[FIELDS];
	unsigned n = 0;
	int r = 0;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy)) {
		snprintf(why, SCHEDULE_WHY_SIZE, "it is longer than any schedule needs to be");
		return -EINVAL;
	}
	while (rest) {
		char *word = strsep(&rest, " \t");

		if (!*word)
			continue;
		if (n < FIELDS)
			words[n] = word;
		n++;
	}
	if (n != FIELDS) {
		snprintf(why, SCHEDULE_WHY_SIZE,
			 "expected 5 fields (minute, hour, day of the month, month, day of the week), and there are %u",
			 n);
		return -EINVAL;
	}
	for (unsigned i = 0; i < FIELDS && r == 0; i++)
		r = read_field(&fields[i], words[i], why, &bits[i]);
	if (r != 0)
		return r;
	*ret = (struct schedule){ .minutes = bits[0],
				  .hours = (uint32_t)bits[1],
				  .days = (uint32_t)bits[2],
				  .months = (uint32_t)bits[3],
				  .weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f),
				  .any_day = !strcmp(words[2], "*"),
				  .any_weekday = !strcmp(words[4], "*") };
	if (has_a_day(ret))
		return 0;
	snprintf(why, SCHEDULE_WHY_SIZE, "it never comes: none of these months has such a day");
	return -EINVAL;
}

static int read_every(const char *text, struct schedule *ret, char *why)
{
	int64_t every_ns = 0;

	text += strspn(text, " \t");
	if (quantity_duration(text, &every_ns) != 0 || every_ns < (int64_t)NS_PER_MS ||
	    every_ns > 366 * INT64_C(86400000000000)) {
		snprintf(why, SCHEDULE_WHY_SIZE,
			 "@every '%.40s': expected a duration from 1ms to 366 days, for example @every 5s", text);
		return -EINVAL;
	}
	*ret = (struct schedule){ .every_ns = (uint64_t)every_ns };
	return 0;
}

int schedule_parse(const char *text, struct schedule *ret, char ret_why[SCHEDULE_WHY_SIZE])
{
	text += strspn(text, " \t");
	if (strncmp(text, "@every", 6) == 0 && (text[6] == ' ' || text[6] == '\t' || !text[6]))
		return read_every(text + 6, ret, ret_why);
	for (size_t i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++)
		if (strcmp(text, nicknames[i].name) == 0)
			return read_fields(nicknames[i].text, ret, ret_why);
	if (*text != '@')
		return read_fields(text, ret, ret_why);
	snprintf(ret_why, SCHEDULE_WHY_SIZE,
		 "'%.40s' is unknown: expected @every DURATION, @hourly, @daily, @weekly, @monthly or @yearly", text);
	return -EINVAL;
}

/* ---- what a wall clock shows ---- */

static long offset_at(time_t at)
{
	struct tm tm;

	return localtime_r(&at, &tm) ? tm.tm_gmtoff : 0;
}

/* The first moment of two at which another offset holds than at `from`; at `to` it does. */
static time_t change_between(time_t from, time_t to)
{
	long before = offset_at(from);

	while (to - from > 1) {
		time_t middle = from + (to - from) / 2;

		if (offset_at(middle) == before)
			from = middle;
		else
			to = middle;
	}
	return to;
}

/* The moment at which the wall shows this, the first of two; or when that is left out. `wall` counts as UTC does. */
static time_t moment_of(time_t wall)
{
	long before = offset_at(wall - DAY_S), after = offset_at(wall + DAY_S);
	time_t early = wall - (before > after ? before : after), late = wall - (before > after ? after : before);

	if (early + offset_at(early) == wall)
		return early;
	if (late + offset_at(late) == wall || early == late)
		return late;
	return change_between(early, late);
}

/* ---- the next one ---- */

static bool is_day(const struct schedule *schedule, const struct tm *tm)
{
	bool day = schedule->days >> tm->tm_mday & 1, weekday = schedule->weekdays >> tm->tm_wday & 1;

	if (!(schedule->months >> (tm->tm_mon + 1) & 1))
		return false;
	if (schedule->any_day || schedule->any_weekday)
		return (schedule->any_day || day) && (schedule->any_weekday || weekday);
	return day || weekday;
}

/* How many seconds from this minute, on whatever clock, to the next one worth a look; 0: it is one. */
static time_t until_look(const struct schedule *schedule, const struct tm *tm)
{
	uint64_t later = schedule->minutes >> tm->tm_min;

	if (!is_day(schedule, tm) || !(schedule->hours >> tm->tm_hour & 1) || !later)
		return (time_t)(60 - tm->tm_min) * MINUTE_S;
	return (time_t)__builtin_ctzll(later) * MINUTE_S;
}

static uint64_t next_as_time_passes(const struct schedule *schedule, time_t after)
{
	time_t at = after + 1;

	for (unsigned i = 0; i < LOOKS_MAX; i++) {
		struct tm tm;
		time_t skip;

		if (!localtime_r(&at, &tm))
			break;
		skip = tm.tm_sec ? MINUTE_S - tm.tm_sec : until_look(schedule, &tm);
		if (!skip)
			return (uint64_t)at * NS_PER_S;
		at += skip;
	}
	return SCHEDULE_NEVER;
}

static uint64_t next_on_the_wall(const struct schedule *schedule, time_t after)
{
	time_t wall = after + offset_at(after) - WALL_BEFORE_S;

	wall -= wall % MINUTE_S;
	for (unsigned i = 0; i < LOOKS_MAX; i++) {
		struct tm tm;
		time_t skip, moment;

		if (!gmtime_r(&wall, &tm))
			break;
		skip = until_look(schedule, &tm);
		if (!skip) {
			moment = moment_of(wall);
			if (moment > after)
				return (uint64_t)moment * NS_PER_S;
			skip = MINUTE_S;
		}
		wall += skip;
	}
	return SCHEDULE_NEVER;
}

uint64_t schedule_next(const struct schedule *schedule, uint64_t after_ns)
{
	time_t after = (time_t)(after_ns / NS_PER_S);

	if (schedule->every_ns)
		return (after_ns / schedule->every_ns + 1) * schedule->every_ns;
	return schedule->hours == ALL_HOURS ? next_as_time_passes(schedule, after) : next_on_the_wall(schedule, after);
}

/* ---- time zones ---- */

int schedule_zone_check(const char *name)
{
	char path[256];
	struct stat st;

	if (!strcmp(name, "UTC") || !strcmp(name, "local"))
		return 0;
	if (!*name || *name == '/' || *name == '.' || strstr(name, "..") ||
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") != strlen(name))
		return -EINVAL;
	if ((size_t)snprintf(path, sizeof(path), ZONES "%s", name) >= sizeof(path))
		return -EINVAL;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? 0 : -ENOENT;
}

int schedule_zone(const char *name)
{
	int r = schedule_zone_check(name);

	if (r != 0)
		return r;
	if (strcmp(name, "local") != 0 && setenv("TZ", strcmp(name, "UTC") ? name : "UTC0", 1))
		return -errno;
	tzset();
	return 0;
}
