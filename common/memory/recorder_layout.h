/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flight recorder: a ring of what happened last. A slot's lies in its segment, between the control pages and the lane data, and is
 * written by the worker that sits there; the supervisor's own lies at the end of the board. One writer, any number of readers, none of
 * whom it knows.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/atomic.h"

#define RECORDER_SLOT_EVENTS 4096u  /* of a slot's; a power of two */
#define RECORDER_BOARD_EVENTS 1024u /* of the supervisor's; a power of two */

struct recorder_event {
	atomic_u64 time_ns;       /* CLOCK_MONOTONIC */
	atomic_u64 what;          /* recorder.h: kind, lane or seat, count */
	atomic_u64 first, second; /* recorder_event.def says what */
};

struct recorder_ring {
	atomic_u64 head; /* events that were ever written; stored last [R1] */
	uint8_t pad[120];
	struct recorder_event events[]; /* event n lies at n modulo their number */
};

#define RECORDER_SIZE(n_events_) (sizeof(struct recorder_ring) + (n_events_) * sizeof(struct recorder_event))

static_assert(sizeof(struct recorder_event) == 32 && offsetof(struct recorder_event, what) == 8, "layout");
static_assert(sizeof(struct recorder_ring) == LINE_PAIR_SIZE, "layout");
static_assert((RECORDER_SLOT_EVENTS & (RECORDER_SLOT_EVENTS - 1)) == 0 &&
		      (RECORDER_BOARD_EVENTS & (RECORDER_BOARD_EVENTS - 1)) == 0,
	      "event n is found by masking");
