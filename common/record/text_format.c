/* SPDX-License-Identifier: Apache-2.0 */
#include "common/record/text_format.h"

#include "common/base/text.h"
#include "common/record/json.h"
#include "common/record/pack.h"
#include "common/record/value.h"

/* Where the first byte stands that is no UTF-8; n: nowhere. */
static size_t first_invalid(const char *text, size_t n)
{
	size_t at = 0, length;

	while (at < n && (length = text_utf8_length((const unsigned char *)text + at, n - at)))
		at += length;
	return at;
}

int text_format_decode(const char *text, size_t size_bytes, void *room, size_t *ret_size_bytes,
		       struct record_fault *fault)
{
	size_t invalid = size_bytes <= RECORD_SIZE_MAX ? first_invalid(text, size_bytes) : 0;
	struct pack pack;

	if (size_bytes > RECORD_SIZE_MAX)
		return record_fault(fault, "it is longer than %zu bytes", RECORD_SIZE_MAX);
	if (invalid < size_bytes)
		return record_fault(fault, "byte %zu: invalid UTF-8", invalid + 1);
	pack_init(&pack, room);
	pack_string(&pack, text, size_bytes);
	*ret_size_bytes = (size_t)(pack.next - (unsigned char *)room);
	return 0;
}

int text_format_encode(const void *item, size_t size_bytes, char *room, size_t *ret_size_bytes,
		       struct record_fault *fault)
{
	struct value_reader reader;
	struct value value;

	value_reader_init(&reader, item, size_bytes);
	if (value_next(&reader, &value) != 0 || value.type != VALUE_STRING || reader.next != reader.end)
		return json_encode(item, size_bytes, room, ret_size_bytes, fault);
	if (memchr(value.data, '\n', value.n))
		return record_fault(fault, "the string holds a newline, and would become two lines: use encode: json");
	memcpy(room, value.data, value.n);
	*ret_size_bytes = value.n;
	return 0;
}
