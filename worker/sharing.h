/* SPDX-License-Identifier: Apache-2.0 */
/* Items that are written once and referred to: passed on unchanged, or sent to several edges. */
#pragma once

#include "worker/worker.h"

/*
 * Passes the item in hand on, to one edge or all of them: by reference where the edge carries references, as a copy elsewhere.
 * All or none. Returns as output_push() does. Wait-free.
 */
enum output_code sharing_forward(struct worker *worker, uint32_t output, const struct weir_item *item);

/* Puts a payload behind the tail of one lane of each edge: written into the first, referred to from those that carry references. */
enum output_code sharing_broadcast(struct worker *worker, const void *data, size_t size_bytes);

/* Whether sharing pays: large enough, and somebody could refer to it. */
bool sharing_wanted(const struct worker *worker, size_t size_bytes);
