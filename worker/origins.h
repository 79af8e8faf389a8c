/* SPDX-License-Identifier: Apache-2.0 */
/* Other slots' lanes that items of this worker may refer to. */
#pragma once

#include "worker/worker.h"

/* Notes what the heritage names, and keeps its descriptors; maps nothing yet. origins_detach() unmaps, closes, frees. */
void origins_attach(struct worker *worker);
void origins_detach(struct worker *worker);

/*
 * Where the payload of an ITEM_REFERENCE record lies; its lane is mapped if this is the first item from there. Returns 0 and
 * the payload; LANE_E_BROKEN: it refers to nothing that the heritage names; -errno: it can't be mapped.
 */
int origins_resolve(struct worker *worker, const void *record_payload, const void **ret_data, size_t *ret_size_bytes);
