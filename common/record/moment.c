/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Days are counted by our own arithmetic: timegm() bends the 31st of February into March, and takes a lock. strptime() is libc's, whose
 * locale stays "C", so that months have their English names; what it does not do by itself is cut off before: fractions, and zones
 * by name.
 *
 *      02/Nov/2026:15:04:05,250 +0100     %d/%b/%Y:%H:%M:%S | ,%f | " %z"       format, fraction, behind
 */
#include "common/record/moment.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#define NS 1000000000u
#define DAY_S 86400
#define TEXT_SIZE_MAX 127u
#define SECOND_MIN INT64_C(-62167219200) /* 0000-01-01 */
#define SECOND_END INT64_C(253402300800) /* 10000-01-01 */

/* ---- days; the era of 400 years begins with March ---- */

static int64_t days_of(int64_t year, int month, int day)
{
	int64_t shifted = year - (month <= 2), era = (shifted >= 0 ? shifted : shifted - 399) / 400;
	int64_t of_era = shifted - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t of_era = shifted - era * 146097;
	int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * years + years / 4 - years / 100), month = (5 * of_year + 2) / 153;

	*ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int)(years + era * 400 + (*ret_month <= 2));
}

static bool day_exists(int64_t year, int month, int day)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leaps = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] + (month == 2 && leaps);
}

static bool moment_of(const struct tm *tm, uint32_t ns, struct moment *ret)
{
	int64_t year = (int64_t)tm->tm_year + 1900;

	if (!day_exists(year, tm->tm_mon + 1, tm->tm_mday))
		return false;
	*ret = (struct moment){ days_of(year, tm->tm_mon + 1, tm->tm_mday) * DAY_S + tm->tm_hour * 3600 +
					tm->tm_min * 60 + tm->tm_sec - tm->tm_gmtoff,
				ns };
	return ret->second >= SECOND_MIN && ret->second < SECOND_END;
}

/* ---- parts ---- */

/* Digits behind the point or comma; what is finer than a nanosecond is cut off. Returns false: there are none. */
static bool read_fraction(const char **at, uint32_t *ret_ns)
{
	uint32_t part = NS;

	if (!isdigit((unsigned char)**at))
		return false;
	for (; isdigit((unsigned char)**at); ++*at) {
		part /= 10;
		*ret_ns += part * (uint32_t)(**at - '0');
	}
	return true;
}

static bool skip(const char **at, const char *any)
{
	if (!**at || !strchr(any, **at))
		return false;
	++*at;
	return true;
}

/* So many digits, up to a bound. */
static bool digits(const char **at, unsigned n, int maximum, int *ret)
{
	*ret = 0;
	for (; n; n--, ++*at) {
		if (!isdigit((unsigned char)**at))
			return false;
		*ret = *ret * 10 + (**at - '0');
	}
	return *ret <= maximum;
}

static bool read_zone(const char **at, struct tm *tm)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	if (skip(at, "Zz"))
		return true;
	if (!skip(at, "+-") || !digits(at, 2, 23, &hours) || !skip(at, ":") || !digits(at, 2, 59, &minutes))
		return false;
	tm->tm_gmtoff = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool read_rfc3339(const char *at, struct moment *ret)
{
	struct tm tm = { 0 };
	uint32_t ns = 0;

	if (!digits(&at, 4, 9999, &tm.tm_year) || !skip(&at, "-") || !digits(&at, 2, 12, &tm.tm_mon) ||
	    !skip(&at, "-") || !digits(&at, 2, 31, &tm.tm_mday) || !skip(&at, "Tt "))
		return false;
	if (!digits(&at, 2, 23, &tm.tm_hour) || !skip(&at, ":") || !digits(&at, 2, 59, &tm.tm_min) || !skip(&at, ":") ||
	    !digits(&at, 2, 60, &tm.tm_sec))
		return false;
	if (skip(&at, ".") && !read_fraction(&at, &ns))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return read_zone(&at, &tm) && !*at && moment_of(&tm, ns, ret);
}

static bool read_unix(const char *at, uint32_t unit_ns, struct moment *ret)
{
	uint64_t units = 0, per_second = NS / unit_ns;
	uint32_t ns = 0;

	if (!isdigit((unsigned char)*at))
		return false;
	for (; isdigit((unsigned char)*at); at++) {
		if (units > (UINT64_MAX - 9) / 10)
			return false;
		units = units * 10 + (uint64_t)(*at - '0');
	}
	if (skip(&at, ".") && (!read_fraction(&at, &ns) || *at))
		return false;
	*ret = (struct moment){ (int64_t)(units / per_second),
				(uint32_t)(units % per_second) * unit_ns + ns / (uint32_t)per_second };
	return !*at && ret->second < SECOND_END;
}

static bool read_format(const struct moment_form *form, const char *at, struct moment *ret)
{
	struct tm tm = { .tm_mday = 1 };
	uint32_t ns = 0;

	at = strptime(at, form->format, &tm);
	if (at && form->has_fraction) {
		if (!read_fraction(&at, &ns))
			return false;
		at = strptime(at, form->behind, &tm);
	}
	return at && !*at && moment_of(&tm, ns, ret);
}

bool moment_read(const struct moment_form *form, const char *text, size_t size_bytes, struct moment *ret)
{
	char copy[TEXT_SIZE_MAX + 1];

	if (!size_bytes || size_bytes > TEXT_SIZE_MAX || memchr(text, '\0', size_bytes))
		return false;
	memcpy(copy, text, size_bytes);
	copy[size_bytes] = '\0';
	return form->spelling == MOMENT_RFC3339 ? read_rfc3339(copy, ret) :
	       form->spelling == MOMENT_UNIX    ? read_unix(copy, form->unit_ns, ret) :
						  read_format(form, copy, ret);
}

/* ---- how they are spelled ---- */

static const char *check_conversions(const char *format)
{
	bool year = false, day = false;

	for (const char *at = format; (at = strchr(at, '%')); at += at[1] ? 2 : 1) {
		if (at[1] == '\0' || !strchr("aAbBhCdDeFHIjklmMnpRSTtyYzf%", at[1]))
			return "has a conversion that can't be read exactly: strptime(3)'s for dates and hours, %z, and %f for a fraction can";
		year = year || strchr("yYDF", at[1]);
		day = day || strchr("djeDF", at[1]);
	}
	if (!year || !day)
		return "says no year or no day, so it is no point in time: %Y and %d, for example";
	return NULL;
}

/* NULL: there is none. */
static const char *find_fraction(const char *format)
{
	const char *at = format;

	while ((at = strchr(at, '%')) && at[1] != 'f')
		at += 2;
	return at;
}

static const char *read_conversions(const char *text, struct moment_form *ret)
{
	const char *fraction, *wrong;

	ret->spelling = MOMENT_FORMAT;
	if (strlen(text) > MOMENT_FORMAT_SIZE_MAX)
		return "is too long: at most 127 bytes";
	wrong = check_conversions(text);
	if (wrong)
		return wrong;
	fraction = find_fraction(text);
	ret->has_fraction = fraction;
	if (fraction && find_fraction(fraction + 2))
		return "has %f twice";
	if (fraction)
		memcpy(ret->behind, fraction + 2, strlen(fraction + 2));
	memcpy(ret->format, text, fraction ? (size_t)(fraction - text) : strlen(text));
	return NULL;
}

const char *moment_form_read(const char *text, struct moment_form *ret)
{
	static const struct {
		const char *name;
		uint32_t ns;
	} units[] = { { "unix", NS }, { "unix_ms", 1000000 }, { "unix_us", 1000 }, { "unix_ns", 1 } };

	*ret = (struct moment_form){ .spelling = MOMENT_UNIX };
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].name, text) == 0) {
			ret->unit_ns = units[i].ns;
			return NULL;
		}
	if (*text)
		return read_conversions(text, ret);
	ret->spelling = MOMENT_RFC3339;
	return NULL;
}

/* So many digits. */
static char *put(char *to, uint32_t value, unsigned n)
{
	for (unsigned i = n; i--; value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + n;
}

static char *put_behind(char *to, char before, int value)
{
	*to++ = before;
	return put(to, (uint32_t)value, 2);
}

size_t moment_write(const struct moment *moment, char room[MOMENT_TEXT_SIZE])
{
	int64_t days = moment->second / DAY_S - (moment->second % DAY_S < 0);
	int of_day = (int)(moment->second - days * DAY_S), year, month, day;
	char *to;

	date_of(days, &year, &month, &day);
	to = put(room, (uint32_t)year, 4);
	to = put_behind(to, '-', month);
	to = put_behind(to, '-', day);
	to = put_behind(to, 'T', of_day / 3600);
	to = put_behind(to, ':', of_day / 60 % 60);
	to = put_behind(to, ':', of_day % 60);
	if (moment->ns)
		*to++ = '.';
	if (moment->ns % 1000)
		to = put(to, moment->ns, 9);
	else if (moment->ns % 1000000)
		to = put(to, moment->ns / 1000, 6);
	else if (moment->ns)
		to = put(to, moment->ns / 1000000, 3);
	*to++ = 'Z';
	return (size_t)(to - room);
}
