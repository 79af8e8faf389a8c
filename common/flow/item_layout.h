/* SPDX-License-Identifier: Apache-2.0 */
/* A record in a lane: header + payload, padded to 8 bytes. Writer: the lane's producer, behind its tail. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/item.h>

enum item_kind {
	ITEM_DATA = WEIR_RECORD_DATA,
	ITEM_RUN_END = 2, /* no payload: the run with this ticket, and all before it, are complete in this lane */
};

/* Public, because stages write it through the inline calls of weir/emit.h. */
#define item_header weir_record

#define ITEM_ALIGNMENT 8u
static_assert(sizeof(struct item_header) == 32 && offsetof(struct item_header, ticket) == 16, "layout");

static inline uint64_t item_record_size(uint64_t payload_bytes)
{
	return (sizeof(struct item_header) + payload_bytes + ITEM_ALIGNMENT - 1) & ~(uint64_t)(ITEM_ALIGNMENT - 1);
}
