/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A msgpack value is a tag byte, then 0, 1, 2, 4 or 8 bytes of big-endian number, then, for str and bin, as many bytes as that number
 * says. Every call works on a copy of the position and stores it back only when the whole value was there, so a caller may
 * try one type after another.
 */
#include <string.h>

#include "common/base/text.h"
#include "common/wire/reader.h"

enum {
	TAG_NIL = 0xc0,
	TAG_FALSE = 0xc2,
	TAG_TRUE = 0xc3,
	TAG_BIN8 = 0xc4,
	TAG_BIN32 = 0xc6,
	TAG_UINT8 = 0xcc,
	TAG_UINT64 = 0xcf,
	TAG_INT8 = 0xd0,
	TAG_INT64 = 0xd3,
	TAG_STR8 = 0xd9,
	TAG_STR32 = 0xdb,
	TAG_ARRAY16 = 0xdc,
	TAG_ARRAY32 = 0xdd,
	TAG_FIXARRAY = 0x90,
	TAG_FIXSTR = 0xa0,
	TAG_NEGATIVE = 0xe0,
};

void reader_init(struct reader *reader, const void *data, size_t size_bytes)
{
	static const unsigned char nothing[1];

	reader->next = size_bytes ? data : nothing;
	reader->end = reader->next + size_bytes;
}

bool reader_at_end(const struct reader *reader)
{
	return reader->next == reader->end;
}

static size_t left(const struct reader *reader)
{
	return (size_t)(reader->end - reader->next);
}

static int take_tag(struct reader *at, unsigned *ret_tag)
{
	if (left(at) < 1)
		return READER_E_BAD;
	*ret_tag = *at->next++;
	return 0;
}

/* 1 << width_log2 bytes, big-endian. */
static int take_number(struct reader *at, unsigned width_log2, uint64_t *ret_value)
{
	size_t width = (size_t)1 << width_log2;
	uint64_t value = 0;

	if (left(at) < width)
		return READER_E_BAD;
	while (width--)
		value = value << 8 | *at->next++;
	*ret_value = value;
	return 0;
}

/* The number behind a tag that lies in a row of tags of growing width: first is 8 bit wide (16 bit for arrays). */
static int take_width(struct reader *at, unsigned tag, unsigned first, unsigned first_log2, uint64_t *ret_value)
{
	return take_number(at, tag - first + first_log2, ret_value);
}

int reader_array(struct reader *reader, uint32_t *ret_n)
{
	struct reader at = *reader;
	uint64_t n;
	unsigned tag;

	if (take_tag(&at, &tag))
		return READER_E_BAD;
	if ((tag & 0xf0) == TAG_FIXARRAY)
		n = tag & 0x0f;
	else if (tag != TAG_ARRAY16 && tag != TAG_ARRAY32)
		return READER_E_BAD;
	else if (take_width(&at, tag, TAG_ARRAY16, 1, &n))
		return READER_E_BAD;
	if (n > left(&at))
		return READER_E_BAD;
	*reader = at;
	*ret_n = (uint32_t)n;
	return 0;
}

/* Any integer, as sign and bits. */
static int take_integer(struct reader *at, bool *ret_negative, uint64_t *ret_bits)
{
	unsigned tag, unused_bits;
	uint64_t bits;

	if (take_tag(at, &tag))
		return READER_E_BAD;
	*ret_negative = false;
	if (tag < 0x80) {
		*ret_bits = tag;
		return 0;
	}
	if (tag >= TAG_NEGATIVE) {
		*ret_negative = true;
		*ret_bits = (uint64_t)(int64_t)(int8_t)tag;
		return 0;
	}
	if (tag >= TAG_UINT8 && tag <= TAG_UINT64)
		return take_width(at, tag, TAG_UINT8, 0, ret_bits);
	if (tag < TAG_INT8 || tag > TAG_INT64 || take_width(at, tag, TAG_INT8, 0, &bits))
		return READER_E_BAD;
	unused_bits = 64 - (8u << (tag - TAG_INT8));
	*ret_negative = bits >> (63 - unused_bits) & 1;
	*ret_bits = *ret_negative && unused_bits ? bits | ~UINT64_C(0) << (64 - unused_bits) : bits;
	return 0;
}

int reader_unsigned(struct reader *reader, uint64_t *ret_value)
{
	struct reader at = *reader;
	uint64_t bits;
	bool negative;

	if (take_integer(&at, &negative, &bits) || negative)
		return READER_E_BAD;
	*reader = at;
	*ret_value = bits;
	return 0;
}

int reader_signed(struct reader *reader, int64_t *ret_value)
{
	struct reader at = *reader;
	uint64_t bits;
	bool negative;

	if (take_integer(&at, &negative, &bits) || (!negative && bits > INT64_MAX))
		return READER_E_BAD;
	*reader = at;
	memcpy(ret_value, &bits, sizeof(bits));
	return 0;
}

int reader_boolean(struct reader *reader, bool *ret_value)
{
	struct reader at = *reader;
	unsigned tag;

	if (take_tag(&at, &tag) || (tag != TAG_FALSE && tag != TAG_TRUE))
		return READER_E_BAD;
	*reader = at;
	*ret_value = tag == TAG_TRUE;
	return 0;
}

int reader_nil(struct reader *reader)
{
	struct reader at = *reader;
	unsigned tag;

	if (take_tag(&at, &tag) || tag != TAG_NIL)
		return READER_E_BAD;
	*reader = at;
	return 0;
}

static int take_bytes(struct reader *at, uint64_t size_bytes, const char **ret_data, size_t *ret_size_bytes)
{
	if (size_bytes > left(at))
		return READER_E_BAD;
	*ret_data = (const char *)at->next;
	*ret_size_bytes = (size_t)size_bytes;
	at->next += size_bytes;
	return 0;
}

int reader_string(struct reader *reader, const char **ret_data, size_t *ret_size_bytes)
{
	struct reader at = *reader;
	const char *data;
	uint64_t size_bytes;
	size_t taken;
	unsigned tag;

	if (take_tag(&at, &tag))
		return READER_E_BAD;
	if ((tag & 0xe0) == TAG_FIXSTR)
		size_bytes = tag & 0x1f;
	else if (tag < TAG_STR8 || tag > TAG_STR32 || take_width(&at, tag, TAG_STR8, 0, &size_bytes))
		return READER_E_BAD;
	if (take_bytes(&at, size_bytes, &data, &taken) || !reader_is_text(data, taken))
		return READER_E_BAD;
	*reader = at;
	*ret_data = data;
	*ret_size_bytes = taken;
	return 0;
}

int reader_binary(struct reader *reader, const char **ret_data, size_t *ret_size_bytes)
{
	struct reader at = *reader;
	uint64_t size_bytes;
	unsigned tag;

	if (take_tag(&at, &tag) || tag < TAG_BIN8 || tag > TAG_BIN32 ||
	    take_width(&at, tag, TAG_BIN8, 0, &size_bytes) || take_bytes(&at, size_bytes, ret_data, ret_size_bytes))
		return READER_E_BAD;
	*reader = at;
	return 0;
}

bool reader_is_text(const char *data, size_t size_bytes)
{
	const unsigned char *s = (const unsigned char *)data;

	for (size_t i = 0; i < size_bytes;) {
		size_t length = s[i] ? text_utf8_length(s + i, size_bytes - i) : 0;

		if (!length)
			return false;
		i += length;
	}
	return true;
}
