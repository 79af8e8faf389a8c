/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed state: what a stage remembers from item to item, by key, and more of it than a cursor holds. A stage that says WEIR_STAGE_STATE has
 * entries of its own, in each of its workers:
 *
 *      const void *value;
 *      size_t size_bytes;
 *      uint64_t n = 0;
 *
 *      if (weir_state_get(context, key, key_bytes, &value, &size_bytes) == WEIR_OK)
 *              memcpy(&n, value, sizeof(n));
 *      n++;
 *      r = weir_state_put(context, key, key_bytes, &n, sizeof(n));
 *
 * What an item changes takes effect with the item: with its outputs and its line in the ledger, in the turn's one commit, or not at all.
 * If the worker is killed, the next one finds the entries as the last commit left them. An item that is rejected, cancelled, postponed,
 * deferred or given up has changed nothing. Entries live as long as the run: as the sources do, the next run begins anew.
 *
 * With several workers each has the keys of its own items: the stage needs `balance: key(...)`, with a key by which it looks here, too.
 *
 * How much there may be is said in the spec (`state: 256MiB`, for each worker); an entry counts as its key, its value and 16 bytes. It lies
 * in an LMDB file in the state folder, so what is seldom used takes no memory.
 *
 * All calls: worker process, the thread that was called back, in any callback; changes not in close(). No system call but now and
 * then; entries that are not in memory are read from the disk.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_context;

#define WEIR_STATE_KEY_SIZE_MAX 511u       /* bytes of a key; 1 is the least */
#define WEIR_STATE_VALUE_SIZE_MAX 1048576u /* bytes of a value; 0 is fine */

/*
 * The value of a key, in place, until the next call that changes something or the callback's end; not aligned. Returns WEIR_OK; -ENOENT:
 * there is none; -EINVAL: no such key can be; -EPERM: the stage has none (WEIR_STAGE_STATE, WEIR_STAGE_STATE_IF_GIVEN); WEIR_FAILED: the
 * state can't be read, return it.
 */
int weir_state_get(struct weir_context *context, const void *key, size_t key_size_bytes, const void **ret_value,
		   size_t *ret_size_bytes);

/*
 * The key has this value from now on; both are copied. Returns WEIR_OK; WEIR_FULL: there would be more than `state:` allows, and nothing
 * has changed: forget something, or weir_reject() the item; WEIR_TOO_LARGE: the value is larger than WEIR_STATE_VALUE_SIZE_MAX, or one
 * item has changed more than 16 MiB; -EINVAL, -EPERM and WEIR_FAILED as above. -EPERM also in close().
 */
int weir_state_put(struct weir_context *context, const void *key, size_t key_size_bytes, const void *value,
		   size_t size_bytes);

/* The key has no value any more. Returns WEIR_OK; -ENOENT: it had none; else as weir_state_put(). */
int weir_state_delete(struct weir_context *context, const void *key, size_t key_size_bytes);

/* An entry, and a place in the order of the keys, which is that of their bytes. */
struct weir_state_entry {
	size_t key_size_bytes;
	unsigned char key[WEIR_STATE_KEY_SIZE_MAX + 1]; /* a copy */
	const void *value;                              /* as from weir_state_get() */
	size_t size_bytes;
};

/*
 * All entries whose keys begin with a prefix (size 0: all), one after the other: the first, then always the next one behind entry->key,
 * whatever has been put and deleted meanwhile. Returns WEIR_OK; -ENOENT: there are no more; else as weir_state_get().
 */
int weir_state_first(struct weir_context *context, const void *prefix, size_t prefix_size_bytes,
		     struct weir_state_entry *entry);
int weir_state_next(struct weir_context *context, const void *prefix, size_t prefix_size_bytes,
		    struct weir_state_entry *entry);

/* What all entries of this worker count, and how much they may. Returns WEIR_OK, -EPERM or WEIR_FAILED. */
int weir_state_usage(struct weir_context *context, uint64_t *ret_used_bytes, uint64_t *ret_size_bytes);

#ifdef __cplusplus
}
#endif
