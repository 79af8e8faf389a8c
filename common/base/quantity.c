/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/quantity.h"

struct unit {
	const char *suffix;
	double factor;
};

static const struct unit units_integer[] = { { "", 1 },    { "k", 1e3 }, { "K", 1e3 },
					     { "M", 1e6 }, { "G", 1e9 }, { NULL, 0 } };
static const struct unit units_size[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KiB", 1024 },
	{ "MiB", 1048576 },
	{ "GiB", 1073741824 },
	{ "TiB", 1099511627776 },
	{ "K", 1024 },
	{ "M", 1048576 },
	{ "G", 1073741824 },
	{ "k", 1024 },
	{ "kB", 1e3 },
	{ "KB", 1e3 },
	{ "MB", 1e6 },
	{ "GB", 1e9 },
	{ NULL, 0 },
};
static const struct unit units_duration[] = {
	{ "ns", 1 },     { "us", 1e3 },   { "ms", 1e6 },    { "s", 1e9 }, { "m", 60e9 },
	{ "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 }, { NULL, 0 },
};
static const struct unit units_share[] = { { "%", 1e7 }, { "", 1e9 }, { NULL, 0 } };

static int quantity_parse(const char *text, const struct unit *units, int64_t *ret)
{
	const char *number = text;
	char *end;
	double value;

	if (*number == '-')
		number++;
	if (*number < '0' || *number > '9')
		return QUANTITY_E_BAD;
	/* Whole numbers without a unit keep all their digits. */
	if (units[0].suffix[0] == '\0' && strspn(number, "0123456789") == strlen(number)) {
		long long whole;

		errno = 0;
		whole = strtoll(text, &end, 10);
		if (errno)
			return QUANTITY_E_BAD;
		*ret = whole;
		return 0;
	}
	if (strspn(number, "0123456789.") == 0 || (number[0] == '0' && (number[1] == 'x' || number[1] == 'X')))
		return QUANTITY_E_BAD;
	value = strtod(text, &end);
	while (*end == ' ')
		end++;
	for (const struct unit *unit = units; unit->suffix; unit++) {
		if (strcmp(end, unit->suffix) != 0)
			continue;
		value *= unit->factor;
		/* Half an item is a mistake; half a byte or nanosecond is what binary fractions leave of a good number. */
		if (units == units_integer && !(fabs(value - round(value)) < 1e-6))
			return QUANTITY_E_BAD;
		value = round(value);
		if (!(fabs(value) < 9.2e18))
			return QUANTITY_E_BAD;
		*ret = (int64_t)value;
		return 0;
	}
	return QUANTITY_E_BAD;
}

int quantity_integer(const char *text, int64_t *ret_value)
{
	return quantity_parse(text, units_integer, ret_value);
}

int quantity_size(const char *text, int64_t *ret_bytes)
{
	return quantity_parse(text, units_size, ret_bytes);
}

int quantity_duration(const char *text, int64_t *ret_ns)
{
	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	return quantity_parse(text, units_duration, ret_ns);
}

int quantity_rate_parts(const char *text, int64_t *ret_items, int64_t *ret_seconds)
{
	const char *slash = strchr(text, '/');
	char number[32];
	int64_t per = 1;

	if (slash) {
		if (strcmp(slash, "/s") != 0 && strcmp(slash, "/m") != 0 && strcmp(slash, "/h") != 0)
			return QUANTITY_E_BAD;
		per = slash[1] == 's' ? 1 : slash[1] == 'm' ? 60 : 3600;
	}
	if ((slash ? (size_t)(slash - text) : strlen(text)) >= sizeof(number))
		return QUANTITY_E_BAD;
	snprintf(number, sizeof(number), "%.*s", slash ? (int)(slash - text) : 31, text);
	*ret_seconds = per;
	return quantity_integer(number, ret_items) == 0 ? 0 : QUANTITY_E_BAD;
}

int quantity_rate(const char *text, int64_t *ret_per_second)
{
	int64_t items, seconds;

	if (quantity_rate_parts(text, &items, &seconds) != 0)
		return QUANTITY_E_BAD;
	*ret_per_second = (items + seconds - 1) / seconds;
	return 0;
}

int quantity_share(const char *text, int64_t *ret_billionths)
{
	return quantity_parse(text, units_share, ret_billionths);
}

char *quantity_format_size(uint64_t bytes, char buffer[static QUANTITY_TEXT_SIZE])
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t i = 0;

	while (value >= 1024 && i + 1 < sizeof(names) / sizeof(names[0])) {
		value /= 1024;
		i++;
	}
	snprintf(buffer, QUANTITY_TEXT_SIZE, i == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, names[i]);
	return buffer;
}

char *quantity_format_count(uint64_t n, char buffer[static QUANTITY_TEXT_SIZE])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), out = 0;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			buffer[out++] = ',';
		buffer[out++] = digits[i];
	}
	buffer[out] = '\0';
	return buffer;
}

char *quantity_format_duration(uint64_t ns, char buffer[static QUANTITY_TEXT_SIZE])
{
	double s = (double)ns / 1e9;

	if (ns < 1000000)
		snprintf(buffer, QUANTITY_TEXT_SIZE, "%.0f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(buffer, QUANTITY_TEXT_SIZE, "%.0f ms", (double)ns / 1e6);
	else if (s < 60)
		snprintf(buffer, QUANTITY_TEXT_SIZE, "%.1f s", s);
	else if (s < 3600)
		snprintf(buffer, QUANTITY_TEXT_SIZE, "%d:%02d min", (int)s / 60, (int)s % 60);
	else
		snprintf(buffer, QUANTITY_TEXT_SIZE, "%d:%02d:%02d h", (int)s / 3600, (int)s / 60 % 60, (int)s % 60);
	return buffer;
}
