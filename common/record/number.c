/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two kinds of numbers go in, and come out as they went in:
 *
 *      18446744073709551615   no fraction, no exponent: an integer, if 64 bits hold it
 *      0.1  1e3  -0  1.0      all others: the nearest double, as in every language; written in the fewest digits that mean it
 *
 * An integer that 64 bits don't hold becomes a double only if that is the very same number. To round an account number in silence, as jq
 * does beyond 2^53, would be worse than to refuse it; and who writes 1e30 or 0.1 has asked for a double.
 */
#include "common/record/number.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_EXACT 15 /* a double holds each integer of so many digits, and ... */
#define POWER_EXACT 22  /* ... ten to the power of this; so their product or quotient is rounded once */
#define DECIMALS_SHORT 6u
#define MAGNITUDE_SHORT 1e9   /* so that with these decimals it has at most DIGITS_EXACT digits */
#define INTEGER_TEXT_MAX 310u /* digits of the largest double */

struct spelling {
	const char *begin, *end;
	uint64_t digits; /* the first 19 digits, without the point */
	int n_digits;    /* how many there are, from the first that is not 0 */
	int power;       /* the number is digits times ten to this, if there are at most 19 */
	bool negative, whole;
	bool overflows; /* whole, and no 64 bits hold it */
};

static void add_digit(struct spelling *spelling, char c)
{
	unsigned digit = (unsigned)(c - '0');

	if (spelling->n_digits || digit)
		spelling->n_digits++;
	spelling->overflows = spelling->overflows || spelling->digits > (UINT64_MAX - digit) / 10;
	if (!spelling->overflows)
		spelling->digits = spelling->digits * 10 + digit;
}

static const char *read_digits(struct spelling *spelling, const char *at, const char *end, int power)
{
	for (; at < end && isdigit((unsigned char)*at); at++) {
		add_digit(spelling, *at);
		spelling->power += power;
	}
	return at;
}

/* As RFC 8259 has it. Returns NULL: it is no number. */
static const char *read_exponent(struct spelling *spelling, const char *at, const char *end)
{
	bool negative;
	int exponent = 0;

	spelling->whole = false;
	negative = ++at < end && *at == '-';
	at += at < end && (*at == '-' || *at == '+');
	if (at == end || !isdigit((unsigned char)*at))
		return NULL;
	for (; at < end && isdigit((unsigned char)*at); at++)
		exponent = exponent < 100000 ? exponent * 10 + (*at - '0') : exponent;
	spelling->power += negative ? -exponent : exponent;
	return at;
}

static bool read_spelling(const char *at, const char *end, struct spelling *ret)
{
	*ret = (struct spelling){ .begin = at, .whole = true };
	ret->negative = *at == '-';
	at += ret->negative;
	if (at == end || !isdigit((unsigned char)*at))
		return false;
	if (*at == '0' && at + 1 < end && isdigit((unsigned char)at[1]))
		return false;
	at = read_digits(ret, at, end, 0);
	if (at < end && *at == '.') {
		ret->whole = false;
		if (++at == end || !isdigit((unsigned char)*at))
			return false;
		at = read_digits(ret, at, end, -1);
	}
	if (at < end && (*at == 'e' || *at == 'E'))
		at = read_exponent(ret, at, end);
	ret->end = at;
	return at;
}

static const double powers[POWER_EXACT + 1] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
						1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Few digits, and a small power: what strtod() would say, at a fraction of its price. */
static bool read_short(const struct spelling *spelling, double *ret)
{
	double value = (double)spelling->digits;

	if (spelling->n_digits > DIGITS_EXACT || spelling->power > POWER_EXACT || spelling->power < -POWER_EXACT)
		return false;
	value = spelling->power < 0 ? value / powers[-spelling->power] : value * powers[spelling->power];
	*ret = spelling->negative ? -value : value;
	return true;
}

/* The text is not terminated, so a copy of it is read. */
static double read_long(struct record_scratch *scratch, const struct spelling *spelling)
{
	size_t length = (size_t)(spelling->end - spelling->begin);
	char small[64], *copy = length < sizeof(small) ? small : record_scratch_get(scratch, length + 1);

	memcpy(copy, spelling->begin, length);
	copy[length] = '\0';
	return strtod(copy, NULL);
}

/* Whether the double is the integer that is written there. */
static bool is_same_integer(const struct spelling *spelling, double value)
{
	char digits[INTEGER_TEXT_MAX + 2];
	size_t length = (size_t)(spelling->end - spelling->begin);

	return isfinite(value) && (size_t)snprintf(digits, sizeof(digits), "%.0f", value) == length &&
	       memcmp(digits, spelling->begin, length) == 0;
}

static int pack_large(struct record_scratch *scratch, const struct spelling *spelling, struct pack *pack,
		      struct record_fault *fault)
{
	double value = read_long(scratch, spelling);
	int length = (int)(spelling->end - spelling->begin);

	if (!is_same_integer(spelling, value))
		return record_fault(
			fault, "the integer %.*s%s is too large to be held exactly: write it as a string, or as 1.0e20",
			length < 40 ? length : 40, spelling->begin, length < 40 ? "" : "...");
	msgpack_pack_double(&pack->packer, value);
	return 0;
}

static int pack_double(struct record_scratch *scratch, const struct spelling *spelling, struct pack *pack,
		       struct record_fault *fault)
{
	double value;
	int length = (int)(spelling->end - spelling->begin);

	if (!read_short(spelling, &value))
		value = read_long(scratch, spelling);
	if (!isfinite(value))
		return record_fault(fault, "the number %.*s%s is too large", length < 40 ? length : 40, spelling->begin,
				    length < 40 ? "" : "...");
	msgpack_pack_double(&pack->packer, value);
	return 0;
}

int number_read(struct record_scratch *scratch, const char **at, const char *end, struct pack *pack,
		struct record_fault *fault)
{
	struct spelling spelling;

	if (!read_spelling(*at, end, &spelling))
		return record_fault(fault, "this is no number");
	*at = spelling.end;
	if (!spelling.whole || (spelling.negative && !spelling.digits)) /* -0 is none of the integers */
		return pack_double(scratch, &spelling, pack, fault);
	if (spelling.overflows || (spelling.negative && spelling.digits > (uint64_t)INT64_MAX + 1))
		return pack_large(scratch, &spelling, pack, fault);
	if (spelling.negative)
		msgpack_pack_int64(&pack->packer, (int64_t)(0 - spelling.digits));
	else
		msgpack_pack_uint64(&pack->packer, spelling.digits);
	return 0;
}

size_t number_write_unsigned(uint64_t value, char *room)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while ((value /= 10));
	for (size_t i = 0; i < n; i++)
		room[i] = digits[n - 1 - i];
	return n;
}

/*
 * Prices and the like: a whole number of millionths, or of something larger. It is read back by one division, which rounds once. Returns
 * 0: it is none of these.
 */
static size_t write_short(double value, char *room)
{
	double magnitude = fabs(value);

	for (unsigned decimals = 1; decimals <= DECIMALS_SHORT && magnitude < MAGNITUDE_SHORT; decimals++) {
		uint64_t whole = (uint64_t)(magnitude * powers[decimals] + 0.5);
		uint64_t power = (uint64_t)powers[decimals], part = whole % power;
		size_t n = 0;

		if ((double)whole / powers[decimals] != magnitude)
			continue;
		if (value < 0)
			room[n++] = '-';
		n += number_write_unsigned(whole / power, room + n);
		room[n++] = '.';
		while ((power /= 10) > part && power > 1) /* 0.05 is 5 hundredths */
			room[n++] = '0';
		return n + number_write_unsigned(part, room + n);
	}
	return 0;
}

size_t number_write_double(double value, char *room)
{
	int n = 0;
	size_t length;

	if (value == floor(value) && fabs(value) < 1e15)
		return (size_t)snprintf(room, NUMBER_TEXT_BYTES, "%.1f", value);
	length = write_short(value, room);
	if (length)
		return length;
	for (int precision = 15; precision <= 17; precision++) {
		n = snprintf(room, NUMBER_TEXT_BYTES, "%.*g", precision, value);
		if (strtod(room, NULL) == value)
			break;
	}
	if (!strpbrk(room, ".e"))
		n += snprintf(room + n, NUMBER_TEXT_BYTES - (size_t)n, ".0");
	return (size_t)n;
}
