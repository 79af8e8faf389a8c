/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letters that are to be in a store together or not at all, as bytes of their own: what they were made of may go. One process; nobody else
 * sees them before letter_store_put_all().
 */
#pragma once

#include <stddef.h>

#include "common/store/letter_store.h"

struct letter_batch_entry;
struct letter_batch {
	struct letter_batch_entry *entries; /* owned */
	size_t n, room;
	size_t size_bytes; /* of what has been added */
};

/* Copies the letter. Returns 0, -ENOMEM. */
int letter_batch_add(struct letter_batch *batch, const struct dead_letter *letter);
/* None any more; may be used again. */
void letter_batch_deinit(struct letter_batch *batch);

/*
 * Writes them in their order, durably, in one transaction, each as letter_store_put() does. Blocks on the disk, once for all of them, and
 * on other writers. Returns as that does; with anything but 0 nothing has changed, and the batch is as it was.
 */
int letter_store_put_all(struct letter_store *store, const struct letter_batch *batch);
