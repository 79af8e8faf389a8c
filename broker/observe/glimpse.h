/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items as they pass on one lane, copied by an observer, which can hold nobody up: what was overwritten under its hands is not shown, and
 * is counted. Nobody on the lane knows. None of these waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/observe/observer.h"
#include "common/flow/item_layout.h"

struct glimpse {
	const struct observer *observer; /* borrowed */
	uint32_t number;                 /* of the lane in the catalog */
	struct catalog_lane lane;        /* a copy: a reload takes the catalog away */
	const struct lane_writer *writer;
	const struct lane_reader *reader;
	unsigned char *data; /* mapped twice, read-only; NULL: nothing has been looked at yet */
	uint64_t from;       /* a record begins there, or will */
	bool marked;         /* the record before `from`, as it was found: */
	uint64_t mark_position;
	struct item_header mark;
};

struct glimpse_item {
	uint64_t position;
	struct item_header header;
	uint32_t generation; /* of the worker that sits where it comes from */
	bool reference;      /* its bytes lie in another lane */
	bool gone;           /* ... and may be others by now: `bytes` is empty */
	uint64_t size_bytes; /* of the payload */
	struct text bytes;   /* the payload; the caller's, from item to item */
};

/* From what passes next on. lane is below the catalog's n_lanes. The observer must outlive it. Returns 0, or -errno: it can't be mapped. */
int glimpse_open(struct glimpse *glimpse, const struct observer *observer, uint32_t lane);
void glimpse_close(struct glimpse *glimpse);

/*
 * The next item. Returns 0; GLIMPSE_E_NOTHING: nothing has passed; GLIMPSE_E_MISSED: something has, and was overwritten before it was
 * copied, so what follows begins with what passes next; -errno: the lane can't be mapped.
 */
enum { GLIMPSE_E_NOTHING = 1, GLIMPSE_E_MISSED = 2 };
int glimpse_take(struct glimpse *glimpse, struct glimpse_item *item);
/* Forgets what has passed: begins with what passes next. */
void glimpse_skip(struct glimpse *glimpse);
