/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No recursion: `open` holds how many values each open array or map still lacks.
 */
#include "common/record/msgpack_format.h"

#include "common/base/text.h"
#include "common/record/value.h"

static int bad(const void *data, const unsigned char *at, struct record_fault *fault, const char *why)
{
	return record_fault(fault, "byte %zu: %s", (size_t)(at - (const unsigned char *)data) + 1, why);
}

static int check_value(const void *data, struct value_reader *reader, struct value *ret, struct record_fault *fault)
{
	const unsigned char *at = reader->next;

	switch (value_next(reader, ret)) {
	case VALUE_E_TRUNCATED:
		return record_fault(fault, "it ends in the middle of the value at byte %zu",
				    (size_t)(at - (const unsigned char *)data) + 1);
	case VALUE_E_TAG:
		return bad(data, at, fault, "0xc1, which msgpack never uses");
	default:
		if (ret->type == VALUE_STRING && !text_is_utf8(ret->data, ret->n))
			return bad(data, at, fault, "invalid UTF-8 in a string");
		return 0;
	}
}

int msgpack_format_check(const void *data, size_t size_bytes, struct record_fault *fault)
{
	uint64_t open[RECORD_DEPTH_MAX + 1] = { 1 }; /* [0] is the record itself: one value */
	struct value_reader reader;
	unsigned depth = 0;

	value_reader_init(&reader, data, size_bytes);
	for (;;) {
		struct value value;
		const unsigned char *at = reader.next;
		int r;

		while (!open[depth] && depth)
			depth--;
		if (!open[depth])
			return reader.next == reader.end ?
				       0 :
				       bad(data, at, fault, "expected the end: a record is one value");
		open[depth]--;
		r = check_value(data, &reader, &value, fault);
		if (r != 0)
			return r;
		if (value.type != VALUE_ARRAY && value.type != VALUE_MAP)
			continue;
		if (depth == RECORD_DEPTH_MAX)
			return record_fault(fault, "byte %zu: deeper than %u levels",
					    (size_t)(at - (const unsigned char *)data) + 1, RECORD_DEPTH_MAX);
		open[++depth] = value.type == VALUE_MAP ? (uint64_t)value.n * 2 : value.n;
	}
}
