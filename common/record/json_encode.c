/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From msgpack to JSON. What JSON has no place for (NaN, bytes, extensions, names that are no strings) is refused and not bent into
 * something else: a reader could not tell it from what was meant.
 */
#include <math.h>
#include <string.h>

#include "common/base/text.h"
#include "common/record/json.h"
#include "common/record/number.h"
#include "common/record/value.h"

struct encoding {
	const unsigned char *begin;
	struct value_reader reader;
	char *to;
	uint32_t depth;
	struct record_fault *fault;
};

static int element(struct encoding *encoding);

static int bad(struct encoding *encoding, const unsigned char *at, const char *why)
{
	return record_fault(encoding->fault, "byte %zu of the item: %s", (size_t)(at - encoding->begin) + 1, why);
}

static void put(struct encoding *encoding, const char *data, size_t size_bytes)
{
	memcpy(encoding->to, data, size_bytes);
	encoding->to += size_bytes;
}

/* Of the characters below a blank: the letter of its short escape, or 0. */
static const char short_escapes[0x20] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };

static void escape(struct encoding *encoding, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	char letter = c < 0x20 ? short_escapes[c] : (char)c;

	*encoding->to++ = '\\';
	if (letter) {
		*encoding->to++ = letter;
		return;
	}
	put(encoding, "u00", 3);
	*encoding->to++ = digits[c >> 4];
	*encoding->to++ = digits[c & 15];
}

static int string(struct encoding *encoding, const struct value *value)
{
	const unsigned char *at = (const unsigned char *)value->data, *end = at + value->n, *plain = at;

	*encoding->to++ = '"';
	while (at < end) {
		size_t length = *at < 0x80 ? 1 : text_utf8_length(at, (size_t)(end - at));

		if (!length)
			return bad(encoding, at, "invalid UTF-8 in a string");
		if (*at >= 0x20 && *at != '"' && *at != '\\') {
			at += length;
			continue;
		}
		put(encoding, (const char *)plain, (size_t)(at - plain));
		escape(encoding, *at);
		plain = ++at;
	}
	put(encoding, (const char *)plain, (size_t)(at - plain));
	*encoding->to++ = '"';
	return 0;
}

static int array(struct encoding *encoding, uint32_t n)
{
	int r = 0;

	*encoding->to++ = '[';
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		if (i)
			*encoding->to++ = ',';
		r = element(encoding);
	}
	*encoding->to++ = ']';
	return r;
}

static int pair(struct encoding *encoding)
{
	const unsigned char *at = encoding->reader.next;
	int r = at < encoding->reader.end && ((*at >= 0xa0 && *at < 0xc0) || (*at >= 0xd9 && *at < 0xdc)) ?
			element(encoding) :
			bad(encoding, at, "a name that is no string, which JSON does not have");

	if (r != 0)
		return r;
	*encoding->to++ = ':';
	return element(encoding);
}

static int map(struct encoding *encoding, uint32_t n)
{
	int r = 0;

	*encoding->to++ = '{';
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		if (i)
			*encoding->to++ = ',';
		r = pair(encoding);
	}
	*encoding->to++ = '}';
	return r;
}

static int container(struct encoding *encoding, const unsigned char *at, const struct value *value)
{
	int r;

	if (encoding->depth == RECORD_DEPTH_MAX)
		return record_fault(encoding->fault, "byte %zu of the item: deeper than %u levels",
				    (size_t)(at - encoding->begin) + 1, RECORD_DEPTH_MAX);
	encoding->depth++;
	r = value->type == VALUE_ARRAY ? array(encoding, value->n) : map(encoding, value->n);
	encoding->depth--;
	return r;
}

static int real(struct encoding *encoding, const unsigned char *at, double value)
{
	if (!isfinite(value))
		return bad(encoding, at, "a number that is not finite, which JSON does not have");
	encoding->to += number_write_double(value, encoding->to);
	return 0;
}

static int write_value(struct encoding *encoding, const unsigned char *at, const struct value *value)
{
	switch (value->type) {
	case VALUE_NIL:
		put(encoding, "null", 4);
		return 0;
	case VALUE_BOOLEAN:
		put(encoding, value->number ? "true" : "false", value->number ? 4 : 5);
		return 0;
	case VALUE_NEGATIVE:
		*encoding->to++ = '-';
		encoding->to += number_write_unsigned(0 - value->number, encoding->to);
		return 0;
	case VALUE_UNSIGNED:
		encoding->to += number_write_unsigned(value->number, encoding->to);
		return 0;
	case VALUE_DOUBLE:
		return real(encoding, at, value->real);
	case VALUE_STRING:
		return string(encoding, value);
	case VALUE_ARRAY:
	case VALUE_MAP:
		return container(encoding, at, value);
	case VALUE_BINARY:
		return bad(encoding, at, "bytes (bin), which JSON does not have");
	case VALUE_EXTENSION:
		return bad(encoding, at, "an extension type, which JSON does not have");
	}
	return bad(encoding, at, "no msgpack");
}

static int element(struct encoding *encoding)
{
	const unsigned char *at = encoding->reader.next;
	struct value value;

	if (value_next(&encoding->reader, &value) != 0)
		return bad(encoding, at, "no msgpack: is what comes here decoded?");
	return write_value(encoding, at, &value);
}

int json_encode(const void *item, size_t size_bytes, char *room, size_t *ret_size_bytes, struct record_fault *fault)
{
	struct encoding encoding = { .begin = item, .to = room, .fault = fault };
	int r;

	value_reader_init(&encoding.reader, item, size_bytes);
	r = element(&encoding);
	if (r == 0 && encoding.reader.next != encoding.reader.end)
		return bad(&encoding, encoding.reader.next, "something behind its value: is what comes here decoded?");
	*ret_size_bytes = (size_t)(encoding.to - room);
	return r;
}
