/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads msgpack in place, without allocating and without trusting a length. Knows only what weir writes: nil, booleans,
 * integers, str, bin, arrays. Each call takes one value and returns 0, or READER_E_BAD and takes nothing. Any process; pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const unsigned char *next, *end;
};

enum { READER_E_BAD = 1 }; /* another type, or cut off, or it claims more than there is */

void reader_init(struct reader *reader, const void *data, size_t size_bytes);
/* Nothing is left. */
bool reader_at_end(const struct reader *reader);

/* An array's header: n values follow; n is never more than bytes are left. */
int reader_array(struct reader *reader, uint32_t *ret_n);
/* An integer from 0 up, in whatever width it comes. */
int reader_unsigned(struct reader *reader, uint64_t *ret_value);
/* An integer that fits int64_t. */
int reader_signed(struct reader *reader, int64_t *ret_value);
int reader_boolean(struct reader *reader, bool *ret_value);
int reader_nil(struct reader *reader);
/* str: valid UTF-8 without NUL. bin: any bytes. Both in place, not terminated. */
int reader_string(struct reader *reader, const char **ret_data, size_t *ret_size_bytes);
int reader_binary(struct reader *reader, const char **ret_data, size_t *ret_size_bytes);

/* Valid UTF-8 without NUL: what a msgpack str must hold here. */
bool reader_is_text(const char *data, size_t size_bytes);
