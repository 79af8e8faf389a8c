/* SPDX-License-Identifier: Apache-2.0 */
/* Replies on their way to the workers that have the clients. Worker process, main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/zmq/way.h"

struct replies {
	const char *to;                          /* the source that has the clients; not owned */
	struct messenger *ways[WAY_WORKERS_MAX]; /* to each of its workers; NULL: not opened yet; owned */
	struct reply {
		struct way_address address;
		size_t at_bytes, size_bytes; /* in room */
		bool sent, heard;
	} * at;
	uint32_t n, capacity, n_heard;
	char *room; /* the bytes; owned */
	size_t used_bytes, capacity_bytes;
	bool unknown_said, gone_said;
};

/* Replies of a turn go to the workers of that source. Returns 0 or -errno. */
int replies_open(struct replies *replies, struct weir_context *context, const char *to);
/* has_ended: none will ever come any more, and that is said. What was sent may take `linger` to leave. Fine on one that is all zero. */
void replies_close(struct replies *replies, const struct weir_context *context, bool has_ended);

/* process(): returns 0, WEIR_REJECTED after weir_reject(), -errno. */
int replies_add(struct replies *replies, struct weir_context *context, const struct weir_item *item);
/*
 * Until each has been heard by the worker that has its client, or nobody waits for it any more. Returns 0, WEIR_CANCELLED, -errno.
 */
int replies_flush(struct replies *replies, struct weir_context *context);
