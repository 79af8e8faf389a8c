/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letters of one turn. A transaction costs two syncs of the disk, however much is in it; so who refuses many items pays once.
 *
 *      add, add, add  ->  begin, put, put, put, commit (two syncs)
 *                                ^
 *                  no room here: the transaction is dropped, and none of the three is in the store
 *
 * They are encoded before the transaction begins: what happens in one holds up all other writers.
 */
#include "common/store/letter_batch.h"

#include <errno.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "common/store/letter_store_priv.h"

struct letter_batch_entry {
	unsigned char identity[LETTER_IDENTITY_MAX];
	size_t identity_bytes;
	char *encoded; /* owned */
	size_t encoded_bytes;
};

static int batch_grow(struct letter_batch *batch)
{
	size_t room = batch->room ? 2 * batch->room : 16;
	struct letter_batch_entry *entries;

	if (batch->n < batch->room)
		return 0;
	entries = reallocarray(batch->entries, room, sizeof(*entries));
	if (!entries)
		return error_origin(-ENOMEM);
	batch->entries = entries;
	batch->room = room;
	return 0;
}

int letter_batch_add(struct letter_batch *batch, const struct dead_letter *letter)
{
	struct letter_batch_entry *entry;
	int r = batch_grow(batch);

	if (r)
		return r;
	entry = &batch->entries[batch->n];
	r = letter_encode(letter, &entry->encoded, &entry->encoded_bytes);
	if (r)
		return r;
	entry->identity_bytes = dead_letter_identity(letter, entry->identity);
	batch->size_bytes += entry->encoded_bytes;
	batch->n++;
	return 0;
}

void letter_batch_deinit(struct letter_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		free(batch->entries[i].encoded);
	free(batch->entries);
	*batch = (struct letter_batch){ 0 };
}

static int put_one(struct letter_store *store, MDB_txn *txn, struct letter_batch_entry *entry, uint64_t *ret_id)
{
	MDB_val identity = { entry->identity_bytes, entry->identity };
	int r = letter_store_find_id(store, txn, &identity, ret_id);

	if (r == 0)
		r = letter_store_put_value(store, txn, *ret_id, &identity, entry->encoded, entry->encoded_bytes);
	return r ? r : letter_store_unmark_one(store, txn, *ret_id);
}

/* ret_id: the last one's. */
static int put_all(struct letter_store *store, const struct letter_batch *batch, uint64_t *ret_id)
{
	MDB_txn *txn;
	int r = letter_store_begin_write(store, &txn);

	if (r)
		return r;
	for (size_t i = 0; i < batch->n && r == 0; i++)
		r = put_one(store, txn, &batch->entries[i], ret_id);
	return letter_store_end_write(store, txn, r);
}

int letter_store_put_all(struct letter_store *store, const struct letter_batch *batch)
{
	uint64_t id;

	return batch->n ? put_all(store, batch, &id) : 0;
}

int letter_store_put(struct letter_store *store, const struct dead_letter *letter, uint64_t *ret_id)
{
	struct letter_batch batch = { 0 };
	uint64_t id = 0;
	int r = letter_batch_add(&batch, letter);

	if (r == 0)
		r = put_all(store, &batch, &id);
	letter_batch_deinit(&batch);
	if (r == 0 && ret_id)
		*ret_id = id;
	return r;
}
