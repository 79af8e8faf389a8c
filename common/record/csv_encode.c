/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map or an array into a record of CSV. The columns say what is written and in which order; each is looked for from where the last one
 * was found, so an item whose members stand in the order of the columns is passed over once.
 */
#include <math.h>

#include "common/base/text.h"
#include "common/record/csv.h"
#include "common/record/number.h"
#include "common/record/value.h"

struct joining {
	const unsigned char *begin;
	char *to;
	char separator;
	struct record_fault *fault;
};

static int bad(struct joining *joining, const unsigned char *at, const char *why)
{
	return record_fault(joining->fault, "byte %zu of the item: %s", (size_t)(at - joining->begin) + 1, why);
}

static bool wants_quotes(char separator, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (data[i] == separator || data[i] == '"' || data[i] == '\n' || data[i] == '\r')
			return true;
	return false;
}

static void put_text(struct joining *joining, const char *data, size_t n)
{
	if (!wants_quotes(joining->separator, data, n)) {
		memcpy(joining->to, data, n);
		joining->to += n;
		return;
	}
	*joining->to++ = '"';
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '"')
			*joining->to++ = '"';
		*joining->to++ = data[i];
	}
	*joining->to++ = '"';
}

/* A number, which is written as JSON has it; it may hold the separator, if that is such a character. */
static void put_number(struct joining *joining, const struct value *value)
{
	char digits[NUMBER_TEXT_BYTES + 1];
	size_t n = 0;

	if (value->type == VALUE_DOUBLE) {
		n = number_write_double(value->real, digits);
	} else {
		if (value->type == VALUE_NEGATIVE)
			digits[n++] = '-';
		n += number_write_unsigned(value->type == VALUE_NEGATIVE ? 0 - value->number : value->number,
					   digits + n);
	}
	put_text(joining, digits, n);
}

static int put_field(struct joining *joining, const unsigned char *at, const struct value *value)
{
	switch (value->type) {
	case VALUE_NIL:
		return 0;
	case VALUE_BOOLEAN:
		put_text(joining, value->number ? "true" : "false", value->number ? 4 : 5);
		return 0;
	case VALUE_STRING:
		if (!text_is_utf8(value->data, value->n))
			return bad(joining, at, "invalid UTF-8 in a string");
		put_text(joining, value->data, value->n);
		return 0;
	case VALUE_DOUBLE:
		if (!isfinite(value->real))
			return bad(joining, at, "a number that is not finite");
		/* fall through */
	case VALUE_UNSIGNED:
	case VALUE_NEGATIVE:
		put_number(joining, value);
		return 0;
	case VALUE_ARRAY:
	case VALUE_MAP:
		return bad(joining, at, "an array or map, for which a field of CSV has no room");
	default:
		return bad(joining, at, "bytes or an extension type, which CSV does not have");
	}
}

static int put_array(struct joining *joining, struct value_reader *reader, uint32_t n, uint32_t n_names)
{
	int r = 0;

	if (n != n_names)
		return record_fault(joining->fault, "the array has %u element%s where %u column%s expected", n,
				    n == 1 ? "" : "s", n_names, n_names == 1 ? " is" : "s are");
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		const unsigned char *at = reader->next;
		struct value value;

		if (i)
			*joining->to++ = joining->separator;
		r = value_next(reader, &value) == 0 ? put_field(joining, at, &value) : bad(joining, at, "no msgpack");
	}
	return r;
}

/* The pairs of a map, which is known to be whole. */
struct pairs {
	struct value_reader first, next;
	uint32_t n, n_passed;
};

/* Stands behind the name `wanted` if it returns true: looks from the pair behind the last one on, once round. */
static bool find(struct pairs *pairs, const struct value *wanted)
{
	for (uint32_t i = 0; i < pairs->n; i++) {
		struct value_reader name;
		struct value found = { 0 };

		if (pairs->n_passed == pairs->n) {
			pairs->next = pairs->first;
			pairs->n_passed = 0;
		}
		name = pairs->next;
		(void)value_next(&name, &found);
		(void)value_skip(&pairs->next); /* a name may be anything, in msgpack */
		pairs->n_passed++;
		if (found.type == VALUE_STRING && found.n == wanted->n &&
		    memcmp(found.data, wanted->data, found.n) == 0)
			return true;
		(void)value_skip(&pairs->next);
	}
	return false;
}

static int put_map(struct joining *joining, const struct csv_names *names, struct pairs *pairs)
{
	struct value_reader columns;
	struct value name, value;
	int r = 0;

	value_reader_init(&columns, names->packed.data, names->size_bytes);
	for (uint32_t i = 0; r == 0 && i < names->n && value_next(&columns, &name) == 0; i++) {
		const unsigned char *at;

		if (i)
			*joining->to++ = joining->separator;
		if (!find(pairs, &name))
			continue;
		at = pairs->next.next;
		(void)value_next(&pairs->next, &value);
		r = put_field(joining, at, &value);
	}
	return r;
}

/* A record of one empty column would be a blank line, and so no record. */
static void mend_blank(char *room, size_t *size_bytes)
{
	if (*size_bytes == 0) {
		memcpy(room, "\"\"", 2);
		*size_bytes = 2;
	}
}

int csv_encode(const struct csv_names *names, char separator, const void *item, size_t size_bytes, char *room,
	       size_t *ret_size_bytes, struct record_fault *fault)
{
	struct joining joining = { .begin = item, .to = room, .separator = separator, .fault = fault };
	struct value_reader reader, whole;
	struct value value;
	int r;

	value_reader_init(&reader, item, size_bytes);
	whole = reader;
	if (value_skip(&whole) != 0 || whole.next != whole.end || value_next(&reader, &value) != 0)
		return record_fault(fault, "no msgpack, or something behind its value: is what comes here decoded?");
	if (value.type == VALUE_MAP) {
		struct pairs pairs = { .first = reader, .next = reader, .n = value.n };

		r = put_map(&joining, names, &pairs);
	} else if (value.type == VALUE_ARRAY) {
		r = put_array(&joining, &reader, value.n, names->n);
	} else {
		r = record_fault(fault, "it is no map and no array, so it has no columns");
	}
	*ret_size_bytes = (size_t)(joining.to - room);
	if (r == 0)
		mend_blank(room, ret_size_bytes);
	return r;
}

size_t csv_encode_names(const struct csv_names *names, char separator, char *room)
{
	struct joining joining = { .to = room, .separator = separator };
	struct value_reader reader;
	struct value value;
	size_t size;

	value_reader_init(&reader, names->packed.data, names->size_bytes);
	for (uint32_t i = 0; i < names->n && value_next(&reader, &value) == 0; i++) {
		if (i)
			*joining.to++ = separator;
		put_text(&joining, value.data, value.n);
	}
	size = (size_t)(joining.to - room);
	mend_blank(room, &size);
	return size;
}
