/* SPDX-License-Identifier: Apache-2.0 */
/* A lane: one producer slot -> one consumer slot, a single-producer single-consumer byte ring. Both ends' private handles. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/prefetch.h"
#include "common/flow/item_layout.h"
#include "common/memory/segment_layout.h"

/* Producer's end. Built records lie in [tail, built), invisible until a commit moves the tail. */
struct lane_out {
	struct lane_writer *writer;     /* own segment */
	const struct lane_reader *peer; /* consumer's segment, read-only */
	unsigned char *data;            /* mapped twice */
	uint64_t capacity_bytes;        /* power of two */
	uint64_t tail;                  /* committed */
	uint64_t built;                 /* end of what is built */
	uint64_t free_cached;           /* last value read of the consumer's `free` */
	uint32_t index;                 /* writer index, for the commit record */
	uint32_t reserve_bytes;         /* room that data must leave: a run-end record on ordered lanes, else 0 */
	bool held;                      /* records of other lanes refer to bytes of this one ... */
	uint64_t held_from; /* ... from here on: no room before they are freed, whatever the consumer says */
};

/* Consumer's end. */
struct lane_in {
	struct lane_reader *reader;     /* own segment */
	const struct lane_writer *peer; /* producer's segment, read-only */
	const unsigned char *data;      /* mapped twice, read-only */
	uint64_t capacity_bytes;
	uint64_t done;        /* committed */
	uint64_t next;        /* next record to take; [done, next) is taken in this turn */
	uint64_t tail_cached; /* last value read of the producer's tail */
	uint32_t index;       /* reader index */
	bool held;            /* records that this process has emitted refer to bytes of this lane ... */
	uint64_t held_from;   /* ... from here on: not freed before they are */
};

#define LANE_PREFETCH_BYTES 1024u
#define LANE_LINE_BYTES 64u

enum {
	LANE_E_FULL = 1,      /* no room now */
	LANE_E_TOO_LARGE = 2, /* no room ever */
	LANE_E_EMPTY = 3,     /* nothing now */
	LANE_E_CLOSED = 4,    /* nothing, and nothing will come */
	LANE_E_BROKEN = 5,    /* the peer's numbers make no sense: quarantine the lane */
	LANE_E_LOST = 6,      /* as LANE_E_CLOSED, but the producer was given up: no clean end */
};

/* Start from the committed positions in shared memory: after attach, and to forget what an unfinished turn did. Wait-free. */
void lane_out_rewind(struct lane_out *lane);
void lane_in_rewind(struct lane_in *lane);

/* Largest payload that fits the lane, bytes: half of it, so that a full lane frees room for the next while it is read. */
uint64_t lane_payload_max(uint64_t capacity_bytes);

/* What one turn should build or take of a lane at most, in bytes: so both ends can work at the same time. */
static inline uint64_t lane_turn_bytes(uint64_t capacity_bytes)
{
	return capacity_bytes / 8;
}

/*
 * Producer: room for a record of payload_bytes, contiguous, at *ret_payload. Nothing is built until lane_out_push().
 * Returns 0, LANE_E_FULL, LANE_E_TOO_LARGE, LANE_E_BROKEN. Wait-free.
 */
int lane_out_reserve(struct lane_out *lane, uint64_t payload_bytes, void **ret_payload);
/* Producer: builds the header of the reserved record, behind the tail. header->size_bytes may be smaller than reserved. */
void lane_out_push(struct lane_out *lane, const struct item_header *header);
/* Producer: builds a run-end record; uses the reserve. Returns 0, LANE_E_FULL, LANE_E_BROKEN. */
int lane_out_push_run_end(struct lane_out *lane, uint64_t ticket);
/* Producer: bytes free for records now; refresh reads the consumer's line again. 0 when broken. */
uint64_t lane_out_room(struct lane_out *lane, bool refresh);
/* Producer: bytes committed or built and not yet done: the load that least-loaded compares. */
uint64_t lane_out_load(const struct lane_out *lane);
/* Producer: marks the end of the stream, after the last commit. */
void lane_out_close(struct lane_out *lane);
/* Producer: the same where the end is none: whoever should have written the rest has been given up. No-op if it is closed. */
void lane_out_lose(struct lane_out *lane);

/*
 * Consumer: the record at `next`: a copy of its header, checked once, and its payload in place. Does not advance.
 * Returns 0, LANE_E_EMPTY, LANE_E_CLOSED, LANE_E_LOST, LANE_E_BROKEN. Wait-free.
 */
int lane_in_peek(struct lane_in *lane, struct item_header *ret_header, const void **ret_payload);
/* What nothing to read means: LANE_E_EMPTY, LANE_E_CLOSED, LANE_E_LOST. `closed` was loaded before the tail. */
static inline int lane_end(uint32_t closed)
{
	return closed == LANE_OPEN ? LANE_E_EMPTY : closed == LANE_CLOSED_LOST ? LANE_E_LOST : LANE_E_CLOSED;
}
/*
 * Consumer: looks at the producer's line again. Returns 0 if something lies at `next`; LANE_E_EMPTY, LANE_E_CLOSED, LANE_E_LOST,
 * LANE_E_BROKEN.
 */
int lane_in_refresh(struct lane_in *lane);
/*
 * Consumer: asks for the two lines that lie 1 KiB behind this place of the lane, if so much is left. Where a record begins is known only
 * when the one before it has been read, so without this each header waits for its line alone; behind the tail it would
 * steal lines that the producer is writing. Two, because most records reach into a second one.
 */
static inline void lane_prefetch_ahead(const unsigned char *record)
{
	prefetch_to_read(record + LANE_PREFETCH_BYTES); /* mapped twice: no wrap to mind */
	prefetch_to_read(record + LANE_PREFETCH_BYTES + LANE_LINE_BYTES);
}
/* For which of `left` bytes that is so: for the first so many. */
static inline uint64_t lane_prefetch_end(uint64_t left)
{
	const uint64_t ahead = LANE_PREFETCH_BYTES + LANE_LINE_BYTES;

	return left > ahead ? left - ahead : 0;
}
static inline void lane_prefetch(const unsigned char *record, uint64_t left)
{
	if (lane_prefetch_end(left))
		lane_prefetch_ahead(record);
}
/* Consumer: steps over the record just peeked. */
static inline void lane_in_advance(struct lane_in *lane, const struct item_header *header)
{
	lane->next += item_record_size(header->size_bytes);
}
/*
 * Consumer: gives the room of all that is done, and not held, back to the producer; after the commit. Returns true if
 * that moved `free`. Wait-free.
 */
bool lane_in_release(struct lane_in *lane);
/* Consumer: room that the producer has, as far as it is known here, bytes. */
uint64_t lane_in_room(const struct lane_in *lane);
