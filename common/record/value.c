/* SPDX-License-Identifier: Apache-2.0 */
#include "common/record/value.h"

#include <string.h>

struct line {
	uint8_t type, width_bytes, is_count, count;
};

/* The tags from 0xc0 to 0xdf; 0xc1 is never used. */
static const struct line lines[32] = {
	{ VALUE_NIL, 0, 0, 0 },        { 0, 0, 0, 0 },
	{ VALUE_BOOLEAN, 0, 0, 0 },    { VALUE_BOOLEAN, 0, 0, 1 },
	{ VALUE_BINARY, 1, 1, 0 },     { VALUE_BINARY, 2, 1, 0 },
	{ VALUE_BINARY, 4, 1, 0 },     { VALUE_EXTENSION, 1, 1, 0 },
	{ VALUE_EXTENSION, 2, 1, 0 },  { VALUE_EXTENSION, 4, 1, 0 },
	{ VALUE_DOUBLE, 4, 0, 0 },     { VALUE_DOUBLE, 8, 0, 0 },
	{ VALUE_UNSIGNED, 1, 0, 0 },   { VALUE_UNSIGNED, 2, 0, 0 },
	{ VALUE_UNSIGNED, 4, 0, 0 },   { VALUE_UNSIGNED, 8, 0, 0 },
	{ VALUE_NEGATIVE, 1, 0, 0 },   { VALUE_NEGATIVE, 2, 0, 0 },
	{ VALUE_NEGATIVE, 4, 0, 0 },   { VALUE_NEGATIVE, 8, 0, 0 },
	{ VALUE_EXTENSION, 0, 1, 1 },  { VALUE_EXTENSION, 0, 1, 2 },
	{ VALUE_EXTENSION, 0, 1, 4 },  { VALUE_EXTENSION, 0, 1, 8 },
	{ VALUE_EXTENSION, 0, 1, 16 }, { VALUE_STRING, 1, 1, 0 },
	{ VALUE_STRING, 2, 1, 0 },     { VALUE_STRING, 4, 1, 0 },
	{ VALUE_ARRAY, 2, 1, 0 },      { VALUE_ARRAY, 4, 1, 0 },
	{ VALUE_MAP, 2, 1, 0 },        { VALUE_MAP, 4, 1, 0 },
};

bool value_head(unsigned char tag, struct value_head *ret)
{
	const struct line *line = &lines[tag & 0x1f];

	if (tag < 0x80)
		*ret = (struct value_head){ VALUE_UNSIGNED, 0, false, tag };
	else if (tag >= 0xe0)
		*ret = (struct value_head){ VALUE_NEGATIVE, 0, false, (uint64_t)(int64_t)(int8_t)tag };
	else if (tag < 0x90)
		*ret = (struct value_head){ VALUE_MAP, 0, true, tag & 0x0f };
	else if (tag < 0xa0)
		*ret = (struct value_head){ VALUE_ARRAY, 0, true, tag & 0x0f };
	else if (tag < 0xc0)
		*ret = (struct value_head){ VALUE_STRING, 0, true, tag & 0x1f };
	else
		*ret = (struct value_head){ line->type, line->width_bytes, line->is_count, line->count };
	return tag != 0xc1;
}

/* What a number of that width means. */
static void interpret(struct value *value, unsigned width_bytes)
{
	float single;
	uint32_t bits = (uint32_t)value->number;
	unsigned shift = 64 - 8 * width_bytes;

	if (value->type == VALUE_DOUBLE && width_bytes == 8) {
		memcpy(&value->real, &value->number, sizeof(value->real));
	} else if (value->type == VALUE_DOUBLE) {
		memcpy(&single, &bits, sizeof(single));
		value->real = (double)single;
	} else if (value->type == VALUE_NEGATIVE && width_bytes) {
		value->number = (uint64_t)((int64_t)(value->number << shift) >> shift);
		if (!(value->number >> 63)) /* a signed type may hold what is not negative */
			value->type = VALUE_UNSIGNED;
	}
}

/* An extension's type stands before its bytes. */
static int take_bytes(struct value *value, const unsigned char **at, const unsigned char *end)
{
	if (value->type == VALUE_EXTENSION) {
		if (*at == end)
			return VALUE_E_TRUNCATED;
		value->number = (uint64_t)(int64_t)(int8_t) * (*at)++;
	}
	if (value->n > (size_t)(end - *at))
		return VALUE_E_TRUNCATED;
	value->data = (const char *)*at;
	*at += value->n;
	return 0;
}

int value_next(struct value_reader *reader, struct value *ret)
{
	const unsigned char *at = reader->next;
	struct value_head head;
	int r = 0;

	if (at == reader->end)
		return VALUE_E_TRUNCATED;
	if (!value_head(*at++, &head))
		return VALUE_E_TAG;
	if ((size_t)(reader->end - at) < head.width_bytes)
		return VALUE_E_TRUNCATED;
	for (unsigned i = 0; i < head.width_bytes; i++)
		head.count = head.count << 8 | *at++;
	*ret = (struct value){ .type = head.type, .number = head.count };
	if (!head.is_count) {
		interpret(ret, head.width_bytes);
	} else {
		ret->n = (uint32_t)head.count;
		if (ret->type == VALUE_ARRAY || ret->type == VALUE_MAP)
			r = head.count << (ret->type == VALUE_MAP) > (size_t)(reader->end - at) ? VALUE_E_TRUNCATED : 0;
		else
			r = take_bytes(ret, &at, reader->end);
	}
	if (r == 0)
		reader->next = at;
	return r;
}

int value_skip(struct value_reader *reader)
{
	uint64_t left = 1;

	while (left) {
		struct value value;
		int r = value_next(reader, &value);

		if (r != 0)
			return r;
		left += value.type == VALUE_ARRAY ? value.n : value.type == VALUE_MAP ? (uint64_t)value.n * 2 : 0;
		left--;
	}
	return 0;
}
