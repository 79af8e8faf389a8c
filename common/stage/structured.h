/* SPDX-License-Identifier: Apache-2.0 */
/* Paths into structured items: msgpack instead of JSON text. What they lead to means the same as in the text that it was made of. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/record/value.h"
#include "common/stage/key_expression.h"

/*
 * An array or map of msgpack: its first byte is none that a JSON text begins with, so an item says itself what it is. (A path leads
 * nowhere in anything else.)
 */
static inline bool structured_is(const void *data, size_t size_bytes)
{
	unsigned char first = size_bytes ? *(const unsigned char *)data : 0;

	return (first >= 0x80 && first < 0xa0) || (first >= 0xdc && first < 0xe0);
}

/* What the path leads to; returns false: nothing, or nil, or the item is no msgpack. Reads in place, allocates nothing. */
bool structured_find(const struct key_expression *expression, const void *data, size_t size_bytes,
		     struct value_reader *ret_at);

/* A string that JSON would write as it stands, in quotes. */
bool structured_is_plain_text(const struct value *value);
