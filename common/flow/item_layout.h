/* SPDX-License-Identifier: Apache-2.0 */
/* A record in a lane: header + payload, padded to 8 bytes. Writer: the lane's producer, behind its tail. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/item.h>

enum item_kind {
	ITEM_DATA = WEIR_RECORD_DATA,
	ITEM_RUN_END = 2,   /* no payload: the run with this ticket, and all before it, are complete in this lane */
	ITEM_REFERENCE = 3, /* an item whose bytes lie in another lane: reference.h */
};

/* Public, because stages write it through the inline calls of weir/emit.h. */
#define item_header weir_record

/* Where the bytes of an item lie: payload of an ITEM_REFERENCE record. They stay there until the record has been freed. */
struct item_reference {
	uint32_t slot;       /* whose segment */
	uint32_t writer;     /* which of its output lanes */
	uint64_t position;   /* of the payload's first byte in that lane */
	uint64_t size_bytes; /* of the payload */
};

#define ITEM_ALIGNMENT 8u
static_assert(sizeof(struct item_reference) == 24 && offsetof(struct item_reference, writer) == 4 &&
		      offsetof(struct item_reference, position) == 8,
	      "layout");
static_assert(sizeof(struct item_header) == 32 && offsetof(struct item_header, ticket) == 16, "layout");

static inline uint64_t item_record_size(uint64_t payload_bytes)
{
	return (sizeof(struct item_header) + payload_bytes + ITEM_ALIGNMENT - 1) & ~(uint64_t)(ITEM_ALIGNMENT - 1);
}

/* Whether kind and size go together; the size itself is checked against what is there. */
static inline bool item_makes_sense(const struct item_header *header)
{
	switch (header->kind) {
	case ITEM_DATA:
		return true;
	case ITEM_RUN_END:
		return !header->size_bytes;
	case ITEM_REFERENCE:
		return header->size_bytes == sizeof(struct item_reference);
	default:
		return false;
	}
}
