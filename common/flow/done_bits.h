/* SPDX-License-Identifier: Apache-2.0 */
/* An input lane whose items end in any order: which of them have ended. Consumer's private view beside its struct lane_in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/flow/commit.h"
#include "common/flow/lane.h"
#include "common/memory/segment_layout.h"

/* Records [ordinal, taken) of the lane are taken; lane->done and lane->next are their first byte and their end. */
struct done_window {
	struct lane_in *lane;              /* borrowed */
	struct done_bits *shared;          /* own segment, writable; borrowed */
	uint64_t ordinal;                  /* committed: number of the record at lane->done */
	uint64_t head;                     /* what the commit that is being collected makes of it */
	uint64_t taken;                    /* number of the record at lane->next */
	uint64_t dirty;                    /* bit w: words[w] has changed since the last commit */
	uint64_t words[DONE_BITS_WORDS];   /* as the next commit will leave them */
	uint64_t starts[DONE_BITS_WINDOW]; /* positions of the records [ordinal, taken) */
};

/*
 * Starts from the committed state: after attach, behind lane_in_rewind(). Walks the lane if a bit is set. Returns 0; LANE_E_BROKEN: a bit
 * is set where no record is. Wait-free.
 */
int done_window_rewind(struct done_window *window, struct lane_in *lane, struct done_bits *shared);

/* No more records may be taken: the first one that has not ended is a window behind. */
static inline bool done_window_is_full(const struct done_window *window)
{
	return window->taken - window->ordinal == DONE_BITS_WINDOW;
}

/* Takes the record just peeked at lane->next, if the window is not full. Returns its number. */
uint64_t done_window_take(struct done_window *window, const struct item_header *header);

/* True if the record, one of [ordinal, taken), has ended: in this generation, or in one before. */
static inline bool done_window_ended(const struct done_window *window, uint64_t number)
{
	return window->words[number % DONE_BITS_WINDOW / 64] >> (number % 64) & 1;
}

/* A taken record has ended, once; it counts with the next commit. */
void done_window_end(struct done_window *window, uint64_t number);

/* For the commit: first the bits of every window, then the dones. What has ended at the front leaves the window. */
void done_window_collect_bits(struct done_window *window, struct commit *commit);
void done_window_collect_done(const struct done_window *window, struct commit *commit);
/* After the commit: lane->done follows. Returns true if it has moved: there is room to give back. */
bool done_window_settle(struct done_window *window);
