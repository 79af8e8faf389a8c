/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by in_flight.c (the table and the stage's calls) and in_flight_turn.c (giving items). */
#pragma once

#include "common/flow/done_bits.h"
#include "worker/in_flight.h"

struct in_flight_item {
	struct weir_item item; /* what the stage sees: it points into the lane */
	struct done_window *window;
	struct input_lane *lane;   /* NULL: a dead letter that is given again */
	uint64_t position, number; /* in its lane: first byte, record */
	const void *extension;     /* of its record: n_words; in the lane, too */
	uint32_t n_words;
	struct weir_scope *scope; /* its own, while it is pending; NULL: the stage has not asked for it */
	uint32_t uses;            /* of this entry, to tell old tokens from new ones */
	uint32_t next_free;       /* index + 1; 0: none */
	bool pending;
	uint32_t older, younger; /* pending, in the order in which they were given: index + 1; 0: none. worker/due.c */
	uint64_t deadline_ns;    /* of this attempt; absolute; only if the stage has one */
	uint64_t given_ns;       /* when it was given to the stage; 0: that is not measured */
	uint64_t due_ns;         /* the same on a clock that stands still while this worker sleeps for room */
};

struct in_flight {
	uint32_t capacity;
	uint32_t n_pending;
	uint32_t first_free; /* index + 1; 0: none */
	uint32_t limit;      /* from the board: as many at a time while `careful` */
	bool careful;        /* some of those that were in flight at the last death have not ended yet */
	bool begun;          /* this generation has given an item */
	bool inputs_closed;
	bool ended;                     /* so were they when they were looked at last */
	bool asked;                     /* the stage wants to know when nothing more is given: weir_has_all() */
	bool inputs_lost;               /* and not all of them cleanly */
	bool deferred;                  /* weir_defer() was called for the item that process() has */
	bool letter;                    /* one is to be given alone, or is pending: nothing else is given */
	bool misused;                   /* `reason` says how */
	uint64_t look_ns;               /* when the stage's events were last looked at */
	struct in_flight_item *given;   /* process() has it */
	struct in_flight_item *in_hand; /* produce() has resumed it */
	struct in_flight_item *items;   /* capacity */
	struct done_window *windows;    /* by reader index */
	uint64_t *doubtful_ends;        /* by reader index: ends of what was given before the last death */
	uint32_t n_windows;
	uint32_t oldest, youngest; /* pending; index + 1; 0: none */
	char reason[512];
};

/* The entry that the next item gets; the caller has seen that there is one. It is taken by in_flight_begin(). */
struct in_flight_item *in_flight_free_entry(struct in_flight *in_flight);
/* The stage has misused the calls; it fails when its callback returns. Returns WEIR_FAILED. */
int in_flight_misuse(struct worker *worker, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same reason once more, for the turn. Returns WEIR_FAILED. */
int in_flight_failure(struct worker *worker);
/* The item of a lane has ended, with the next commit. */
void in_flight_end(struct worker *worker, struct done_window *window, struct input_lane *lane, uint64_t number);
/* Notes for the supervisor: how many the stage has; which one it is busy with. */
void in_flight_note(struct worker *worker, uint32_t n);
void in_flight_note_hand(struct worker *worker, const struct in_flight_item *entry);
/* The item in hand is one of several again. */
void in_flight_put_aside(struct worker *worker);
void in_flight_clear_hand(struct worker *worker, const struct in_flight_item *entry);
