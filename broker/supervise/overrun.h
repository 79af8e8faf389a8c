/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has a worker had one item in hand for longer than its stage's deadline allows? From one look to the next; pure, the clock is handed in.
 *
 *      looks             |         |         |         |         |     |        |
 *      the item       ...|--x======|=========|=========|=========|=====|========|
 *                          begun   seen first                          due      overrun
 *                                  '------------- deadline ------------'- slack -'
 *
 * Never early, and late by one look and the slack: when the item was begun nobody has noted, since that would cost every item a look at
 * the clock. The slack is for a stage that looks at its budget, and gives the item up by itself when that is over. Time asleep for room
 * downstream is not the item's: it is left out. Items that are pending with an asynchronous stage carry a stamp of the worker's own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct overrun_limits {
	uint64_t deadline_ns, slack_ns;
};

/* What one look at a worker has found. Positions are those of its input lanes, by reader index. */
struct overrun_sight {
	bool in_hand; /* the stage is busy with an item */
	uint32_t lane;
	uint64_t position, sequence;
	uint64_t waited_ns; /* all time that this seat has ever slept for room, up to now */
	uint64_t
		pending_due_ns; /* of the pending item that is due first, on a clock that stands still in such sleeps; 0: none */
	uint32_t pending_lane;
	uint64_t pending_position, pending_sequence;
};

/* What is remembered of the looks before. All zero: nothing. */
struct overrun_track {
	bool has;   /* the item below was in hand at the last look */
	bool again; /* ... and at the one before it */
	uint32_t lane;
	uint64_t position;
	uint64_t first_ns;  /* when it was first seen */
	uint64_t waited_ns; /* the seat's sleeps before that */
	/* Pending items that were given before so much was forgiven are due so much later; on their clock. */
	uint64_t forgiven_ns, forgiven_before_ns;
	uint64_t to_forgive_ns; /* since the last look */
};

/* An item that has overrun its deadline. */
struct overrun_item {
	uint32_t lane;
	uint64_t position, sequence;
	uint64_t over_ns; /* since it was due */
	bool pending;     /* an asynchronous stage had put it aside */
};

/* Takes a look into account. Returns true, and the item, if one has overrun. */
bool overrun_look(struct overrun_track *track, const struct overrun_sight *sight, const struct overrun_limits *limits,
		  uint64_t now_ns, struct overrun_item *ret_item);
/* When the item in hand will be due, if it sleeps no more for room; 0: none is in hand. After overrun_look(). */
uint64_t overrun_due_ns(const struct overrun_track *track, const struct overrun_sight *sight, uint64_t deadline_ns);
/* Nobody ran for so long, neither the worker nor who looks: that time does not count. */
void overrun_forgive(struct overrun_track *track, uint64_t ns);
