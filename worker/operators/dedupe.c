/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: dedupe. The first item of each key passes; another one of the same key is dropped while the first is among the `last` ones that
 * have passed, and no longer ago than `within`.
 *
 *      state:   k KEY      ->  number, time          of the item that passed: items that pass are numbered from 1
 *               h HASH n   ->  number, time, KEY     of a key that is too long for the state's: n tells apart those with the same hash
 *               q NUMBER   ->  the entry's key       in the order in which they passed, so that the oldest is found
 *      cursor:  how many have passed, the oldest number that is not forgotten, the clock
 *
 * Whether an item is a duplicate follows from its key's entry, the numbers and the clock alone. Forgetting only makes room: each item
 * that passes forgets a few of the oldest, if they can't matter any more. What passes again (its first was too long ago) gets a new number,
 * and the old one leads to an entry that is not its own any more.
 *
 * The clock is the latest time at which any item so far was taken in by its source. An item keeps its time when it is done again after a
 * kill, so then it comes to the same; and the clock never goes back, so what is forgotten is never missed.
 */
#include <errno.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <weir/key.h>
#include <weir/state.h>

#include "common/base/error.h"
#include "common/base/fnv.h"
#include "worker/builtin.h"

#define DIRECT_SIZE_MAX (WEIR_STATE_KEY_SIZE_MAX - 1) /* a key that stands in the state's key itself */
#define HASH_SIZE 9                                   /* of an entry's key: h and the hash */
#define FORGET_EACH 16                                /* with each item that passes */
#define FORGET_FULL 1024                              /* when there is no room */

struct dedupe_cursor {
	uint64_t n_passed, oldest, clock_ns;
};

struct entry {
	uint64_t number, time_ns;
};

/* A key of the state. */
struct place {
	size_t size_bytes;
	unsigned char bytes[WEIR_STATE_KEY_SIZE_MAX];
};

enum without { WITHOUT_PASS, WITHOUT_REJECT, WITHOUT_DROP };

struct dedupe {
	struct weir_key *key;
	uint64_t within_ns, last; /* 0: no such bound */
	enum without without;
	unsigned char *value; /* of a long key: entry and key; owned */
	size_t value_room_bytes;
};

static int dedupe_open(struct weir_context *context, void **ret_state)
{
	struct dedupe_cursor *cursor = weir_cursor(context);
	struct dedupe *state = calloc(1, sizeof(*state));
	const char *without = weir_option_string(context, "without");
	int r;

	if (!state)
		return error_origin(-ENOMEM);
	r = weir_key_new(context, weir_option_string(context, "key"), &state->key);
	if (r != WEIR_OK) {
		free(state);
		return r;
	}
	state->within_ns = (uint64_t)weir_option_integer(context, "within");
	state->last = (uint64_t)weir_option_integer(context, "last");
	state->without = strcmp(without, "reject") == 0 ? WITHOUT_REJECT :
			 strcmp(without, "drop") == 0   ? WITHOUT_DROP :
							  WITHOUT_PASS;
	if (!cursor->oldest)
		cursor->oldest = 1;
	*ret_state = state;
	return 0;
}

/* ---- entries ---- */

static void place_direct(struct place *place, const void *key, size_t size_bytes)
{
	place->bytes[0] = 'k';
	memcpy(place->bytes + 1, key, size_bytes);
	place->size_bytes = size_bytes + 1;
}

static void place_hashed(struct place *place, uint64_t hash, uint32_t n)
{
	hash = htobe64(hash);
	n = htobe32(n);
	place->bytes[0] = 'h';
	memcpy(place->bytes + 1, &hash, sizeof(hash));
	memcpy(place->bytes + HASH_SIZE, &n, sizeof(n));
	place->size_bytes = HASH_SIZE + sizeof(n);
}

/* Returns WEIR_OK; -ENOENT: there is none of that key, and *ret_place is where it would be; WEIR_FAILED. */
static int find_direct(struct weir_context *context, const struct place *place, struct entry *ret_entry)
{
	const void *value;
	size_t size_bytes;
	int r = weir_state_get(context, place->bytes, place->size_bytes, &value, &size_bytes);

	if (r == WEIR_OK)
		memcpy(ret_entry, value, sizeof(*ret_entry));
	return r;
}

static int find_hashed(struct weir_context *context, const void *key, size_t size_bytes, struct place *ret_place,
		       struct entry *ret_entry)
{
	uint64_t hash = fnv_add(FNV_BEGIN, key, size_bytes);
	struct weir_state_entry found;
	uint32_t n = 0;
	int r;

	place_hashed(ret_place, hash, 0);
	r = weir_state_first(context, ret_place->bytes, HASH_SIZE, &found);
	for (; r == WEIR_OK; r = weir_state_next(context, ret_place->bytes, HASH_SIZE, &found)) {
		memcpy(&n, found.key + HASH_SIZE, sizeof(n));
		n = be32toh(n);
		if (found.size_bytes == sizeof(*ret_entry) + size_bytes &&
		    memcmp((const unsigned char *)found.value + sizeof(*ret_entry), key, size_bytes) == 0) {
			memcpy(ret_entry, found.value, sizeof(*ret_entry));
			place_hashed(ret_place, hash, n);
			return WEIR_OK;
		}
		n++;
	}
	place_hashed(ret_place, hash, n);
	return r;
}

static int find(struct weir_context *context, const void *key, size_t size_bytes, struct place *ret_place,
		struct entry *ret_entry)
{
	if (size_bytes > DIRECT_SIZE_MAX)
		return find_hashed(context, key, size_bytes, ret_place, ret_entry);
	place_direct(ret_place, key, size_bytes);
	return find_direct(context, ret_place, ret_entry);
}

/* The entry still says that an item like it is a duplicate. */
static bool counts(const struct dedupe *state, const struct dedupe_cursor *cursor, const struct entry *entry)
{
	return (!state->within_ns || cursor->clock_ns - entry->time_ns < state->within_ns) &&
	       (!state->last || cursor->n_passed - entry->number < state->last);
}

/* ---- forgetting ---- */

static void place_number(struct place *place, uint64_t number)
{
	place->bytes[0] = 'q';
	number = htobe64(number);
	memcpy(place->bytes + 1, &number, sizeof(number));
	place->size_bytes = 9;
}

/* The oldest number, and its entry if it still is that number's. Returns WEIR_OK; -ENOENT: it counts; WEIR_FAILED. */
static int forget_one(struct weir_context *context, const struct dedupe *state, struct dedupe_cursor *cursor)
{
	struct place number, place;
	struct entry entry;
	const void *value;
	size_t size_bytes;
	int r;

	place_number(&number, cursor->oldest);
	r = weir_state_get(context, number.bytes, number.size_bytes, &value, &size_bytes);
	if (r != WEIR_OK)
		return r;
	place.size_bytes = size_bytes;
	memcpy(place.bytes, value, size_bytes);
	r = find_direct(context, &place, &entry);
	if (r == WEIR_OK && entry.number == cursor->oldest) {
		if (counts(state, cursor, &entry))
			return -ENOENT;
		r = weir_state_delete(context, place.bytes, place.size_bytes);
	}
	if (r == WEIR_OK || r == -ENOENT)
		r = weir_state_delete(context, number.bytes, number.size_bytes);
	if (r == WEIR_OK)
		cursor->oldest++;
	return r;
}

/* At most so many. Returns how many; *ret_r: WEIR_OK, or what went wrong. */
static unsigned forget(struct weir_context *context, const struct dedupe *state, struct dedupe_cursor *cursor,
		       unsigned n_max, int *ret_r)
{
	unsigned n = 0;

	*ret_r = WEIR_OK;
	while (n < n_max && *ret_r == WEIR_OK && cursor->oldest <= cursor->n_passed) {
		*ret_r = forget_one(context, state, cursor);
		n += *ret_r == WEIR_OK;
	}
	if (*ret_r == -ENOENT)
		*ret_r = WEIR_OK;
	return n;
}

/* ---- items ---- */

/* What an entry holds: itself, and behind it a key that is too long for the state's key. */
static int put_entry(struct weir_context *context, struct dedupe *state, const struct place *place,
		     const struct entry *entry, const void *key, size_t size_bytes)
{
	size_t value_bytes = sizeof(*entry) + (place->bytes[0] == 'h' ? size_bytes : 0);

	if (value_bytes > state->value_room_bytes) {
		unsigned char *grown = realloc(state->value, value_bytes);

		if (!grown)
			return error_origin(-ENOMEM);
		state->value = grown;
		state->value_room_bytes = value_bytes;
	}
	memcpy(state->value, entry, sizeof(*entry));
	memcpy(state->value + sizeof(*entry), key, value_bytes - sizeof(*entry));
	return weir_state_put(context, place->bytes, place->size_bytes, state->value, value_bytes);
}

static int remember(struct weir_context *context, struct dedupe *state, struct dedupe_cursor *cursor,
		    const struct place *place, const void *key, size_t size_bytes)
{
	const struct entry entry = { cursor->n_passed + 1, cursor->clock_ns };
	struct place number;
	int r;

	place_number(&number, entry.number);
	for (;;) {
		int forgot = WEIR_OK;

		r = put_entry(context, state, place, &entry, key, size_bytes);
		if (r == WEIR_OK)
			r = weir_state_put(context, number.bytes, number.size_bytes, place->bytes, place->size_bytes);
		if (r != WEIR_FULL || forget(context, state, cursor, FORGET_FULL, &forgot) == 0)
			return forgot != WEIR_OK ? forgot : r;
	}
}

static int pass(struct weir_context *context, struct dedupe *state, const struct weir_item *item,
		const struct place *place, const void *key, size_t size_bytes)
{
	struct dedupe_cursor *cursor = weir_cursor(context);
	int r;

	forget(context, state, cursor, FORGET_EACH, &r);
	if (r == WEIR_OK)
		r = remember(context, state, cursor, place, key, size_bytes);
	if (r == WEIR_FULL || r == WEIR_TOO_LARGE) {
		weir_reject(context, "%s",
			    r == WEIR_FULL ? "no room to remember its key: more keys in the window than state: allows" :
					     "its key is larger than 1 MiB");
		return WEIR_REJECTED;
	}
	if (r != WEIR_OK)
		return r;
	cursor->n_passed++;
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static int pass_without(struct weir_context *context, const struct dedupe *state, const struct weir_item *item)
{
	switch (state->without) {
	case WITHOUT_REJECT:
		weir_reject(context, "it has no key (%s)", weir_option_string(context, "key"));
		return WEIR_REJECTED;
	case WITHOUT_DROP:
		return WEIR_OK;
	case WITHOUT_PASS:
		break;
	}
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static int dedupe_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct dedupe_cursor *cursor = weir_cursor(context);
	struct dedupe *state = data;
	struct entry entry;
	struct place place;
	const void *key;
	size_t size_bytes;
	int r = weir_key_bytes(context, state->key, item, &key, &size_bytes);

	if (r == -ENOENT)
		return pass_without(context, state, item);
	if (item->accepted_ns > cursor->clock_ns)
		cursor->clock_ns = item->accepted_ns;
	r = find(context, key, size_bytes, &place, &entry);
	if (r == WEIR_OK && counts(state, cursor, &entry))
		return WEIR_OK;
	return r == WEIR_OK || r == -ENOENT ? pass(context, state, item, &place, key, size_bytes) : r;
}

static void dedupe_close(struct weir_context *context, void *data)
{
	struct dedupe *state = data;

	weir_key_free(context, state->key);
	free(state->value);
	free(state);
}

const struct weir_stage dedupe_operator_callbacks = {
	.open = dedupe_open,
	.process = dedupe_process,
	.close = dedupe_close,
};
