/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of an estate: what a supervisor leaves to the next one of the same run. One sealed memfd. Writer of every byte: the supervisor
 * that holds its lock (estate.c); the next one reads it as a stranger's word.
 *
 *   offset 0    head           written once, before anything is handed over; hash stored last
 *          256  things[]       which descriptor is what: written once, under the same hash
 *          ...  note, seats[], stages[]     what has been decided, copy 0
 *          ...  note, seats[], stages[]     copy 1; parity of head.flips says which counts
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/atomic.h"

#define ESTATE_MAGIC UINT64_C(0x4554415453455257) /* "WRESTATE" */
#define ESTATE_VERSION 2u
#define ESTATE_THINGS_MAX 32768u
#define ESTATE_STAGES_MAX 4096u

struct estate_head {
	uint64_t magic;
	uint32_t version;
	uint32_t segment_layout, board_layout, heritage_version; /* of who wrote it */
	uint32_t n_slots, n_stages, n_things;
	uint32_t reserved;
	uint64_t size_bytes;    /* of all of it */
	atomic_u64 plan_digest; /* plan_digest.h; a reload changes it, with one store: not under the hash */
	uint64_t run;           /* CLOCK_REALTIME of the run's start, in ns */
	uint64_t hash;          /* of the rest of the head before it, of `weir` and `pipeline`, and of the things */
	atomic_u64 flips;       /* [E1] */
	char weir[32];          /* version of who wrote it: for people */
	char pipeline[144];     /* cut: for people */
};

enum estate_kind {
	ESTATE_BOARD = 1,
	ESTATE_LIFELINE = 2, /* read end: its lock is held by whoever lives of the last supervisor's making */
	ESTATE_SEGMENT = 3,
	ESTATE_SPOOL = 4,
	ESTATE_STATE = 5,  /* log of keyed state */
	ESTATE_SOCKET = 6, /* that the pipeline was started with */
};

/* A descriptor is known again by its file. */
struct estate_thing {
	uint64_t device, inode;
	uint32_t kind;   /* enum estate_kind */
	uint32_t slot;   /* of a segment, spool, state; else 0 */
	uint32_t number; /* of a spool; else 0 */
	uint32_t reserved;
};

enum estate_phase {
	ESTATE_STARTING = 0, /* nothing has been accepted */
	ESTATE_RUNNING = 1,
	ESTATE_ENDED = 2, /* all is over and told: nothing is left to do */
};

/* What has been decided about the pipeline. Deadlines are absolute, CLOCK_MONOTONIC. */
struct estate_note {
	uint32_t phase; /* enum estate_phase */
	uint32_t rung;  /* enum rung */
	uint32_t cause; /* cause.def */
	uint32_t stage_failed, drain_deadline_passed;
	int32_t signal_number;
	uint64_t started_ns, run_due_ns;
	uint64_t drain_for_ns; /* that whoever ordered the end has given it, from the order on */
	int32_t supervisor_pid;
	uint32_t n_supervisors; /* of this run so far */
	uint8_t pad[8];
};

struct estate_seat {
	uint32_t generation, restarts, failures;
	uint32_t retiring; /* it is given up, and its stage goes on: what has to be done for that may be half done */
	int32_t pid;       /* 0: nobody sits there */
	uint32_t own_group;
	uint64_t pid_start_ticks; /* since boot, as the kernel says: a number may be another process's by now */
	uint16_t dealing;         /* enum dealing */
	uint8_t rests;            /* nobody has to sit there until its stage grows */
	uint8_t has_pages;        /* its lanes have, or had when this was written */
	uint8_t pad[4];
};

struct estate_stage {
	uint32_t abandoned;         /* stand-ins discard what comes to it ... */
	uint32_t cause;             /* ... for this */
	uint32_t wanted;            /* workers */
	uint32_t scaling;           /* it does not have them yet */
	uint64_t open, open_before; /* seats that are to work; bits */
};

static_assert(sizeof(struct estate_head) == 256 && offsetof(struct estate_head, size_bytes) == 40 &&
		      offsetof(struct estate_head, plan_digest) == 48 && offsetof(struct estate_head, run) == 56 &&
		      offsetof(struct estate_head, hash) == 64 && offsetof(struct estate_head, flips) == 72 &&
		      offsetof(struct estate_head, weir) == 80,
	      "layout");
static_assert(sizeof(struct estate_thing) == 32 && offsetof(struct estate_thing, kind) == 16, "layout");
static_assert(sizeof(struct estate_note) == 64 && offsetof(struct estate_note, started_ns) == 24 &&
		      offsetof(struct estate_note, supervisor_pid) == 48,
	      "layout");
static_assert(sizeof(struct estate_seat) == 40 && offsetof(struct estate_seat, pid_start_ticks) == 24 &&
		      offsetof(struct estate_seat, has_pages) == 35,
	      "layout");
static_assert(sizeof(struct estate_stage) == 32 && offsetof(struct estate_stage, open) == 16, "layout");
