/* SPDX-License-Identifier: Apache-2.0 */
/* Which worker gets an item, by its key: `balance: key(EXPR)`. Worker process; private memory only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/record/record.h"

struct key;

/*
 * Makes ready to look for keys by EXPR (see common/stage/key_expression.h). Once, at attach; may allocate. Returns 0 and the key, the
 * caller's until key_free(); -EINVAL and why, to be read behind "key(EXPR) ".
 */
int key_new(const char *source, struct key **ret_key, struct text *why);
void key_free(struct key *key);

/*
 * The number of an item's key: the same for equal keys, in every process and on every host. No memory of the item is kept. A path
 * parses the item as JSON, which allocates, or looks into msgpack, which for a plain string does not; all others only read. Returns
 * true; false: the item has no such part, and *ret_hash is that of the empty key.
 */
bool key_hash(const struct key *key, const void *data, size_t size_bytes, uint64_t *ret_hash);

/*
 * That part of an item as text: of JSON the string itself, of other values how they are written. Copies at most text_bytes. Returns
 * true and its whole length, which may be more; false: the item has no such part, or it is `null`.
 */
bool key_text(const struct key *key, const void *data, size_t size_bytes, char *ret_text, size_t text_bytes,
	      size_t *ret_length);

/*
 * That part of an item as bytes that are the same for equal keys, and for those only: of JSON the text, names sorted. In the item or in
 * *scratch. Returns true; false: the item has no such part, or it is `null`.
 */
bool key_bytes(const struct key *key, const void *data, size_t size_bytes, struct record_scratch *scratch,
	       const void **ret_bytes, size_t *ret_size_bytes);

/* A path that leads to an integer of msgpack: read in place, without a look at its text. False: look at that. */
bool key_whole(const struct key *key, const void *data, size_t size_bytes, int64_t *ret_whole);
/* Whether key_text() has every digit of a number: JSON text goes through libjq's doubles. */
bool key_is_exact(const struct key *key, const void *data, size_t size_bytes);

/* The lane for it, below n_lanes > 0. As long as n_lanes stays, so does every key's lane. */
static inline uint32_t key_lane(uint64_t hash, uint32_t n_lanes)
{
	return (uint32_t)(((unsigned __int128)hash * n_lanes) >> 64);
}
