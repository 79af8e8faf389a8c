/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What workers say of themselves, read through bounds: copies, in which each number names something that is there or says that it does
 * not. A worker may be killed, broken or malicious; what it writes can be wrong, and can't hurt who reads it here. None of these waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/observe/observer.h"
#include "common/observe/counters.h"
#include "common/observe/ledger.h"
#include "common/observe/worker_state.h"

#define NO_LANE UINT32_MAX

struct worker_reading {
	uint32_t generation;     /* who says all this; another than the board's: that one has not begun to speak */
	enum worker_state state; /* WORKER_STATE_NONE: it says nothing that makes sense */
	uint64_t since_ns;       /* in this state; never in the future; 0: not known */
	uint64_t turns;          /* of this generation */
	uint32_t wait_for;       /* asleep: WAIT_FOR_* that are known */
	uint32_t wait_lane;      /* asleep: a lane of the catalog that it waits for, or one of its edge; NO_LANE */
	bool in_hand;            /* the stage has an item now: */
	uint32_t hand_lane;      /* ... of this lane of the catalog; NO_LANE: a dead letter that is given again */
	uint64_t hand_position, hand_sequence;
	uint32_t in_flight; /* asynchronous stages: items that are not finished */
	uint64_t progress_position, progress_total;
	uint64_t counters[COUNTER_COUNT];
	bool has_ledger; /* false: the worker was faster than we; the next look has it */
	uint64_t ledger[LEDGER_COUNT];
};

struct lane_reading {
	uint64_t tail, done;   /* positions, as they stand */
	uint64_t filled_bytes; /* committed and not done; at most the lane's capacity */
	uint32_t closed;       /* enum lane_closed */
	uint32_t left;         /* enum lane_left */
};

/* now_ns: of clock_now_ns(). */
void read_worker(const struct observer *observer, uint32_t slot, uint64_t now_ns, struct worker_reading *ret_reading);
/* The same without counters and books, which are left zero: for who looks often. */
void read_doing(const struct observer *observer, uint32_t slot, uint64_t now_ns, struct worker_reading *ret_reading);
void read_lane(const struct observer *observer, uint32_t lane, struct lane_reading *ret_reading);
/* What the supervisor says of a slot: the generation that sits there, or sat there last; whether nobody ever will again. */
uint32_t read_generation(const struct observer *observer, uint32_t slot);
bool read_retired(const struct observer *observer, uint32_t slot);
