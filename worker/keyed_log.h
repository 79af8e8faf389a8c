/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stage has changed in its keyed state since the last fold, in the order in which it did: memory of the slot, which outlives the
 * worker. Positions count all bytes that were ever written, and whose 64-bit number stands in the cursor is committed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/store/state_store.h"

#define KEYED_LOG_SIZE_MAX (32UL << 20) /* what one turn may change, and one item half of it */

struct keyed_log {
	int fd;              /* owned */
	unsigned char *base; /* mapped; a header, then records */
	size_t size_bytes;   /* of the mapping */
	uint64_t begin, end; /* positions: of the first record, behind the last one */
};

/* One change. */
struct keyed_change {
	struct state_bytes key, value; /* in the log */
	bool removes;                  /* the key has no value any more */
};

enum {
	KEYED_LOG_E_FULL = 1,   /* it can't grow any more */
	KEYED_LOG_E_BROKEN = 2, /* what lies there are no records */
	KEYED_LOG_E_NONE = 3,   /* no more changes */
};

/* Takes fd over. The log holds what lies between its own beginning and `end`. Returns 0; KEYED_LOG_E_BROKEN; -errno. */
int keyed_log_attach(struct keyed_log *log, int fd, uint64_t end);
void keyed_log_detach(struct keyed_log *log);

/*
 * Writes a change behind the end, which stays where it is until keyed_log_push(): *ret_change shows it, in place. Grows the memory if
 * need be. Returns 0; KEYED_LOG_E_FULL; -errno.
 */
int keyed_log_write(struct keyed_log *log, const struct keyed_change *change, struct keyed_change *ret_change);
void keyed_log_push(struct keyed_log *log, const struct keyed_change *change);
/* What lies behind the position has not happened. */
void keyed_log_cut(struct keyed_log *log, uint64_t position);
/* The change at *position, which moves behind it. Returns 0; KEYED_LOG_E_NONE: *position is `end`; KEYED_LOG_E_BROKEN. */
int keyed_log_next(const struct keyed_log *log, uint64_t end, uint64_t *position, struct keyed_change *ret_change);
/* All of it is folded: the log begins at its end. */
void keyed_log_reset(struct keyed_log *log);
