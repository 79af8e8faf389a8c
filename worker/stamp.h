/* SPDX-License-Identifier: Apache-2.0 */
/* Sources with `expires`: each item gets its own deadline as it is emitted. Nothing is done where worker->stamp is NULL. */
#pragma once

#include "common/base/text.h"
#include "common/flow/item_layout.h"
#include "worker/worker.h"

/* At attach. Returns 0; -EINVAL and why. */
int stamp_attach(struct worker *worker, struct text *why);
void stamp_detach(struct worker *worker);

/*
 * An item with this payload is about to be emitted: what it is built with, up to stamp_end(), has its deadline, if it says one. Returns
 * 0; WEIR_REJECTED: what it says is no time, it is refused and counted; WEIR_FAILED: it could not be kept, worker->reason is set.
 */
int stamp_begin(struct worker *worker, const void *data, size_t size_bytes);
/* Room is about to be reserved for an item that has yet to be written: with room for a deadline. */
void stamp_begin_reserved(struct worker *worker);
/* It was reserved: what the item says is known when it is pushed, and so where it goes is a scratch. */
void stamp_reserved(struct worker *worker, void **ret_payload);
/* output_push_reserved() of such an item. Returns its status, or as stamp_begin(). */
int stamp_push(struct worker *worker, uint32_t output, size_t size_bytes);
/* What the stage itself has said of what it emits stands again. Fine without a begin. */
void stamp_end(struct worker *worker);

/* What a payload may be shorter by. */
static inline size_t stamp_size(const struct worker *worker)
{
	return worker->stamp ? sizeof(struct item_extension) : 0;
}
