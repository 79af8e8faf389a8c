/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long things take in this slot: its histograms (common/observe/histograms.def), and the marks by which its readers know how long
 * their items have lain there. The worker's own thread; nothing here blocks, and no work depends on it. All zero: nothing is measured.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/observe/histogram.h"

struct input_lane;
struct worker;

/* Which of many is measured, so that no two clocks are read within some ten microseconds. */
struct pace {
	uint32_t stride; /* one of so many; 0: none ever */
	uint32_t left;   /* until that one */
	uint64_t last_ns;
};

#define METER_HELD_MAX 64u /* items that a stage holds and that are followed to their end */

/* Whether this one is. */
static inline bool pace_is_due(struct pace *pace)
{
	if (__builtin_expect(!pace->left, 0))
		return pace->stride != 0;
	pace->left--;
	return false;
}

struct meter {
	struct pace turns, marks;
	bool each;                 /* items take so long that each is measured for itself */
	uint64_t begun_ns;         /* the turn, or item, at work; 0: it is not measured */
	uint64_t blocked_ns;       /* time asleep for room, ever, then */
	uint64_t n_begun, n_ended; /* items taken, and ended, ever, then */
	uint64_t n_told
		[HISTOGRAM_COUNT]; /* items, ever, that the histogram stands for: taken (waiting), ended (the others) */
	const struct input_lane *lane; /* the last item was taken from */
	struct {
		const struct input_lane *lane; /* NULL: none */
		uint64_t position, when_ns;
	} followed; /* a mark that this reader will come to */
	struct held_item {
		uint64_t until; /* so many have been settled by this process, it has ended */
		uint64_t since_ns, accepted_ns;
	} held[METER_HELD_MAX]; /* of what the stage keeps, in the order in which it will end: a ring */
	uint32_t held_first, n_held;
	uint64_t n_settled; /* by this process */
};

/* Behind worker_attach(): an earlier generation's marks are of records that nobody has committed. */
void meter_attach(struct worker *worker);

/* A turn looks for items; has taken them, and not committed yet; the last of them has ended. One without items counts for nothing. */
void meter_turn_begin(struct worker *worker);
void meter_turn_taken(struct worker *worker);
void meter_turn_end(struct worker *worker);
/* The same for who has looked already whether it is due. */
void meter_turn_begin_measured(struct worker *worker);
/* In a measured turn of a stage that takes long: the items taken so far have ended. Returns true if each is measured for itself. */
bool meter_item_end(struct worker *worker);

/* The stage has settled n items that it held; they are out of the ledger's line `held` already. */
void meter_settled(struct worker *worker, uint64_t n);

/* Asynchronous stages: when an item is given to the stage, on the clock of the turn. 0: nothing is measured. */
uint64_t meter_given(struct worker *worker, const struct input_lane *lane);
/* ... and that it has ended: in process() (`at_once`), or later. */
void meter_ended(struct worker *worker, uint64_t given_ns, uint64_t accepted_ns, bool at_once);

/* Before a commit: marks the lanes that it will add records to, every now and then. */
void meter_mark(struct worker *worker);
/* The sleep for room that the status line tells of is over. */
void meter_unblocked(struct worker *worker, uint64_t now_ns);
