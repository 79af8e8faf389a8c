/* SPDX-License-Identifier: Apache-2.0 */
/* One item out of the parts of a message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>
#include <zmq.h>

enum parcel_parts { PARCEL_ONE, PARCEL_FIRST, PARCEL_LAST, PARCEL_JOIN, PARCEL_ARRAY };

struct parcel {
	enum parcel_parts parts;
	const char *separator; /* PARCEL_JOIN: between two parts; not owned */
	size_t size_max_bytes; /* of an item */
	char *joined;          /* PARCEL_JOIN, PARCEL_ARRAY: room for size_max_bytes; owned */
	uint64_t total_bytes;  /* what the item has, or would have if it may not be so large */
	zmq_msg_t kept;        /* the others: the part that counts */
	uint32_t n_parts;
	bool is_text; /* PARCEL_ARRAY: each part so far is UTF-8 */
};

/* Reads the options `parts` and `separator`. Returns 0 or -ENOMEM. */
int parcel_init(struct parcel *parcel, struct weir_context *context);
void parcel_deinit(struct parcel *parcel);

/* A new message. */
void parcel_begin(struct parcel *parcel);
/* Its next part, which may be emptied thereby. */
void parcel_add(struct parcel *parcel, zmq_msg_t *part);
/* That was all of it. */
void parcel_end(struct parcel *parcel);

/* The item's bytes, at most size_max_bytes of them, until the next parcel_begin(). */
const void *parcel_bytes(struct parcel *parcel, size_t *ret_size_bytes);
/* NULL: it is one; else why it can't be an item, whatever its size; static. */
const char *parcel_unfit(const struct parcel *parcel);
