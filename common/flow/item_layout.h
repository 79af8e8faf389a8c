/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record in a lane: header, extension, payload, padded to 8 bytes. Writer: the lane's producer, behind its tail.
 *
 *      header.flags = 0      [ header | payload                                  ]     most records: nothing of this costs them anything
 *      header.flags = n      [ header | n words of extension | payload           ]     header.size_bytes is extension + payload
 *                                       scope, deadline, baggage
 *
 * Whoever only steps over records needs to know nothing of it.
 */
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

/* What an item brings along: words 0 to 2, then the baggage (worker/baggage.c), filled up with zeros to whole words. */
struct item_extension {
	uint64_t scope;          /* id of the scope that it belongs to; 0: none */
	uint64_t deadline_ns;    /* CLOCK_MONOTONIC, of its run, from source to sink; 0: none of its own */
	uint32_t baggage_bytes;  /* 0: none */
	uint32_t reserved;       /* 0 */
	unsigned char baggage[]; /* pairs of key and value, one behind the other */
};
#define ITEM_WORD_BYTES 8u
#define ITEM_EXTENSION_WORDS_MIN 3u /* without baggage */
#define ITEM_EXTENSION_WORDS_MAX 64u
#define ITEM_EXTENSION_SIZE_MAX (ITEM_EXTENSION_WORDS_MAX * ITEM_WORD_BYTES)
#define ITEM_BAGGAGE_SIZE_MAX (ITEM_EXTENSION_SIZE_MAX - (uint32_t)sizeof(struct item_extension))
static_assert(sizeof(struct item_extension) == ITEM_EXTENSION_WORDS_MIN * ITEM_WORD_BYTES &&
		      offsetof(struct item_extension, deadline_ns) == 8 &&
		      offsetof(struct item_extension, baggage_bytes) == 16 && ITEM_WORD_BYTES == ITEM_ALIGNMENT,
	      "layout");

/* Bytes between header and payload. */
static inline uint32_t item_extension_size(const struct item_header *header)
{
	return header->flags * ITEM_WORD_BYTES;
}

static inline uint64_t item_record_size(uint64_t payload_bytes)
{
	return (sizeof(struct item_header) + payload_bytes + ITEM_ALIGNMENT - 1) & ~(uint64_t)(ITEM_ALIGNMENT - 1);
}

static inline bool item_extension_makes_sense(const struct item_header *header)
{
	return !header->flags ||
	       (header->flags >= ITEM_EXTENSION_WORDS_MIN && header->flags <= ITEM_EXTENSION_WORDS_MAX &&
		header->kind != ITEM_RUN_END && item_extension_size(header) <= header->size_bytes);
}

/* Whether kind, extension and size go together; the size itself is checked against what is there. */
static inline bool item_makes_sense(const struct item_header *header)
{
	if (!item_extension_makes_sense(header))
		return false;
	switch (header->kind) {
	case ITEM_DATA:
		return true;
	case ITEM_RUN_END:
		return !header->size_bytes;
	case ITEM_REFERENCE:
		return header->size_bytes == item_extension_size(header) + sizeof(struct item_reference);
	default:
		return false;
	}
}
