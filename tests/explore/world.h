/* SPDX-License-Identifier: Apache-2.0 */
/* Three slots in one small arena, with lanes 0 -> 1 -> 2, and what all programs do to them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/flow/commit.h"
#include "common/flow/hold.h"
#include "common/flow/lane.h"
#include "common/flow/repair.h"
#include "common/memory/board_layout.h"
#include "common/memory/segment.h"
#include "tests/explore/explore.h"

#define SLOTS 3u
#define LANES 2u /* per slot, in and out */
#ifndef LANE_MAX
#define LANE_MAX 512u
#endif
#define WORDS_OF_PAYLOAD 4u
#define RECORD_SIZE 64u /* header and payload: divides every capacity, so no record needs the second mapping */

/* What other threads look at while the owner lives: bits. */
enum {
	SEE_TAIL = 1,
	SEE_CLOSED = 2,
	SEE_FREE = 4,
	SEE_DONE = 8,
	SEE_ARMED = 16,
	SEE_CURSORS = 32,
	SEE_STATUS = 64,
	SEE_LOW =
		128, /* with the ordinals of full: drop-old, and bytes of the lane that are overwritten while they are read */
	SEE_LEFT = 256,
	SEE_TAIL_2 = 512, /* of the second lane out */
};

struct world_settings {
	unsigned items, batch;
	uint64_t capacity, base; /* bytes; position that every lane begins at */
	bool filled;             /* lane 0 -> 1 holds all items and is closed */
	bool dealings;           /* the board's words are looked at beside their writer */
	bool asynchronous;       /* slots have done-bits */
	unsigned see[SLOTS];
};

extern struct world_settings world_settings;
extern struct segment world_segments[SLOTS];
extern struct board *const world_board;
extern int world_doorbells[SLOTS]; /* descriptors; in the explorer their numbers stand for them */

void world_reset(const struct world_settings *settings);
/* Ends of the lane slot -> slot + 1. */
struct lane_out world_lane_out(unsigned slot);
struct lane_in world_lane_in(unsigned slot); /* slot: the consumer's */
/* Any lane: an end of writer `lane` of a slot, to the first reader of another; not yet at its positions. */
struct lane_out world_lane_to(unsigned slot, unsigned lane, unsigned consumer);
struct lane_in world_lane_from(unsigned slot, unsigned producer, unsigned lane);
/* Of the slot, for its first lane in. */
struct hold_record *world_hold(unsigned slot);
/* Puts items [from, to) into a lane, as if committed before all began. In setup() only. */
void world_fill(unsigned slot, unsigned lane, uint64_t from, uint64_t to);

void item_fill(uint64_t *payload, uint64_t sequence);
/* Fails the execution if the item is not the one that comes next, whole. */
void item_check(const struct item_header *header, const void *payload, uint64_t sequence);
/* The copy that counts, in memory. */
const struct cursor *world_cursor(unsigned slot);
/* Fails the execution unless the slot is in a state between two turns. */
void world_check_repaired(unsigned slot);
/* NULL, or what is wrong with what the last slot has taken. */
const char *world_check_consumer(unsigned slot);

/* NULL, or what is wrong with what lies in the lane slot -> slot + 1: all items must, in order. */
const char *world_check_lane(unsigned slot);

/* Bodies: a source, an operator and a sink, each in the slot of its thread number. */
void produce(unsigned slot);
void relay(unsigned slot);
void consume(unsigned slot);
/* Repairs the dead among the threads 0..2 and starts their next generation. */
void supervise(unsigned thread);
/* If the supervisor before it (the thread with the number before) dies in a repair: does it again. */
void supervise_again(unsigned thread);
