/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads any msgpack in place, one value or head after the other, without allocating and without trusting a length. Pure.
 * (common/wire/reader.h reads weir's own messages, which use a part of it.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/record/record.h"

enum value_type {
	VALUE_NIL,
	VALUE_BOOLEAN,   /* number */
	VALUE_UNSIGNED,  /* number */
	VALUE_NEGATIVE,  /* number, as int64_t */
	VALUE_DOUBLE,    /* real; a float of 32 bits, too */
	VALUE_STRING,    /* data, n bytes; not looked at */
	VALUE_BINARY,    /* data, n bytes */
	VALUE_EXTENSION, /* data, n bytes; number: its type, as int64_t */
	VALUE_ARRAY,     /* n values follow */
	VALUE_MAP,       /* n pairs follow */
};

struct value {
	enum value_type type;
	uint64_t number;
	double real;
	const char *data;
	uint32_t n;
};

struct value_reader {
	const unsigned char *next, *end;
};

enum {
	VALUE_E_TRUNCATED = 1, /* it goes on behind the end, or claims more elements than there are bytes */
	VALUE_E_TAG = 2,       /* the byte that msgpack never uses, 0xc1 */
};

static inline void value_reader_init(struct value_reader *reader, const void *data, size_t size_bytes)
{
	reader->next = data;
	reader->end = reader->next + size_bytes;
}

/* One value; of arrays and maps only the head. Returns 0; VALUE_E_*, and nothing is taken. */
int value_next(struct value_reader *reader, struct value *ret);
/* Takes a whole value with all that is in it; at any depth. Returns as value_next(), and then the reader stands anywhere. */
int value_skip(struct value_reader *reader);

/* What follows a tag: the width of the number behind it, and what that number counts. */
struct value_head {
	enum value_type type;
	uint8_t width_bytes; /* of the number behind the tag: the value itself, or the count */
	bool is_count;       /* what follows is counted by it, or by the tag itself */
	uint64_t
		count; /* of the tag itself, if width_bytes is 0; of an extension: its bytes, without that of its type */
};
/* Returns false for 0xc1. */
bool value_head(unsigned char tag, struct value_head *ret);
