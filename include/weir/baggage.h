/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baggage: what an item brings along beside its payload, from its source to its last sink.
 *
 *      scope       the request, among millions, that it belongs to, and that can be cancelled as one (weir/scope.h)
 *      deadline    when the run of this item is over: weir_expire_at() in weir/budget.h
 *      pairs       trace id, tenant, or any other key
 *
 * What a stage emits for an item inherits all of it. The calls here look at the baggage of the item in hand and change that of what is
 * emitted after them, until the callback returns (process(), and the produce() calls that go on for the item), the next item is in hand
 * (run()), or the item is complete (weir_complete()). A source sets it before it emits, in each produce().
 *
 * A stage that holds items (WEIR_HELD) makes one of several, maybe: what it emits while it holds any inherits nothing, and stages that
 * know what belongs to what use weir_baggage_pack() and weir_baggage_unpack(). Room that was reserved before a change is gone.
 *
 * An item without any costs nothing for all this. One that has some is taken and emitted a little slower, and is larger by 24 bytes and
 * the pairs, which counts against the largest item that a lane takes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_context;

#define WEIR_BAGGAGE_KEY_MAX 64u   /* bytes of a key */
#define WEIR_BAGGAGE_SIZE_MAX 488u /* bytes of all keys and values, and 4 for each pair */

/*
 * Adds a pair, or replaces the value of its key; value NULL removes it. Copies both. Returns 0; WEIR_TOO_LARGE: all pairs
 * together would take more than WEIR_BAGGAGE_SIZE_MAX, and nothing has changed; -EINVAL: an empty key, or a longer one than
 * WEIR_BAGGAGE_KEY_MAX; -EPERM: not from a callback that may emit.
 */
int weir_baggage_set(struct weir_context *context, const char *key, const void *value, size_t size_bytes);

/* The value of a key, in place until the next call that changes something or the callback's end. Returns 0 or -ENOENT. */
int weir_baggage_get(const struct weir_context *context, const char *key, const void **ret_value,
		     size_t *ret_size_bytes);

/* From here on nothing is inherited: no pairs, no scope, no deadline. Returns 0 or -EPERM. */
int weir_baggage_clear(struct weir_context *context);

/*
 * All of it as bytes, for who holds items: pack returns how many it has written (0: there is no baggage), at most
 * WEIR_BAGGAGE_PACKED_MAX; unpack makes it what the following emits bring along, and returns 0, -EINVAL (no such bytes), or -EPERM.
 */
#define WEIR_BAGGAGE_PACKED_MAX 512u
size_t weir_baggage_pack(const struct weir_context *context, void *packed);
int weir_baggage_unpack(struct weir_context *context, const void *packed, size_t size_bytes);

#ifdef __cplusplus
}
#endif
