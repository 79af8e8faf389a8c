/* SPDX-License-Identifier: Apache-2.0 */
/* An item as a stage sees it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A view of one item. It points into a lane that this process maps read-only, and is valid until the callback
 * that got it returns. A stage that wants to keep the bytes copies them.
 */
struct weir_item {
	const void *data;     /* payload; not NUL-terminated */
	size_t size_bytes;    /* of the payload; may be 0 */
	uint64_t sequence;    /* number that the producing slot gave it, from 0 */
	uint64_t accepted_ns; /* CLOCK_MONOTONIC, when its source took it in */
	uint32_t input;       /* index of the input edge it came by */
	uint32_t attempt;     /* 0 the first time; n after n workers died with it in hand */
};

/* How a record begins in a lane: this header, then the payload, padded to 8 bytes. For the inline calls of emit.h. */
struct weir_record {
	uint32_t size_bytes; /* payload */
	uint16_t kind;       /* WEIR_RECORD_DATA, or one of the runtime's own */
	uint16_t
		flags; /* words of 8 bytes, before the payload, of what the item brings along (weir/baggage.h); mostly 0 */
	uint64_t sequence;    /* per producing slot, from 0 */
	uint64_t ticket;      /* run that it belongs to; 0 on edges without order */
	uint64_t accepted_ns; /* when its source took it in */
};
#define WEIR_RECORD_DATA 1

#ifdef __cplusplus
}
#endif
