/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a slot's segment, which other processes read. Writer of everything here: the worker that sits in the slot,
 * except the header, which the supervisor writes once before the first worker starts, and except repair: with the
 * worker proved dead, the supervisor finishes what the commit record says.
 *
 *   offset 0        header            one page, never changes after `ready`
 *          4096     armed             line polled by peers: what the worker sleeps for
 *          4224     status            state, generation, progress
 *          4288     hand              the item that the stage has in hand
 *          4352     cursor switch     which of the two cursor copies is valid
 *          4416     counters          statistics, for people
 *          ...      cursor[2]         ledger, tickets, the stage's own position
 *          ...      readers[]         one pair of lines per input lane: done, free, left
 *          ...      writers[]         one pair of lines per output lane: tail, closed
 *          ...      done_bits[]       one per input lane; only if the stage is asynchronous
 *          ...      record            the commit record and its operations
 *          ...      observed          how long things take; the end of it is the end of the control pages
 *          (page)   recorder          what the worker did last: recorder_layout.h. Mapped by itself; none with `recorder: off`
 *          (page)   lane data[]       each a multiple of the page size, mapped twice by its users
 *
 * What peers poll (armed, readers, writers) has a pair of cache lines to itself: see LINE_PAIR_SIZE.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/atomic.h"
#include "common/memory/recorder_layout.h"

#define SEGMENT_MAGIC UINT64_C(0x544f4c5352494557) /* "WEIRSLOT" */
#define SEGMENT_LAYOUT_VERSION 10u
#define SEGMENT_PAGE_SIZE 4096u

struct segment_header {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t slot;               /* number in the pipeline */
	uint64_t size_bytes;         /* of the whole segment */
	uint64_t control_size_bytes; /* of everything before the recorder, or the lane data if there is none */
	uint32_t n_readers;
	uint32_t n_writers;
	uint64_t off_cursors;
	uint64_t off_readers;
	uint64_t off_writers;
	uint64_t off_record;
	uint64_t off_data;
	uint64_t off_done_bits; /* 0: there are none */
	atomic_u32 ready;       /* 1, stored last with release [H1] */
	uint32_t reserved;      /* 0 */
};

/* What the worker sleeps for. `word` is 0 while it is awake, else epoch << 8 | ARM_* bits. */
#define ARM_DATA 1u
#define ARM_SPACE 2u
#define ARM_WANTED 4u /* that somebody goes to sleep for room, some of which it holds */
struct segment_armed {
	atomic_u64 word;
	atomic_u64 need_bytes; /* ARM_SPACE: room wanted in a lane */
	uint8_t pad[112];      /* 0 */
};

/*
 * What a worker that sleeps waits for, for people and for the look for stalls: a set. `wait_lane` is the lane of it, where it is one, or
 * one of those of its edge.
 */
#define WAIT_FOR_ITEM 1u
#define WAIT_FOR_ROOM 2u
#define WAIT_FOR_CREDIT 4u    /* on a feedback edge */
#define WAIT_FOR_COMMIT 8u    /* of all readers at a rendezvous */
#define WAIT_FOR_READERS 16u  /* until they are through with all that it has sent */
#define WAIT_FOR_EVENT 32u    /* on a descriptor of the stage's own */
#define WAIT_FOR_TIME 64u     /* a timer of the stage's own, or a deadline */
#define WAIT_ANY_OF_EDGE 128u /* any lane of the same edge would do */
#define WAIT_FOR_STORE 256u   /* for its turn to write dead letters: common/store/letter_store.h says whose it is */
#define WAIT_FOR_DUE 512u     /* the time of an item that its stage has postponed; with WAIT_FOR_TIME */

/* worker_state.def names the values */
struct segment_status {
	atomic_u32 state;
	atomic_u32 generation;
	atomic_u64 since_ns;  /* state entered */
	atomic_u64 heartbeat; /* turns done by this generation */
	atomic_u32 wait_lane; /* asleep: the writer's or reader's index of the lane, UINT32_MAX: none in particular */
	atomic_u32 wait_for;  /* asleep: WAIT_FOR_* */
	atomic_u64 progress_position;
	atomic_u64 progress_total;
	atomic_u64
		seen_ns; /* when this generation has last seen an order; 0: none yet. Of use to the reaper: a message may be lost */
	atomic_u32 seen_order; /* which; written before it */
	atomic_u32
		seen_dealings; /* board.dealings by which it deals now: nothing goes where that does not let it [S6] */
};

/*
 * The item in hand: written before the stage is called, on a line that nobody polls. An asynchronous stage has many items at a
 * time; `in_flight` says how many, and the note names one only while the stage is busy with just that one. If its stage has a deadline
 * `due_*` are of the item that has been pending longest; due_ns is on a clock that stands still while the worker sleeps for room.
 */
enum hand_busy {
	HAND_EMPTY = 0,
	HAND_BUSY = 1,  /* a callback has it */
	HAND_ASIDE = 2, /* an asynchronous stage has put it aside, and nothing else has been in hand since */
};
struct segment_hand {
	atomic_u64 position; /* of the item in its input lane */
	atomic_u64 sequence;
	atomic_u32
		lane; /* reader index; HAND_LETTER: a dead letter that is given again, `position` is its mark's number */
	atomic_u32 busy;      /* enum hand_busy; stored last, cleared first */
	atomic_u32 in_flight; /* items given to an asynchronous stage and not finished; 0 elsewhere */
	atomic_u32 due_lane;
	atomic_u64 due_ns; /* 0: none; stored last, cleared first */
	atomic_u64 due_position;
	atomic_u64 due_sequence;
	atomic_u32 letters_singly; /* 1: a turn's dead letters found no room together: a note for the next generation */
	uint8_t pad[4];            /* 0 */
};

#define HAND_LETTER (UINT32_MAX - 1)

/* Only ever moved through the commit record. */
struct segment_cursor_switch {
	atomic_u64 flips;  /* parity selects the valid cursor copy */
	atomic_u64 letter; /* number of the last mark whose letter this slot has taken: common/store/letter_replay.h */
	uint8_t pad[48];
};

#define COUNTERS_MAX 24u
struct segment_counters {
	atomic_u64 values[COUNTERS_MAX]; /* counters.def */
};

#define LEDGER_MAX 17u
#define CURSOR_EDGES_MAX 16u
#define CURSOR_STAGE_SIZE 256u
#define CURSOR_CAUSES_MAX 16u
#define CURSOR_EXTENSION_SIZE 512u

/* Per output edge: the run of items being built (ordered and block edges). */
struct cursor_output {
	uint64_t ticket;      /* number of the run being built */
	uint64_t run_bytes;   /* payload in it so far */
	uint32_t run_records; /* items in it so far; 0: no run is open */
	uint32_t target;      /* lane it goes to */
};

/* How a stream ended. It outlives the worker, which may be killed before it can say so. */
enum cursor_end { CURSOR_END_NONE = 0, CURSOR_END_CLEAN = 1, CURSOR_END_FAILED = 2 };

/* Everything that must move with the commit; plain memory, written whole into the copy that is not valid. */
struct cursor {
	uint64_t ledger[LEDGER_MAX];         /* ledger.def */
	uint64_t sequence;                   /* items emitted so far: the next item's number */
	uint64_t finished;                   /* enum cursor_end: finish() is done, lanes may close */
	uint32_t outputs_closed;             /* a bit for each output edge that weir_close() has closed */
	uint32_t inputs_left;                /* a bit for each input edge that the stage has left */
	uint64_t expected[CURSOR_EDGES_MAX]; /* per input edge: next ticket to take */
	struct cursor_output outputs[CURSOR_EDGES_MAX];
	uint8_t stage[CURSOR_STAGE_SIZE]; /* the stage's own */
	/* While produce() goes on for an item: what that has brought along, words of common/flow/extension.h; 0: nothing. */
	uint64_t extension_words;
	uint64_t state_end; /* of a stage with keyed state: how much of its log counts (worker/keyed.c); else 0 */
	uint64_t cancelled_by[CURSOR_CAUSES_MAX]; /* of the items in the ledger's line `cancelled`: with which cause */
	uint8_t extension[CURSOR_EXTENSION_SIZE];
};

/* What a reader says of a lane. It never takes one back that is further down here. */
enum lane_left {
	LANE_WANTED = 0,
	LANE_NO_EXIT = 1, /* on a loop: behind this reader nobody reads who is not on the loop */
	LANE_LEFT_BEYOND =
		2,     /* on a loop: it goes on, but of those who are behind it and not on the loop all have left */
	LANE_LEFT = 3, /* it wants nothing more, and discards what still comes */
};

/* One per input lane. */
struct lane_reader {
	atomic_u64 done;         /* processed and committed */
	atomic_u64 free;         /* the producer may overwrite below this; <= done, but for lanes with a hold */
	atomic_u64 done_ordinal; /* lanes with a hold: records that done has passed; moves with it */
	atomic_u32 left;         /* enum lane_left */
	uint32_t reserved;
	uint8_t pad[96];
};

/*
 * One per input lane of an asynchronous stage, whose items end in any order: which records behind `done` have ended. Records count
 * from 0 in their lane; the one at `done` is number `ordinal`, and record r has bit r modulo DONE_BITS_WINDOW. All of it moves in
 * commits only, but `given`, which is a note for the next generation.
 */
#define DONE_BITS_WINDOW 4096u
#define DONE_BITS_WORDS (DONE_BITS_WINDOW / 64)
#define DONE_BITS_ORDINAL DONE_BITS_WORDS /* to commit_add_bits(): the word `ordinal` */
struct done_bits {
	atomic_u64 ordinal;
	atomic_u64 given; /* end of the last record that was given to the stage */
	uint8_t pad[48];
	atomic_u64 words[DONE_BITS_WORDS];
};

/*
 * One per output lane. The worker closes it at the end of its stream; the supervisor, when it has given the slot up for good and the
 * worker is proved dead.
 */
enum lane_closed { LANE_OPEN = 0, LANE_CLOSED_CLEAN = 1, LANE_CLOSED_LOST = 2 };
struct lane_writer {
	atomic_u64 tail;   /* committed end */
	atomic_u32 closed; /* enum lane_closed; not LANE_OPEN: nothing will follow tail */
	uint32_t reserved;
	atomic_u64 low;          /* full: drop-old: nothing below is intact; only grows */
	atomic_u64 tail_ordinal; /* full: drop-old: records before tail; moves with it */
	uint8_t pad[96];
};

/* Commit record: state 0 is IDLE, n > 0 is COMMITTED with n operations. */
enum commit_kind {
	COMMIT_LETTER = 0, /* the number of the last dead letter that was given again */
	COMMIT_TAIL = 1,
	COMMIT_RETRACT = 2, /* a tail that goes back: what lay behind it was moved to other lanes by the same record */
	COMMIT_CURSOR = 3,
	COMMIT_BITS = 4,
	COMMIT_DONE = 5,
};
struct commit_operation {
	uint32_t kind; /* enum commit_kind */
	uint32_t word; /* that gets the value: how many words of the segment lie before it */
	uint64_t value;
};
struct commit_record {
	atomic_u64 state;
	uint8_t pad[56];
	struct commit_operation operations[]; /* segment_operations_max() */
};

/* Between the control pages and the lane data; nothing lies there if nothing is recorded. */
#define SEGMENT_RECORDER_SIZE \
	((RECORDER_SIZE(RECORDER_SLOT_EVENTS) + SEGMENT_PAGE_SIZE - 1) / SEGMENT_PAGE_SIZE * SEGMENT_PAGE_SIZE)

/*
 * What is measured, for people; its words need no order. A histogram is of common/observe/histogram.h; histograms.def names them.
 */
#define HISTOGRAM_BUCKETS 320u
#define HISTOGRAMS_MAX 3u
struct segment_histogram {
	atomic_u64 sum_ns;
	uint8_t pad[56]; /* 0 */
	atomic_u64 counts[HISTOGRAM_BUCKETS];
};

/*
 * One per output lane. The mark: when the record at `mark_position` could be taken. Of three words that are not read at once
 * those of one mark add up: mark_check is the two others, xor-ed.
 */
struct lane_observed {
	atomic_u64 mark_position;
	atomic_u64 mark_ns;
	atomic_u64 mark_check;
	atomic_u64 blocked_ns; /* asleep for room in this lane, or in any of its edge */
};

struct segment_observed {
	struct segment_histogram histograms[HISTOGRAMS_MAX];
	struct lane_observed lanes[]; /* n_writers */
};

#define SEGMENT_OFF_ARMED 4096u
#define SEGMENT_OFF_STATUS 4224u
#define SEGMENT_OFF_HAND 4288u
#define SEGMENT_OFF_SWITCH 4352u
#define SEGMENT_OFF_COUNTERS 4416u
#define SEGMENT_OFF_CURSORS 4608u

static_assert(sizeof(struct segment_header) == 96 && offsetof(struct segment_header, ready) == 88, "layout");
static_assert(offsetof(struct segment_header, slot) == 12 && offsetof(struct segment_header, size_bytes) == 16,
	      "layout");
static_assert(offsetof(struct segment_header, n_readers) == 32 && offsetof(struct segment_header, off_cursors) == 40,
	      "layout");
static_assert(offsetof(struct segment_header, off_readers) == 48 && offsetof(struct segment_header, off_writers) == 56,
	      "layout");
static_assert(offsetof(struct segment_header, off_record) == 64 && offsetof(struct segment_header, off_data) == 72,
	      "layout");
static_assert(offsetof(struct segment_header, off_done_bits) == 80, "layout");
static_assert(sizeof(struct segment_armed) == LINE_PAIR_SIZE && offsetof(struct segment_armed, need_bytes) == 8,
	      "layout");
static_assert(sizeof(struct segment_status) == 64 && offsetof(struct segment_status, since_ns) == 8, "layout");
static_assert(offsetof(struct segment_status, heartbeat) == 16 && offsetof(struct segment_status, wait_lane) == 24,
	      "layout");
static_assert(offsetof(struct segment_status, wait_for) == 28, "layout");
static_assert(offsetof(struct segment_status, progress_position) == 32 &&
		      offsetof(struct segment_status, progress_total) == 40,
	      "layout");
static_assert(offsetof(struct segment_status, seen_ns) == 48 && offsetof(struct segment_status, seen_order) == 56 &&
		      offsetof(struct segment_status, seen_dealings) == 60,
	      "layout");
static_assert(sizeof(struct segment_hand) == 64 && offsetof(struct segment_hand, lane) == 16 &&
		      offsetof(struct segment_hand, busy) == 20 && offsetof(struct segment_hand, in_flight) == 24 &&
		      offsetof(struct segment_hand, due_ns) == 32 &&
		      offsetof(struct segment_hand, letters_singly) == 56,
	      "layout");
static_assert(sizeof(struct segment_cursor_switch) == 64 && offsetof(struct segment_cursor_switch, letter) == 8,
	      "layout");
static_assert(sizeof(struct segment_counters) == 192, "layout");
static_assert(SEGMENT_OFF_CURSORS == SEGMENT_OFF_COUNTERS + sizeof(struct segment_counters), "layout");
static_assert(SEGMENT_OFF_ARMED % LINE_PAIR_SIZE == 0 && SEGMENT_OFF_STATUS % LINE_PAIR_SIZE == 0, "layout");
static_assert(SEGMENT_OFF_STATUS == SEGMENT_OFF_ARMED + sizeof(struct segment_armed), "layout");
static_assert(sizeof(struct cursor_output) == 24 && offsetof(struct cursor_output, run_records) == 16, "layout");
static_assert(offsetof(struct cursor, sequence) == 136 && offsetof(struct cursor, expected) == 160, "layout");
static_assert(offsetof(struct cursor, outputs) == 288 && offsetof(struct cursor, stage) == 672, "layout");
static_assert(offsetof(struct cursor, outputs_closed) == 152 && offsetof(struct cursor, inputs_left) == 156, "layout");
static_assert(offsetof(struct cursor, extension_words) == 928 && offsetof(struct cursor, cancelled_by) == 944 &&
		      offsetof(struct cursor, extension) == 1072,
	      "layout");
static_assert(sizeof(struct cursor) == 1584, "layout");
static_assert(sizeof(struct lane_reader) == LINE_PAIR_SIZE && offsetof(struct lane_reader, free) == 8 &&
		      offsetof(struct lane_reader, left) == 24,
	      "layout");
static_assert(sizeof(struct done_bits) == 576 && offsetof(struct done_bits, words) == 64, "layout");
static_assert(offsetof(struct done_bits, given) == 8, "layout");
static_assert(sizeof(struct lane_writer) == LINE_PAIR_SIZE && offsetof(struct lane_writer, closed) == 8, "layout");
static_assert(offsetof(struct lane_reader, done_ordinal) == 16 && offsetof(struct lane_writer, low) == 16, "layout");
static_assert(offsetof(struct lane_writer, tail_ordinal) == 24, "layout");
static_assert(sizeof(struct commit_operation) == 16 && offsetof(struct commit_operation, value) == 8, "layout");
static_assert(offsetof(struct commit_record, operations) == 64, "layout");
static_assert(sizeof(struct segment_histogram) == 2624 && offsetof(struct segment_histogram, counts) == 64, "layout");
static_assert(sizeof(struct lane_observed) == 32 && offsetof(struct lane_observed, mark_ns) == 8 &&
		      offsetof(struct lane_observed, mark_check) == 16 &&
		      offsetof(struct lane_observed, blocked_ns) == 24,
	      "layout");
static_assert(sizeof(struct segment_observed) == 7872 && offsetof(struct segment_observed, lanes) == 7872, "layout");
