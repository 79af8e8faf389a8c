/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of one worker of scatter follow each other, so those that are whole lie together:
 *
 *      w 0 0   1 1 1 1 0 1 1 ...       w 0 1   1 1 0 0 0 ...       w 1 0   ...
 *              |       '- is open          |
 *              '- due first: goes first    '- made when the first of its numbers is whole
 *
 * Whenever one is made, the oldest of its worker are looked at, and those of the next worker that has any: who falls silent leaves nothing
 * behind. So there are never many more than the items of one `within` make.
 */
#include "worker/operators/wholes.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <weir/state.h>

#define BITS 512u
#define WORDS (BITS / 64)
#define PREFIX_SIZE (1 + sizeof(uint32_t))
#define KEY_SIZE (PREFIX_SIZE + sizeof(uint64_t))
#define FORGET_EACH 2u

struct wholes {
	uint64_t due_ns; /* of the last of them */
	uint64_t bits[WORDS];
};

static void key_of(uint32_t worker, uint64_t block, unsigned char key[KEY_SIZE])
{
	const uint32_t worker_be = htobe32(worker);
	const uint64_t block_be = htobe64(block);

	key[0] = 'w';
	memcpy(key + 1, &worker_be, sizeof(worker_be));
	memcpy(key + PREFIX_SIZE, &block_be, sizeof(block_be));
}

static int get(struct weir_context *context, const unsigned char key[KEY_SIZE], struct wholes *wholes)
{
	const void *value;
	size_t size_bytes;
	int r = weir_state_get(context, key, KEY_SIZE, &value, &size_bytes);

	*wholes = (struct wholes){ 0 };
	if (r == WEIR_OK)
		memcpy(wholes, value, sizeof(*wholes));
	return r;
}

/* ---- those whose time is over ---- */

/* The oldest of one worker, from *entry on. Returns WEIR_OK, or what went wrong. */
static int forget_from(struct weir_context *context, struct weir_state_entry *entry, uint64_t now_ns)
{
	unsigned char prefix[PREFIX_SIZE];
	struct wholes wholes;
	int r = WEIR_OK;

	memcpy(prefix, entry->key, sizeof(prefix));
	for (uint32_t n = 0; n < FORGET_EACH && r == WEIR_OK; n++) {
		memcpy(&wholes, entry->value, sizeof(wholes));
		if (wholes.due_ns > now_ns)
			return WEIR_OK;
		r = weir_state_delete(context, entry->key, entry->key_size_bytes);
		if (r == WEIR_OK)
			r = weir_state_next(context, prefix, sizeof(prefix), entry);
	}
	return r == -ENOENT ? WEIR_OK : r;
}

static int forget_of(struct weir_context *context, uint32_t worker, uint64_t now_ns)
{
	struct weir_state_entry entry;
	unsigned char key[KEY_SIZE];
	int r;

	key_of(worker, 0, key);
	r = weir_state_first(context, key, PREFIX_SIZE, &entry);
	if (r == WEIR_OK)
		r = forget_from(context, &entry, now_ns);
	return r == -ENOENT ? WEIR_OK : r;
}

/* Of the worker behind this one, in the order of their numbers; behind the last comes the first. */
static int forget_of_next(struct weir_context *context, uint32_t worker, uint64_t now_ns)
{
	struct weir_state_entry entry = { .key_size_bytes = KEY_SIZE };
	int r;

	key_of(worker, UINT64_MAX, entry.key);
	r = weir_state_next(context, "w", 1, &entry);
	if (r == -ENOENT)
		r = weir_state_first(context, "w", 1, &entry);
	if (r == WEIR_OK)
		r = forget_from(context, &entry, now_ns);
	return r == -ENOENT ? WEIR_OK : r;
}

static int forget_some(struct weir_context *context, uint32_t worker)
{
	uint64_t now_ns = weir_now_ns(context);
	int r = forget_of(context, worker, now_ns);

	return r == WEIR_OK ? forget_of_next(context, worker, now_ns) : r;
}

/* ---- one of them ---- */

int wholes_add(struct weir_context *context, const struct mark *mark, uint64_t due_ns)
{
	const uint64_t place = mark->number % BITS;
	unsigned char key[KEY_SIZE];
	struct wholes wholes;
	int r;

	key_of(mark->worker, mark->number / BITS, key);
	r = get(context, key, &wholes);
	if (r == -ENOENT)
		r = forget_some(context, mark->worker);
	if (r != WEIR_OK)
		return r;
	wholes.bits[place / 64] |= UINT64_C(1) << place % 64;
	wholes.due_ns = due_ns > wholes.due_ns ? due_ns : wholes.due_ns;
	return weir_state_put(context, key, sizeof(key), &wholes, sizeof(wholes));
}

int wholes_have(struct weir_context *context, const struct mark *mark, bool *ret_whole)
{
	const uint64_t place = mark->number % BITS;
	unsigned char key[KEY_SIZE];
	struct wholes wholes;
	int r;

	*ret_whole = false;
	key_of(mark->worker, mark->number / BITS, key);
	r = get(context, key, &wholes);
	*ret_whole = wholes.bits[place / 64] >> place % 64 & 1;
	return r == -ENOENT ? WEIR_OK : r;
}
