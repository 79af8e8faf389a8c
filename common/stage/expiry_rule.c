/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stage/expiry_rule.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/stage.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"
#include "common/stage/key_expression.h"
#include "common/stage/registry.h"

#define EXPIRES_MIN_NS INT64_C(1000000)
#define EXPIRES_MAX_NS (365 * INT64_C(86400000000000))
#define VALUE_SIZE_MAX 64u

static const struct {
	const char *name;
	uint64_t ns;
} units[] = { { "s", NS_PER_S }, { "ms", NS_PER_MS }, { "us", NS_PER_US }, { "ns", 1 } };
#define N_UNITS (sizeof(units) / sizeof(units[0]))

/* ---- the rule ---- */

static int parse_for(const char *source, struct expiry_rule *ret, struct text *why)
{
	static const struct weir_option duration = {
		.name = "expires", .type = WEIR_TYPE_DURATION, .minimum = EXPIRES_MIN_NS, .maximum = EXPIRES_MAX_NS
	};
	int64_t ns;

	if (stage_option_check(&duration, source, &ns, why) != 0) {
		if (*source && !isdigit((unsigned char)*source) && *source != '-')
			text_add(why, "; or what the item itself says: within(.ttl), at(.deadline)");
		return EXPIRY_RULE_E_BAD;
	}
	*ret = (struct expiry_rule){ .kind = EXPIRY_FOR, .for_ns = (uint64_t)ns };
	return 0;
}

/* The last comma outside of parentheses and quotes; NULL: there is none. */
static char *find_comma(char *inner)
{
	char *found = NULL, quote = '\0';
	int depth = 0;

	for (char *at = inner; *at; at++) {
		if (quote) {
			if (*at == '\\' && at[1])
				at++;
			else if (*at == quote)
				quote = '\0';
		} else if (*at == '\'' || *at == '"') {
			quote = *at;
		} else if (*at == '(' || *at == ')') {
			depth += *at == '(' ? 1 : -1;
		} else if (*at == ',' && !depth) {
			found = at;
		}
	}
	return found;
}

/* Cuts ", s" off. Returns false: there is something else. */
static bool cut_unit(char *inner, uint64_t *ret_unit_ns)
{
	char *comma = find_comma(inner), *unit = comma;
	size_t n;

	*ret_unit_ns = NS_PER_MS;
	if (!comma)
		return true;
	unit += 1 + strspn(comma + 1, " \t");
	n = strcspn(unit, " \t");
	if (unit[n + strspn(unit + n, " \t")])
		return false;
	for (size_t i = 0; i < N_UNITS; i++)
		if (strlen(units[i].name) == n && memcmp(units[i].name, unit, n) == 0) {
			*ret_unit_ns = units[i].ns;
			*comma = '\0';
			return true;
		}
	return false;
}

static int parse_said(const char *source, struct expiry_rule *ret, struct text *why)
{
	struct key_expression expression = KEY_EXPRESSION_NULL;
	_cleanup_(free) char *inner = NULL;
	size_t n = strlen(source);

	if (source[n - 1] != ')') {
		text_add(why, "has no closing parenthesis; in {...} a comma ends a value unless it is quoted");
		return EXPIRY_RULE_E_BAD;
	}
	inner = strdup(strchr(source, '(') + 1);
	must(inner);
	inner[strlen(inner) - 1] = '\0';
	if (!cut_unit(inner, &ret->unit_ns)) {
		text_add(why, "is wrong behind the comma: expected the unit of numbers: s, ms, us or ns");
		return EXPIRY_RULE_E_BAD;
	}
	if (key_expression_parse(inner, &expression, why) != 0)
		return EXPIRY_RULE_E_BAD;
	key_expression_deinit(&expression);
	ret->expression = inner;
	inner = NULL;
	return 0;
}

int expiry_rule_parse(const char *source, struct expiry_rule *ret, struct text *why)
{
	struct expiry_rule rule = EXPIRY_RULE_NULL;
	int r;

	if (strncmp(source, "at(", 3) == 0)
		rule.kind = EXPIRY_AT;
	else if (strncmp(source, "within(", 7) == 0)
		rule.kind = EXPIRY_WITHIN;
	r = rule.kind == EXPIRY_FOR ? parse_for(source, &rule, why) : parse_said(source, &rule, why);
	if (r == 0)
		*ret = rule;
	return r;
}

void expiry_rule_deinit(struct expiry_rule *rule)
{
	free(rule->expression);
	*rule = (struct expiry_rule)EXPIRY_RULE_NULL;
}

/* ---- what an item says ---- */

static uint64_t saturated(unsigned __int128 ns)
{
	return ns < UINT64_MAX ? (uint64_t)ns : UINT64_MAX;
}

/* Decimal, with a fraction or without. What a fraction has beyond the nanosecond is cut off. */
static int read_number(const char *value, uint64_t unit_ns, uint64_t *ret_ns)
{
	unsigned __int128 whole = 0;
	uint64_t part_ns = unit_ns, fraction_ns = 0;
	const char *at = value;

	for (; isdigit((unsigned char)*at); at++)
		whole = whole < UINT64_MAX ? whole * 10 + (unsigned)(*at - '0') : UINT64_MAX;
	if (at == value)
		return EXPIRY_RULE_E_BAD;
	if (*at == '.') {
		if (!isdigit((unsigned char)*++at))
			return EXPIRY_RULE_E_BAD;
		for (; isdigit((unsigned char)*at); at++) {
			part_ns /= 10;
			fraction_ns += part_ns * (unsigned)(*at - '0');
		}
	}
	*ret_ns = saturated(whole * unit_ns + fraction_ns);
	return *at ? EXPIRY_RULE_E_BAD : 0;
}

/* So many digits, and nothing else; -1: there are others. */
static int digits(const char **at, unsigned n)
{
	int value = 0;

	for (; n; n--, ++*at) {
		if (!isdigit((unsigned char)**at))
			return -1;
		value = value * 10 + (**at - '0');
	}
	return value;
}

static bool skip(const char **at, const char *any)
{
	if (!**at || !strchr(any, **at))
		return false;
	++*at;
	return true;
}

/* "Z", "+02:00": seconds east of UTC. */
static bool read_zone(const char **at, int *ret_s)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	*ret_s = 0;
	if (skip(at, "Zz"))
		return true;
	if (!skip(at, "+-"))
		return false;
	hours = digits(at, 2);
	if (hours < 0 || hours > 23 || !skip(at, ":"))
		return false;
	minutes = digits(at, 2);
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return minutes >= 0 && minutes <= 59;
}

static bool read_day(const char **at, struct tm *day)
{
	day->tm_year = digits(at, 4) - 1900;
	if (day->tm_year < 70 || !skip(at, "-"))
		return false;
	day->tm_mon = digits(at, 2) - 1;
	if (day->tm_mon < 0 || day->tm_mon > 11 || !skip(at, "-"))
		return false;
	day->tm_mday = digits(at, 2);
	return day->tm_mday >= 1 && day->tm_mday <= 31;
}

static bool read_hour(const char **at, struct tm *day)
{
	day->tm_hour = digits(at, 2);
	if (day->tm_hour < 0 || day->tm_hour > 23 || !skip(at, ":"))
		return false;
	day->tm_min = digits(at, 2);
	if (day->tm_min < 0 || day->tm_min > 59 || !skip(at, ":"))
		return false;
	day->tm_sec = digits(at, 2);
	return day->tm_sec >= 0 && day->tm_sec <= 60;
}

/* RFC 3339. */
static int read_time(const char *value, uint64_t *ret_ns)
{
	struct tm day = { 0 };
	const char *at = value;
	uint64_t part_ns = NS_PER_S, fraction_ns = 0;
	int zone_s, mday, leap;
	time_t seconds;

	if (!read_day(&at, &day) || !skip(&at, "Tt ") || !read_hour(&at, &day))
		return EXPIRY_RULE_E_BAD;
	if (skip(&at, ".") && !isdigit((unsigned char)*at))
		return EXPIRY_RULE_E_BAD;
	for (; isdigit((unsigned char)*at); at++) {
		part_ns /= 10;
		fraction_ns += part_ns * (unsigned)(*at - '0');
	}
	if (!read_zone(&at, &zone_s) || *at)
		return EXPIRY_RULE_E_BAD;
	mday = day.tm_mday;
	leap = day.tm_sec == 60;
	day.tm_sec -= leap;
	seconds = timegm(&day) - zone_s + leap;
	if (day.tm_mday != mday) /* the 31st of a month of 30 */
		return EXPIRY_RULE_E_BAD;
	*ret_ns = seconds < 0 ? 0 : saturated((unsigned __int128)seconds * NS_PER_S + fraction_ns);
	return 0;
}

int expiry_rule_value(const struct expiry_rule *rule, const char *value, size_t size_bytes, uint64_t *ret_ns)
{
	char text[VALUE_SIZE_MAX];
	int64_t ns;

	for (; size_bytes && isspace((unsigned char)*value); value++)
		size_bytes--;
	while (size_bytes && isspace((unsigned char)value[size_bytes - 1]))
		size_bytes--;
	if (!size_bytes)
		return EXPIRY_RULE_E_NONE;
	if (size_bytes >= sizeof(text) || memchr(value, '\0', size_bytes))
		return EXPIRY_RULE_E_BAD;
	memcpy(text, value, size_bytes);
	text[size_bytes] = '\0';
	if (read_number(text, rule->unit_ns, ret_ns) == 0)
		return 0;
	if (rule->kind == EXPIRY_AT)
		return read_time(text, ret_ns);
	if (quantity_duration(text, &ns) != 0 || ns < 0)
		return EXPIRY_RULE_E_BAD;
	*ret_ns = (uint64_t)ns;
	return 0;
}

const char *expiry_rule_expected(const struct expiry_rule *rule)
{
	static const char *const expected[2][N_UNITS] = {
		{ "a duration such as 500ms, or a number of seconds",
		  "a duration such as 500ms, or a number of milliseconds",
		  "a duration such as 500ms, or a number of microseconds",
		  "a duration such as 500ms, or a number of nanoseconds" },
		{ "a time such as 2026-11-22T06:00:00Z, or seconds since 1970",
		  "a time such as 2026-11-22T06:00:00Z, or milliseconds since 1970",
		  "a time such as 2026-11-22T06:00:00Z, or microseconds since 1970",
		  "a time such as 2026-11-22T06:00:00Z, or nanoseconds since 1970" },
	};
	size_t unit = 0;

	while (unit < N_UNITS - 1 && units[unit].ns != rule->unit_ns)
		unit++;
	return expected[rule->kind == EXPIRY_AT][unit];
}
