/* SPDX-License-Identifier: Apache-2.0 */
/* Outcomes that weir's public calls and a stage's callbacks return. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Return convention of the whole API: a negative value is a fatal -errno and is passed on unchanged;
 * 0 is done; a positive value is one of these outcomes, and the caller must handle it. No outcome ever
 * stands for another one.
 */
enum weir_status {
	WEIR_OK = 0,
	WEIR_MORE = 1,   /* call produce() again, before the next item */
	WEIR_HELD = 2,   /* the item is kept in state that the stage commits; settled later by weir_settle() */
	WEIR_WAIT = 3,   /* nothing to do until a watched fd is ready or the wake time has come; of an item: not yet */
	WEIR_FULL = 4,   /* no room in an output lane: now (weir_emit), or ever in this step (weir_send) */
	WEIR_CLOSED = 5, /* the stream is at its end */
	WEIR_CANCELLED = 6,    /* the run, or this stage, has been cancelled */
	WEIR_EXPIRED = 7,      /* an absolute deadline has passed */
	WEIR_REJECTED = 8,     /* this item is bad: count it, keep it as a dead letter, go on */
	WEIR_FAILED = 9,       /* the stage can not go on: weir_fail() has said why; no restart would help */
	WEIR_TOO_LARGE = 10,   /* the item can never fit the lane */
	WEIR_WOULD_BLOCK = 11, /* not now, and the caller did not want to wait */
	WEIR_PEER_LOST = 12,   /* the stream has ended because its producer was given up: something may be missing */
	WEIR_PENDING = 13,     /* the item was deferred: weir_complete() will end it */
};

/* Name of an outcome ("ok", "more", ...) or of a negative errno; never NULL, never freed. Any thread. */
const char *weir_status_name(int status);

#ifdef __cplusplus
}
#endif
