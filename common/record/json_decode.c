/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From JSON to msgpack in one go, over the text once and over the room once:
 *
 *      text   {"user": "ada", "n": [1, 2.5]}
 *      room   82 a4user a3ada a1n 92 01 cb4004000000000000
 *
 * How many elements an array or object has is known at its end only: its head is made one byte long, which is right for up to 15 of them,
 * and else what is in it moves up (pack_close). Strings know their length, or, with escapes, are moved too.
 *
 * Of a name that stands in an object twice the last value counts, as in jq, Python and JavaScript: whoever looks something up in the
 * item finds what they would have found in the text: json_names.c.
 */
#include <stdbool.h>

#include "common/base/text.h"
#include "common/record/json.h"
#include "common/record/json_names.h"
#include "common/record/number.h"

#define EXPECTED_VALUE "expected a value: {, [, a string, a number, true, false or null"

struct decoding {
	const char *begin, *at, *end;
	struct pack pack;
	struct json_names names;
	uint32_t depth;
	struct record_fault *fault;
};

static int value(struct decoding *decoding);

static int bad(struct decoding *decoding, const char *at, const char *why)
{
	return record_fault(decoding->fault, "byte %zu: %s", (size_t)(at - decoding->begin) + 1, why);
}

/* What is expected there, or the end of the record. */
static int bad_here(struct decoding *decoding, const char *expected)
{
	if (decoding->at < decoding->end)
		return bad(decoding, decoding->at, expected);
	return record_fault(decoding->fault, "it ends too early: %s", expected);
}

static void skip_blanks(struct decoding *decoding)
{
	while (decoding->at < decoding->end &&
	       (*decoding->at == ' ' || *decoding->at == '\t' || *decoding->at == '\r' || *decoding->at == '\n'))
		decoding->at++;
}

static bool skip(struct decoding *decoding, char c)
{
	if (decoding->at == decoding->end || *decoding->at != c)
		return false;
	decoding->at++;
	return true;
}

/* ---- strings ---- */

/* Four hexadecimal digits; -1: they are none. */
static int32_t read_unit(const char *at, const char *end)
{
	int32_t unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		int digit = c >= '0' && c <= '9' ? c - '0' :
			    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			    c >= 'A' && c <= 'F' ? c - 'A' + 10 :
						   -1;

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static unsigned char *write_point(unsigned char *to, uint32_t point)
{
	if (point < 0x80) {
		*to++ = (unsigned char)point;
	} else if (point < 0x800) {
		*to++ = (unsigned char)(0xc0 | point >> 6);
		*to++ = (unsigned char)(0x80 | (point & 0x3f));
	} else if (point < 0x10000) {
		*to++ = (unsigned char)(0xe0 | point >> 12);
		*to++ = (unsigned char)(0x80 | (point >> 6 & 0x3f));
		*to++ = (unsigned char)(0x80 | (point & 0x3f));
	} else {
		*to++ = (unsigned char)(0xf0 | point >> 18);
		*to++ = (unsigned char)(0x80 | (point >> 12 & 0x3f));
		*to++ = (unsigned char)(0x80 | (point >> 6 & 0x3f));
		*to++ = (unsigned char)(0x80 | (point & 0x3f));
	}
	return to;
}

/* Behind "\u". Half of a surrogate pair is no character, and UTF-8 has no bytes for it. */
static int unescape_point(struct decoding *decoding, const char **at, const char *end, unsigned char **to)
{
	int32_t unit = read_unit(*at, end), low;

	if (unit < 0)
		return bad(decoding, *at, "expected four hexadecimal digits behind \\u");
	if (unit >= 0xd800 && unit < 0xe000) {
		low = unit < 0xdc00 && end - *at >= 10 && (*at)[4] == '\\' && (*at)[5] == 'u' ?
			      read_unit(*at + 6, end) :
			      -1;
		if (low < 0xdc00 || low >= 0xe000)
			return bad(decoding, *at - 2, "half of a surrogate pair is no character");
		unit = 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
		*at += 6;
	}
	*at += 4;
	*to = write_point(*to, (uint32_t)unit);
	return 0;
}

static int unescape(struct decoding *decoding, const char **at, const char *end, unsigned char **to)
{
	static const char from[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *found = strchr(from, **at);

	if (**at == 'u') {
		++*at;
		return unescape_point(decoding, at, end, to);
	}
	if (!found || !**at)
		return bad(decoding, *at - 1, "there is no such escape");
	*(*to)++ = (unsigned char)meant[found - from];
	++*at;
	return 0;
}

/* Between the quotes, with escapes. */
static int unescape_all(struct decoding *decoding, const char *at, const char *end)
{
	unsigned char *begin = decoding->pack.next + PACK_HEAD_BYTES_MAX, *to = begin;
	int r;

	while (at < end) {
		if (*at != '\\') {
			*to++ = (unsigned char)*at++;
			continue;
		}
		at++;
		r = unescape(decoding, &at, end, &to);
		if (r != 0)
			return r;
	}
	pack_string_behind(&decoding->pack, (size_t)(to - begin));
	return 0;
}

/* Up to the closing quote, over everything that may stand in a string. Returns it, or NULL, which was said. */
static const char *string_end(struct decoding *decoding, bool *ret_has_escapes)
{
	const char *at = decoding->at;

	*ret_has_escapes = false;
	while (at < decoding->end && *at != '"') {
		unsigned char c = (unsigned char)*at;
		size_t length =
			c < 0x80 ? 1 : text_utf8_length((const unsigned char *)at, (size_t)(decoding->end - at));

		if (c < 0x20 || !length) {
			bad(decoding, at,
			    length ? "a control character in a string: write it as an escape" : "invalid UTF-8");
			return NULL;
		}
		if (c == '\\') {
			*ret_has_escapes = true;
			length += at + 1 < decoding->end;
			if (length == 2 && (unsigned char)at[1] >= 0x80)
				length = 1; /* no such escape, and perhaps no UTF-8 either */
		}
		at += length;
	}
	if (at < decoding->end)
		return at;
	record_fault(decoding->fault, "it ends too early: the string at byte %zu is not closed",
		     (size_t)(decoding->at - decoding->begin));
	return NULL;
}

/* Behind the opening quote. */
static int string(struct decoding *decoding)
{
	bool has_escapes;
	const char *begin = decoding->at, *end = string_end(decoding, &has_escapes);

	if (!end)
		return RECORD_E_BAD;
	decoding->at = end + 1;
	if (has_escapes)
		return unescape_all(decoding, begin, end);
	pack_string(&decoding->pack, begin, (size_t)(end - begin));
	return 0;
}

/* ---- values ---- */

/* Behind what opens it. */
static int enter(struct decoding *decoding)
{
	if (decoding->depth == RECORD_DEPTH_MAX)
		return record_fault(decoding->fault, "byte %zu: deeper than %u levels",
				    (size_t)(decoding->at - decoding->begin), RECORD_DEPTH_MAX);
	decoding->depth++;
	skip_blanks(decoding);
	return 0;
}

static int array(struct decoding *decoding)
{
	unsigned char *begin = pack_open(&decoding->pack);
	uint32_t n = 0;
	int r = enter(decoding);

	for (bool more = r == 0 && !skip(decoding, ']'); more; n++) {
		r = value(decoding);
		if (r != 0)
			return r;
		more = skip(decoding, ',');
		if (!more && !skip(decoding, ']'))
			return bad_here(decoding, "expected ',' or ']'");
	}
	decoding->depth--;
	pack_close(&decoding->pack, begin, n, false);
	return r;
}

static int member(struct decoding *decoding)
{
	int r;

	skip_blanks(decoding);
	if (!skip(decoding, '"'))
		return bad_here(decoding, "expected a name in double quotes");
	json_names_note(&decoding->names, decoding->pack.next);
	r = string(decoding);
	if (r != 0)
		return r;
	skip_blanks(decoding);
	return skip(decoding, ':') ? value(decoding) : bad_here(decoding, "expected ':'");
}

static int object(struct decoding *decoding)
{
	unsigned char *begin = pack_open(&decoding->pack);
	uint32_t n = 0;
	int r = enter(decoding);

	for (bool more = r == 0 && !skip(decoding, '}'); more; n++) {
		r = member(decoding);
		if (r != 0)
			return r;
		more = skip(decoding, ',');
		if (!more && !skip(decoding, '}'))
			return bad_here(decoding, "expected ',' or '}'");
	}
	decoding->depth--;
	n = json_names_forget(&decoding->names, n, &decoding->pack.next);
	pack_close(&decoding->pack, begin, n, true);
	return r;
}

static bool is_word(struct decoding *decoding, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(decoding->end - decoding->at) < n || memcmp(decoding->at, word, n) != 0)
		return false;
	decoding->at += n;
	return true;
}

/* One of more than 60 characters is copied for strtod(); the scratch is in use, so it gets memory of its own. */
static int number(struct decoding *decoding)
{
	const char *begin = decoding->at;
	struct record_scratch own = { 0 };
	struct record_fault why;
	int r = number_read(&own, &decoding->at, decoding->end, &decoding->pack, &why);

	record_scratch_deinit(&own);
	return r == 0 ? 0 : bad(decoding, begin, why.why);
}

static int scalar(struct decoding *decoding)
{
	if (is_word(decoding, "null"))
		return msgpack_pack_nil(&decoding->pack.packer);
	if (is_word(decoding, "true"))
		return msgpack_pack_true(&decoding->pack.packer);
	if (is_word(decoding, "false"))
		return msgpack_pack_false(&decoding->pack.packer);
	return bad_here(decoding, EXPECTED_VALUE);
}

/* With the blanks around it. */
static int value(struct decoding *decoding)
{
	char first;
	int r;

	skip_blanks(decoding);
	first = decoding->at < decoding->end ? *decoding->at : '\0';
	if (first == '-' || (first >= '0' && first <= '9')) {
		r = number(decoding);
	} else {
		decoding->at += first == '{' || first == '[' || first == '"';
		r = first == '{' ? object(decoding) :
		    first == '[' ? array(decoding) :
		    first == '"' ? string(decoding) :
				   scalar(decoding);
	}
	if (r == 0)
		skip_blanks(decoding);
	return r;
}

int json_decode(struct record_scratch *scratch, const char *text, size_t size_bytes, void *room, size_t *ret_size_bytes,
		struct record_fault *fault)
{
	struct decoding decoding = {
		.begin = text,
		.at = text,
		.end = text + size_bytes,
		.names = { .room = room, .scratch = scratch },
		.fault = fault,
	};
	int r;

	if (size_bytes > RECORD_SIZE_MAX)
		return record_fault(fault, "it is longer than %zu bytes", RECORD_SIZE_MAX);
	skip_blanks(&decoding);
	if (decoding.at == decoding.end)
		return RECORD_E_EMPTY;
	pack_init(&decoding.pack, room);
	r = value(&decoding);
	if (r == 0 && decoding.at < decoding.end)
		return bad(&decoding, decoding.at, "expected the end: a line is one value");
	*ret_size_bytes = (size_t)(decoding.pack.next - (unsigned char *)room);
	return r;
}
