/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baggage is a handful of short pairs, read more often than written: they stand one behind the other, and are looked through.
 *
 *      [ 8 | - | 32 ] trace-id 0af7651916cd43dd8448eb211c80319c [ 6 | - | 4 ] tenant acme
 *
 * A record's words come from another process. They are copied first, then checked once as a whole, and read from the copy: no
 * number is looked at twice, and whoever has a struct extension may believe it.
 */
#include "common/flow/extension.h"

#include <errno.h>

#include "common/flow/lane.h"

static struct extension_pair pair_at(const struct extension *extension, uint32_t at)
{
	struct extension_pair pair;

	memcpy(&pair, extension->baggage + at, sizeof(pair));
	return pair;
}

static uint32_t pair_bytes(const struct extension_pair *pair)
{
	return (uint32_t)sizeof(*pair) + pair->key_bytes + pair->value_bytes;
}

static bool baggage_makes_sense(const struct extension *extension)
{
	uint32_t at = 0;

	while (at < extension->baggage_bytes) {
		struct extension_pair pair;

		if (extension->baggage_bytes - at < sizeof(pair))
			return false;
		pair = pair_at(extension, at);
		if (!pair.key_bytes || pair.key_bytes > EXTENSION_KEY_MAX || pair.reserved ||
		    pair_bytes(&pair) > extension->baggage_bytes - at)
			return false;
		at += pair_bytes(&pair);
	}
	return true;
}

int extension_read(struct extension *extension, const void *words, uint32_t n_words)
{
	memset(extension, 0, sizeof(struct item_extension));
	if (!n_words)
		return 0;
	if (n_words < ITEM_EXTENSION_WORDS_MIN || n_words > ITEM_EXTENSION_WORDS_MAX)
		return LANE_E_BROKEN;
	memcpy(extension, words, (size_t)n_words * ITEM_WORD_BYTES);
	if (extension->reserved || extension->baggage_bytes > ITEM_BAGGAGE_SIZE_MAX ||
	    extension_words(extension) != n_words || !baggage_makes_sense(extension))
		return LANE_E_BROKEN;
	return 0;
}

void extension_write(const struct extension *extension, uint32_t n_words, void *ret_words)
{
	const size_t used_bytes = sizeof(struct item_extension) + extension->baggage_bytes;

	memcpy(ret_words, extension, used_bytes);
	memset((unsigned char *)ret_words + used_bytes, 0, (size_t)n_words * ITEM_WORD_BYTES - used_bytes);
}

bool extension_next(const struct extension *extension, uint32_t *at, const char **ret_key, size_t *ret_key_bytes,
		    const void **ret_value, size_t *ret_value_bytes)
{
	struct extension_pair pair;

	if (*at >= extension->baggage_bytes)
		return false;
	pair = pair_at(extension, *at);
	*ret_key = (const char *)extension->baggage + *at + sizeof(pair);
	*ret_key_bytes = pair.key_bytes;
	*ret_value = *ret_key + pair.key_bytes;
	*ret_value_bytes = pair.value_bytes;
	*at += pair_bytes(&pair);
	return true;
}

/* Where the pair of that key begins; UINT32_MAX: nowhere. */
static uint32_t find(const struct extension *extension, const char *key)
{
	const size_t key_bytes = strlen(key);
	uint32_t at = 0, from = 0;
	const char *its_key;
	const void *value;
	size_t its_bytes, value_bytes;

	while (extension_next(extension, &at, &its_key, &its_bytes, &value, &value_bytes)) {
		if (its_bytes == key_bytes && memcmp(its_key, key, key_bytes) == 0)
			return from;
		from = at;
	}
	return UINT32_MAX;
}

bool extension_get(const struct extension *extension, const char *key, const void **ret_value, size_t *ret_value_bytes)
{
	uint32_t at = find(extension, key);
	size_t key_bytes;

	return at != UINT32_MAX && extension_next(extension, &at, &key, &key_bytes, ret_value, ret_value_bytes);
}

int extension_set(struct extension *extension, const char *key, const void *value, size_t value_bytes)
{
	const size_t key_bytes = strlen(key);
	unsigned char copy[ITEM_BAGGAGE_SIZE_MAX]; /* the value may be one of those that move */
	struct extension_pair pair = { 0 };
	uint32_t at, old_bytes = 0;

	if (!key_bytes || key_bytes > EXTENSION_KEY_MAX)
		return -EINVAL;
	at = find(extension, key);
	if (at != UINT32_MAX) {
		pair = pair_at(extension, at);
		old_bytes = pair_bytes(&pair);
	}
	if (value &&
	    (value_bytes > ITEM_BAGGAGE_SIZE_MAX ||
	     extension->baggage_bytes - old_bytes + sizeof(pair) + key_bytes + value_bytes > ITEM_BAGGAGE_SIZE_MAX))
		return EXTENSION_E_TOO_LARGE;
	if (value && value_bytes)
		memcpy(copy, value, value_bytes);
	if (old_bytes) {
		memmove(extension->baggage + at, extension->baggage + at + old_bytes,
			extension->baggage_bytes - at - old_bytes);
		extension->baggage_bytes -= old_bytes;
	}
	if (!value)
		return 0;
	pair = (struct extension_pair){ .key_bytes = (uint8_t)key_bytes, .value_bytes = (uint16_t)value_bytes };
	at = extension->baggage_bytes;
	memcpy(extension->baggage + at, &pair, sizeof(pair));
	memcpy(extension->baggage + at + sizeof(pair), key, key_bytes);
	if (value_bytes)
		memcpy(extension->baggage + at + sizeof(pair) + key_bytes, copy, value_bytes);
	extension->baggage_bytes += pair_bytes(&pair);
	return 0;
}
