/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys.
 *
 *     item --EXPR--> the bytes of the key --FNV-1a, mixed--> 64 bits --> lane = high half of (number x lanes)
 *
 * Nothing here depends on the process, the run or the time: a worker that was killed and its successor, two workers of the
 * stage before, and the next run all send a key to the same lane. The mixing at the end matters: FNV's upper bits, which choose the
 * lane, hardly change with the last byte.
 *
 * An item without the part that is asked for has the empty key, and so has a JSON `null`: as awk sees a field that isn't
 * there. To refuse such items is the business of a stage, not of the way to it.
 *
 * JSON is libjq's business; only its values are used, not its language: a path can't fail half way, loop, or print. An item that is
 * msgpack (`decode`) is looked into as it lies there: key_structured.c.
 */
#include "worker/key.h"

#include <errno.h>
#include <limits.h>
#include <jv.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fnv.h"
#include "common/base/must.h"
#include "common/stage/key_expression.h"
#include "worker/key_structured.h"

struct key {
	struct key_expression expression;
};

int key_new(const char *source, struct key **ret_key, struct text *why)
{
	struct key_expression expression;
	struct key *key;

	if (key_expression_parse(source, &expression, why) != 0)
		return -EINVAL;
	key = calloc(1, sizeof(*key));
	must(key);
	key->expression = expression;
	*ret_key = key;
	return 0;
}

void key_free(struct key *key)
{
	if (!key)
		return;
	key_expression_deinit(&key->expression);
	free(key);
}

static uint64_t hash_bytes(const char *data, size_t size_bytes)
{
	return fnv_end(fnv_add(FNV_BEGIN, data, size_bytes));
}

/* A part of the item, as bytes. */
struct part {
	const char *data;
	size_t size_bytes;
};

static bool find_bytes(const struct key_expression *expression, struct part item, struct part *ret)
{
	if (item.size_bytes < expression->offset_bytes + expression->size_bytes)
		return false;
	*ret = (struct part){ item.data + expression->offset_bytes, expression->size_bytes };
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool find_word(struct part item, uint32_t number, struct part *ret)
{
	const char *at = item.data, *end = item.data + item.size_bytes;

	for (;;) {
		const char *start;

		while (at < end && is_blank(*at))
			at++;
		start = at;
		while (at < end && !is_blank(*at))
			at++;
		if (start == at)
			return false;
		if (--number == 0) {
			*ret = (struct part){ start, (size_t)(at - start) };
			return true;
		}
	}
}

/* Two separators in a row hold an empty field between them: it is there. */
static bool find_field(const struct key_expression *expression, struct part item, struct part *ret)
{
	const char *at = item.data, *end = item.data + item.size_bytes;

	for (uint32_t number = expression->field;; number--) {
		const char *stop = at < end ? memchr(at, expression->separator, (size_t)(end - at)) : NULL;

		if (number == 1) {
			*ret = (struct part){ at, (size_t)((stop ? stop : end) - at) };
			return true;
		}
		if (!stop)
			return false;
		at = stop + 1;
	}
}

/* Consumes the value. */
static jv step(jv value, const struct key_segment *segment)
{
	if (segment->name && jv_get_kind(value) == JV_KIND_OBJECT)
		return jv_object_get(value, jv_string(segment->name));
	if (!segment->name && jv_get_kind(value) == JV_KIND_ARRAY) {
		int length = jv_array_length(jv_copy(value));
		int index = segment->index < 0 ? length + segment->index : segment->index;

		if (index >= 0 && index < length)
			return jv_array_get(value, index);
	}
	jv_free(value);
	return jv_invalid();
}

static jv find_in_text(const struct key_expression *expression, struct part item)
{
	jv value = item.size_bytes > INT_MAX ? jv_invalid() : jv_parse_sized(item.data, (int)item.size_bytes);

	for (uint32_t i = 0; jv_is_valid(value) && i < expression->n_segments; i++)
		value = step(value, &expression->segments[i]);
	if (!jv_is_valid(value) || jv_get_kind(value) != JV_KIND_NULL)
		return value;
	jv_free(value);
	return jv_invalid();
}

/* What the path leads to, the caller's to free; invalid: nothing, or null. */
static jv find_value(const struct key_expression *expression, struct part item)
{
	struct value_reader at;

	if (structured_is(item.data, item.size_bytes))
		return structured_find(expression, item.data, item.size_bytes, &at) ? structured_value(&at) :
										      jv_invalid();
	return find_in_text(expression, item);
}

/* The text of what it leads to, the same however it was spelled: its names are sorted. The caller's to free; invalid: nothing, or null. */
static jv find_text(const struct key_expression *expression, struct part item)
{
	jv value = find_value(expression, item);

	return jv_is_valid(value) ? jv_dump_string(value, JV_PRINT_SORTED) : value;
}

/* A string is spelled in quotes; most need no more. Returns false: it was not that simple. */
static bool hash_plain_text(const struct key_expression *expression, struct part item, uint64_t *ret_hash)
{
	struct value_reader at;
	struct value value;

	if (!structured_is(item.data, item.size_bytes) ||
	    !structured_find(expression, item.data, item.size_bytes, &at) || value_next(&at, &value) != 0 ||
	    !structured_is_plain_text(&value))
		return false;
	*ret_hash = fnv_end(fnv_add(fnv_add(fnv_add(FNV_BEGIN, "\"", 1), value.data, value.n), "\"", 1));
	return true;
}

static bool hash_path(const struct key_expression *expression, struct part item, uint64_t *ret_hash)
{
	jv text;

	if (hash_plain_text(expression, item, ret_hash))
		return true;
	text = find_text(expression, item);
	if (!jv_is_valid(text)) {
		jv_free(text);
		return false;
	}
	*ret_hash = hash_bytes(jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
	jv_free(text);
	return true;
}

/* Of those that are bytes of the item. */
static bool find_part(const struct key_expression *expression, struct part item, struct part *ret)
{
	switch (expression->kind) {
	case KEY_KIND_BYTES:
		return find_bytes(expression, item, ret);
	case KEY_KIND_FIELD:
		return expression->separator == KEY_FIELD_BLANKS ? find_word(item, expression->field, ret) :
								   find_field(expression, item, ret);
	default:
		*ret = item;
		return true;
	}
}

bool key_hash(const struct key *key, const void *data, size_t size_bytes, uint64_t *ret_hash)
{
	const struct key_expression *expression = &key->expression;
	struct part item = { data, size_bytes }, part;
	bool found;

	if (expression->kind == KEY_KIND_PATH) {
		found = hash_path(expression, item, ret_hash);
		if (found)
			return true;
	} else {
		found = find_part(expression, item, &part);
	}
	*ret_hash = found ? hash_bytes(part.data, part.size_bytes) : hash_bytes(NULL, 0);
	return found;
}

static bool path_text(const struct key_expression *expression, struct part item, char *ret_text, size_t text_bytes,
		      size_t *ret_length)
{
	jv value = find_value(expression, item);

	if (!jv_is_valid(value)) {
		jv_free(value);
		return false;
	}
	if (jv_get_kind(value) != JV_KIND_STRING)
		value = jv_dump_string(value, 0);
	*ret_length = (size_t)jv_string_length_bytes(jv_copy(value));
	memcpy(ret_text, jv_string_value(value), *ret_length < text_bytes ? *ret_length : text_bytes);
	jv_free(value);
	return true;
}

bool key_text(const struct key *key, const void *data, size_t size_bytes, char *ret_text, size_t text_bytes,
	      size_t *ret_length)
{
	struct part item = { data, size_bytes }, part;

	if (key->expression.kind == KEY_KIND_PATH)
		return path_text(&key->expression, item, ret_text, text_bytes, ret_length);
	if (!find_part(&key->expression, item, &part))
		return false;
	*ret_length = part.size_bytes;
	memcpy(ret_text, part.data, part.size_bytes < text_bytes ? part.size_bytes : text_bytes);
	return true;
}

static bool plain_bytes(const struct key_expression *expression, struct part item, struct record_scratch *scratch,
			const void **ret_bytes, size_t *ret_size_bytes)
{
	struct value_reader at;
	struct value value;
	char *spelled;

	if (!structured_is(item.data, item.size_bytes) ||
	    !structured_find(expression, item.data, item.size_bytes, &at) || value_next(&at, &value) != 0 ||
	    !structured_is_plain_text(&value))
		return false;
	spelled = record_scratch_get(scratch, (size_t)value.n + 2);
	spelled[0] = spelled[value.n + 1] = '"';
	memcpy(spelled + 1, value.data, value.n);
	*ret_bytes = spelled;
	*ret_size_bytes = (size_t)value.n + 2;
	return true;
}

static bool path_bytes(const struct key_expression *expression, struct part item, struct record_scratch *scratch,
		       const void **ret_bytes, size_t *ret_size_bytes)
{
	jv text;

	if (plain_bytes(expression, item, scratch, ret_bytes, ret_size_bytes))
		return true;
	text = find_text(expression, item);
	if (!jv_is_valid(text)) {
		jv_free(text);
		return false;
	}
	*ret_size_bytes = (size_t)jv_string_length_bytes(jv_copy(text));
	*ret_bytes = memcpy(record_scratch_get(scratch, *ret_size_bytes), jv_string_value(text), *ret_size_bytes);
	jv_free(text);
	return true;
}

bool key_bytes(const struct key *key, const void *data, size_t size_bytes, struct record_scratch *scratch,
	       const void **ret_bytes, size_t *ret_size_bytes)
{
	struct part item = { data, size_bytes }, part;

	if (key->expression.kind == KEY_KIND_PATH)
		return path_bytes(&key->expression, item, scratch, ret_bytes, ret_size_bytes);
	if (!find_part(&key->expression, item, &part))
		return false;
	*ret_bytes = part.data;
	*ret_size_bytes = part.size_bytes;
	return true;
}

bool key_whole(const struct key *key, const void *data, size_t size_bytes, int64_t *ret_whole)
{
	struct value_reader at;
	struct value value;

	if (key->expression.kind != KEY_KIND_PATH || !structured_is(data, size_bytes) ||
	    !structured_find(&key->expression, data, size_bytes, &at) || value_next(&at, &value) != 0)
		return false;
	*ret_whole = (int64_t)value.number;
	return value.type == VALUE_NEGATIVE || (value.type == VALUE_UNSIGNED && value.number <= INT64_MAX);
}

bool key_is_exact(const struct key *key, const void *data, size_t size_bytes)
{
	struct value_reader at;
	struct value value;

	if (key->expression.kind != KEY_KIND_PATH)
		return true;
	return structured_is(data, size_bytes) && structured_find(&key->expression, data, size_bytes, &at) &&
	       value_next(&at, &value) == 0 && value.type == VALUE_STRING;
}
