/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      at=info msg="say \"ah\"" n=2 cached       at, msg and n have values; cached has none, and is true
 *
 * There is no standard; this is what those who write it have in common. A value ends at a blank, or is a string in quotes with the escapes
 * of JSON. A quote within a value is most often a string that was cut: such a line is bad, and no field of it is guessed.
 */
#include "common/record/logfmt.h"

#include <stdbool.h>

#include "common/base/text.h"
#include "common/record/json.h"
#include "common/record/json_names.h"
#include "common/record/pack.h"

struct reading {
	const char *begin, *at, *end;
	struct pack pack;
	struct json_names names;
	struct record_fault *fault;
};

static int bad(const struct reading *reading, const char *at, const char *why)
{
	return record_fault(reading->fault, "byte %zu: %s", (size_t)(at - reading->begin) + 1, why);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct reading *reading)
{
	while (reading->at < reading->end && is_blank(*reading->at))
		reading->at++;
}

/* Up to a blank or one of these two; a quote that is none of them is out of place. */
static int word(struct reading *reading, char stop, size_t *ret_size_bytes)
{
	const char *at = reading->at;

	for (; at < reading->end && !is_blank(*at) && *at != stop; at++)
		if (*at == '"')
			return bad(reading, at,
				   "a quote inside a word: put all of the value in quotes, and \\\" for one in it");
	*ret_size_bytes = (size_t)(at - reading->at);
	if (!text_is_utf8(reading->at, *ret_size_bytes))
		return bad(reading, reading->at, "invalid UTF-8 in this word");
	return 0;
}

/* The quote that closes the string; NULL: there is none. */
static const char *closing_quote(const struct reading *reading, bool *ret_has_escapes)
{
	const char *at = reading->at + 1;

	*ret_has_escapes = false;
	for (; at < reading->end && *at != '"'; at++)
		if (*at == '\\') {
			*ret_has_escapes = true;
			at += at + 1 < reading->end;
		}
	return at < reading->end ? at : NULL;
}

/* As JSON reads it. */
static int escaped(struct reading *reading, size_t size_bytes)
{
	struct record_scratch none = { 0 }; /* a string needs none */
	struct record_fault why;
	size_t packed_bytes;
	int r = json_decode(&none, reading->at, size_bytes, reading->pack.next, &packed_bytes, &why);

	record_scratch_deinit(&none);
	if (r != 0)
		return record_fault(reading->fault, "in the string at byte %zu: %s",
				    (size_t)(reading->at - reading->begin) + 1, why.why);
	reading->pack.next += packed_bytes;
	return 0;
}

static int quoted(struct reading *reading)
{
	bool has_escapes;
	const char *close = closing_quote(reading, &has_escapes);
	size_t size = close ? (size_t)(close - reading->at) + 1 : 0;
	int r = 0;

	if (!close)
		return bad(reading, reading->at, "this quote is never closed");
	if (close + 1 < reading->end && !is_blank(close[1]))
		return bad(reading, close + 1, "something behind the closing quote");
	if (has_escapes)
		r = escaped(reading, size);
	else if (text_is_utf8(reading->at, size))
		pack_string(&reading->pack, reading->at + 1, size - 2);
	else
		r = bad(reading, reading->at, "invalid UTF-8 in this string");
	reading->at = close + 1;
	return r;
}

static int value(struct reading *reading)
{
	size_t size;
	int r;

	if (reading->at < reading->end && *reading->at == '"')
		return quoted(reading);
	r = word(reading, ' ', &size);
	if (r != 0)
		return r;
	pack_string(&reading->pack, reading->at, size);
	reading->at += size;
	return 0;
}

static int pair(struct reading *reading)
{
	size_t size;
	int r = word(reading, '=', &size);

	if (r != 0)
		return r;
	if (!size)
		return bad(reading, reading->at, "expected a name before '='");
	json_names_note(&reading->names, reading->pack.next);
	pack_string(&reading->pack, reading->at, size);
	reading->at += size;
	if (reading->at == reading->end || *reading->at != '=')
		return msgpack_pack_true(&reading->pack.packer);
	reading->at++;
	return value(reading);
}

int logfmt_decode(struct record_scratch *scratch, const char *text, size_t size_bytes, void *room,
		  size_t *ret_size_bytes, struct record_fault *fault)
{
	struct reading reading = {
		.begin = text, .at = text, .end = text + size_bytes, .names = { room, scratch, 0 }, .fault = fault
	};
	unsigned char *head;
	uint32_t n = 0;
	int r = 0;

	if (size_bytes > RECORD_SIZE_MAX)
		return record_fault(fault, "it is longer than %zu bytes", RECORD_SIZE_MAX);
	pack_init(&reading.pack, room);
	head = pack_open(&reading.pack);
	for (skip_blanks(&reading); r == 0 && reading.at < reading.end; skip_blanks(&reading), n++)
		r = pair(&reading);
	if (r != 0)
		return r;
	if (!n)
		return RECORD_E_EMPTY;
	n = json_names_forget(&reading.names, n, &reading.pack.next);
	pack_close(&reading.pack, head, n, true);
	*ret_size_bytes = (size_t)(reading.pack.next - (unsigned char *)room);
	return 0;
}
