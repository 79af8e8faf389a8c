/* SPDX-License-Identifier: Apache-2.0 */
/* What an item brings along, in private memory: read from a record, changed, written into others. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/flow/item_layout.h"

/* As it stands in a record (struct item_extension). The unused end of the baggage is undefined. */
struct extension {
	uint64_t scope;
	uint64_t deadline_ns;
	uint32_t baggage_bytes;
	uint32_t reserved; /* 0 */
	unsigned char baggage[ITEM_BAGGAGE_SIZE_MAX];
};
static_assert(sizeof(struct extension) == ITEM_EXTENSION_SIZE_MAX &&
		      offsetof(struct extension, baggage) == sizeof(struct item_extension) &&
		      offsetof(struct extension, baggage_bytes) == offsetof(struct item_extension, baggage_bytes),
	      "layout");

/* Each pair stands behind such a head. */
struct extension_pair {
	uint8_t key_bytes;
	uint8_t reserved; /* 0 */
	uint16_t value_bytes;
};
#define EXTENSION_KEY_MAX 64u

/* Words that it takes in a record; 0: it says nothing, and is left out. */
static inline uint32_t extension_words(const struct extension *extension)
{
	if (!extension->scope && !extension->deadline_ns && !extension->baggage_bytes)
		return 0;
	return ITEM_EXTENSION_WORDS_MIN + (extension->baggage_bytes + ITEM_WORD_BYTES - 1) / ITEM_WORD_BYTES;
}

/*
 * Copies n words of another process, checked: lengths fit, and the pairs fill the baggage exactly. Returns 0 or LANE_E_BROKEN, for any
 * bytes. 0 words: it says nothing.
 */
int extension_read(struct extension *extension, const void *words, uint32_t n_words);

/* Writes it, filled up with zeros to n_words = extension_words(). */
void extension_write(const struct extension *extension, uint32_t n_words, void *ret_words);

/* The pair at byte *at of the baggage, 0 for the first; moves *at behind it. Returns false at the end. Of a checked extension. */
bool extension_next(const struct extension *extension, uint32_t *at, const char **ret_key, size_t *ret_key_bytes,
		    const void **ret_value, size_t *ret_value_bytes);

/* Returns false: no such key. */
bool extension_get(const struct extension *extension, const char *key, const void **ret_value, size_t *ret_value_bytes);

/* Adds, replaces, or (value NULL) removes. Returns 0; EXTENSION_E_TOO_LARGE: nothing has changed; -EINVAL: the key is empty or too long. */
enum { EXTENSION_E_TOO_LARGE = 1 };
int extension_set(struct extension *extension, const char *key, const void *value, size_t value_bytes);
