/* SPDX-License-Identifier: Apache-2.0 */
/* Frame mode's other direction, a source: the state of frame_feed.c (items come in, and are accepted) and frame_feed_end.c (its ends). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/exec/frame.h"

#define FEED_POSITION_BYTES_MAX 200u            /* packed */
#define FEED_MAGIC UINT64_C(0x7765697266656564) /* "weirfeed" */

/* The stage cursor. All zero: nothing has come yet. */
struct feed_cursor {
	uint64_t
		magic; /* FEED_MAGIC: what lies here may be of an earlier run, in which a stage of this name was of another kind */
	uint64_t
		run; /* that has written here: the next run of the pipeline goes on at the position, and not at the end */
	uint64_t n_items; /* that have come in this run */
	uint32_t ended;   /* 1: the program has said that no item follows, and all are here */
	uint32_t position_bytes;
	unsigned char position[FEED_POSITION_BYTES_MAX]; /* behind the last item that had one; one msgpack value */
};

_Static_assert(sizeof(struct feed_cursor) <= WEIR_CURSOR_SIZE_MAX, "the cursor must fit");

struct feed_refusal {
	uint64_t id;
	const char *reason; /* static */
};

struct feed {
	struct frame frame;         /* the program and its pipes; nothing of items */
	struct feed_cursor *cursor; /* the runtime's */

	/* taken in this turn, to be told once it is committed; room for in_flight of each, owned */
	uint64_t *accepted;
	struct feed_refusal *refused;
	uint32_t n_accepted, n_refused;
	bool committed; /* flush() has come behind the last produce(): what is noted above is so */

	uint64_t last_id; /* of this program; ids rise */
	bool any;         /* it has sent an item */
	uint32_t n_idle;  /* programs in a row that have said bye, and had sent none */
	bool over;        /* it has said that no item follows */
	bool is_full;     /* there is no room, and `out` is left alone until there is */
	bool out_is_watched;
	bool told_drain, failed;
	uint64_t stuck_ns;   /* since when something is to be written that the program does not read; 0: nothing is */
	bool fails_too_long; /* too_long: fail */
	bool brings;         /* an item of this turn has brought something along, which is not the next one's */
};

/*
 * ---- frame_feed_end.c ----
 */

/*
 * The program is of no more use: ends it, forgets what it is still to be told, lets it be started again after a while. Returns
 * FRAME_E_LOST; WEIR_FAILED after weir_fail(): that was once too often.
 */
int feed_lose(struct feed *feed, struct weir_context *context, const char *why, ...)
	__attribute__((format(printf, 3, 4)));
/* It has closed its end, and all that it said was taken. Returns 0: something is still to come; WEIR_CLOSED; as feed_lose(); -errno. */
int feed_hear_end(struct feed *feed, struct weir_context *context);
/* It may exit now: it has taken its leave, or is told that nothing is wanted any more. Returns 0 or -errno. */
int feed_leave(struct feed *feed, bool tell);
/* Looks at all that has a time. Everything that was taken is committed. Returns 0, WEIR_CLOSED, and as feed_lose(). */
int feed_check_time(struct feed *feed, struct weir_context *context);
/* When that has to be done next; 0: no need. On CLOCK_MONOTONIC. */
uint64_t feed_wake_ns(const struct feed *feed);
/* The stage ends: tells the program why, and gives it a moment to exit by itself. In close(); takes `grace` at most. */
void feed_part(struct feed *feed, struct weir_context *context);
