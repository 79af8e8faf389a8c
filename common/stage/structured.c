/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stepping into msgpack: a name is looked for among the pairs of a map, an index passes over elements. What is not on the way is skipped,
 * never read. Of a name that comes twice the last value counts, as in the text.
 */
#include "common/stage/structured.h"

#include <string.h>

static bool is_name(const struct value *value, const char *name)
{
	return value->type == VALUE_STRING && value->n == strlen(name) && memcmp(value->data, name, value->n) == 0;
}

/* Behind the head of a map of n pairs: to the value of the last one with this name. */
static bool step_name(struct value_reader *at, uint32_t n, const char *name)
{
	struct value_reader found = { NULL, NULL };

	for (uint32_t i = 0; i < n; i++) {
		struct value_reader key = *at;
		struct value value;

		if (value_next(&key, &value) != 0 || value_skip(at) != 0)
			return false;
		if (is_name(&value, name))
			found = *at;
		if (value_skip(at) != 0)
			return false;
	}
	if (found.next)
		*at = found;
	return found.next;
}

static bool step_index(struct value_reader *at, uint32_t n, int32_t index)
{
	int64_t wanted = index < 0 ? (int64_t)n + index : index;

	if (wanted < 0 || wanted >= (int64_t)n)
		return false;
	while (wanted--)
		if (value_skip(at) != 0)
			return false;
	return true;
}

static bool step(struct value_reader *at, const struct key_segment *segment)
{
	struct value value;

	if (value_next(at, &value) != 0)
		return false;
	if (segment->name)
		return value.type == VALUE_MAP && step_name(at, value.n, segment->name);
	return value.type == VALUE_ARRAY && step_index(at, value.n, segment->index);
}

/* As a JSON text is bad as a whole, so is an item that is cut off. */
static bool is_whole(const void *data, size_t size_bytes)
{
	struct value_reader reader;

	value_reader_init(&reader, data, size_bytes);
	return value_skip(&reader) == 0 && reader.next == reader.end;
}

bool structured_find(const struct key_expression *expression, const void *data, size_t size_bytes,
		     struct value_reader *ret_at)
{
	struct value_reader end;
	struct value value;

	if (!is_whole(data, size_bytes))
		return false;
	value_reader_init(ret_at, data, size_bytes);
	for (uint32_t i = 0; i < expression->n_segments; i++)
		if (!step(ret_at, &expression->segments[i]))
			return false;
	end = *ret_at;
	return value_next(&end, &value) == 0 && value.type != VALUE_NIL;
}

bool structured_is_plain_text(const struct value *value)
{
	if (value->type != VALUE_STRING)
		return false;
	for (uint32_t i = 0; i < value->n; i++) {
		unsigned char c = (unsigned char)value->data[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			return false;
	}
	return true;
}
