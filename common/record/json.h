/* SPDX-License-Identifier: Apache-2.0 */
/* JSON (RFC 8259), one text a record. What becomes of every kind of bad input stands in docs/formats.md. */
#pragma once

#include "common/record/record.h"

/* Room that the item made of so much text may need, in bytes: a number of three characters and its comma become nine. */
static inline size_t json_decode_bound(size_t size_bytes)
{
	return size_bytes / 4 * 9 + 32;
}

/* And the text of so large an item: a control character becomes six. */
static inline size_t json_encode_bound(size_t size_bytes)
{
	return size_bytes * 6 + 64;
}

/*
 * One JSON text, blanks around it, into one msgpack value at `room`, json_decode_bound() bytes large; the room must not overlap the text.
 * The scratch is used for large objects and long numbers. Wait-free but for that growing. Returns 0 and its size; RECORD_E_BAD
 * and why; RECORD_E_EMPTY: nothing but blanks.
 */
int json_decode(struct record_scratch *scratch, const char *text, size_t size_bytes, void *room, size_t *ret_size_bytes,
		struct record_fault *fault);

/*
 * One msgpack value into JSON without blanks or newlines at `room`, json_encode_bound() bytes large. Pure. Returns 0 and its size;
 * RECORD_E_BAD and why: there is no JSON for it, or it is no msgpack.
 */
int json_encode(const void *item, size_t size_bytes, char *room, size_t *ret_size_bytes, struct record_fault *fault);
