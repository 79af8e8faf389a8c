/* SPDX-License-Identifier: Apache-2.0 */
/* The board: the supervisor's notice page. Writer of every byte: the supervisor. Workers map it read-only. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/atomic.h"
#include "common/memory/recorder_layout.h"

#define BOARD_MAGIC UINT64_C(0x4452414f42524557) /* "WERBOARD" */
#define BOARD_LAYOUT_VERSION 9u
#define BOARD_SLOTS_MAX 4096u

/* What the whole pipeline, or one slot, has to do. Only ever grows while a generation lives. */
enum board_order {
	BOARD_HOLD = 0, /* not everybody is ready yet */
	BOARD_RUN = 1,
	BOARD_DRAIN = 2, /* sources: take nothing more in; the rest: until the inputs close */
	/* Finish the item in hand or drop it uncommitted; commit; leave. */
	BOARD_CANCEL = 4,
};

/* What the producers of a slot do about it: worker/dealing.c. */
enum board_dealing {
	BOARD_DEALT = 0,   /* they deal items to it */
	BOARD_RETIRED = 1, /* nobody will ever sit here again: what waits there moves to its siblings */
	BOARD_CLOSED = 2,  /* they deal nothing to it: it rests, or takes what is left and then does */
	BOARD_HELD = 3,    /* they deal nothing to the whole stage, for now */
};

struct board_slot {
	atomic_u32
		order; /* enum board_order: everybody's from a drain on, or this slot's alone; the larger of the two counts [B1] */
	atomic_u32 cause;          /* cause.def; stored before order */
	uint32_t generation;       /* of the worker that sits here, written before it is spawned */
	uint32_t suspect_attempts; /* times that workers died with the suspect in hand; 0: no suspect */
	uint64_t suspect_position; /* in the lane below */
	uint32_t suspect_lane;     /* reader index, or HAND_LETTER */
	atomic_u32 dealing; /* enum board_dealing: whether anything goes there; retired: stored after the repair [B2] */
	/* asynchronous stages: items to have at a time until past those of the last death; 0: all */
	uint32_t in_flight_limit;
	/* stages with a deadline: when the item in hand will have overrun it, as far as the supervisor can see */
	atomic_u32 due_lane;
	atomic_u64 due_position;
	atomic_u64 due_ns; /* 0: nothing is known; stored last, cleared first [B5] */
	atomic_u64
		term_deadline_ns; /* an order for this slot alone: when SIGTERM comes; 0: none. Stored before the order [B1] */
};

struct board {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t n_slots;
	atomic_u32 order; /* enum board_order, for everybody [B1] */
	atomic_u32 cause;
	atomic_u64 run_deadline_ns; /* 0: none */
	atomic_u32 n_live;          /* workers that live now; a hint for those who spin */
	atomic_u32
		dealings; /* how often a `dealing` has changed; stored after it: one look tells if there is news [B2] */
	atomic_u64 term_deadline_ns; /* when SIGTERM comes, which ends the worker's grace; 0: no end was ordered */
	atomic_u32 at_rest;          /* 1: the supervisor looks for no stalls; who wakes up tells it [B3] */
	atomic_u32 replays; /* how often dead letters were marked to be given again: workers look into the store [B4] */
	/* Scopes of items (scope_table.h): how many are cancelled now, and how often one was: 0: never. The epoch is stored last [B6] */
	atomic_u32 n_scopes;
	atomic_u32 scopes_epoch;
	struct board_slot
		slots[]; /* n_slots, then SCOPES_PLACES of struct board_scope, then the supervisor's recorder */
};

/* scope_table.c */
#define SCOPES_PLACES 8192u
struct board_scope {
	atomic_u64 id;    /* 0: free, and nobody looks further */
	atomic_u32 cause; /* cause.def; 0: not cancelled (any more) */
	uint32_t reserved;
};

static inline const struct board_scope *board_scopes(const struct board *board)
{
	return (const struct board_scope *)(const void *)&board->slots[board->n_slots];
}

/* What the supervisor did last. */
static inline const struct recorder_ring *board_recorder(const struct board *board)
{
	return (const struct recorder_ring *)(const void *)&board_scopes(board)[SCOPES_PLACES];
}

/* The same for the supervisor. */
static inline struct recorder_ring *board_recorder_to_write(struct board *board)
{
	return (struct recorder_ring *)(uintptr_t)board_recorder(board);
}

static_assert(sizeof(struct board_slot) == 64 && offsetof(struct board_slot, suspect_position) == 16, "layout");
static_assert(offsetof(struct board_slot, suspect_lane) == 24 && offsetof(struct board_slot, generation) == 8 &&
		      offsetof(struct board_slot, dealing) == 28,
	      "layout");
static_assert(offsetof(struct board_slot, in_flight_limit) == 32 && offsetof(struct board_slot, due_ns) == 48 &&
		      offsetof(struct board_slot, term_deadline_ns) == 56,
	      "layout");
static_assert(sizeof(struct board) == 64 && offsetof(struct board, order) == 16 &&
		      offsetof(struct board, run_deadline_ns) == 24 && offsetof(struct board, n_live) == 32 &&
		      offsetof(struct board, dealings) == 36 && offsetof(struct board, term_deadline_ns) == 40 &&
		      offsetof(struct board, at_rest) == 48 && offsetof(struct board, replays) == 52 &&
		      offsetof(struct board, n_scopes) == 56 && offsetof(struct board, scopes_epoch) == 60,
	      "layout");
static_assert(sizeof(struct board_scope) == 16 && offsetof(struct board_scope, cause) == 8, "layout");
