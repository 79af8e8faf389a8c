/* SPDX-License-Identifier: Apache-2.0 */
/* The flight recorder: writing and reading rings of events. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/memory/recorder_layout.h"

enum recorder_kind {
	RECORDER_NOTHING = 0,
#define RECORDER_EVENT(id_, ...) RECORDER_##id_,
#include "common/observe/recorder_event.def"
#undef RECORDER_EVENT
	RECORDER_KINDS
};

/* What an event is called, and its fields; NULL: it has no such field. */
struct recorder_line {
	const char *name, *place, *count, *first, *second, *summary;
};
/* RECORDER_KINDS lines, static; that of RECORDER_NOTHING is all NULL. */
extern const struct recorder_line recorder_lines[];

/*
 * Where: index of a lane among the slot's own, readers from 0, writers with RECORDER_LANE_OUT; or a seat, a slot's number. 24 bits.
 */
#define RECORDER_LANE_OUT UINT32_C(0x800000)
#define RECORDER_NOWHERE UINT32_C(0xffffff)

/* Writer's side, in its private memory. One thread. */
struct recorder {
	struct recorder_ring *ring; /* NULL: nothing is recorded */
	uint64_t head, mask;
	uint64_t now_ns; /* stamped on what is written next; the caller sets it, it never goes back */
};

/* Goes on in the ring where the last writer, who is dead, has stopped. n_events: of the ring, a power of two. */
void recorder_init(struct recorder *recorder, struct recorder_ring *ring, uint32_t n_events);

static inline uint64_t recorder_what(enum recorder_kind kind, uint32_t place, uint32_t count)
{
	return (uint64_t)kind | (uint64_t)(place & RECORDER_NOWHERE) << 8 | (uint64_t)count << 32;
}

/* Writes one event. Wait-free: no clock, no call into the kernel, nothing allocated; nothing at all without a ring. */
static inline void recorder_write(struct recorder *recorder, enum recorder_kind kind, uint32_t place, uint32_t count,
				  uint64_t first, uint64_t second)
{
	struct recorder_event *event;

	if (!recorder->ring)
		return;
	event = &recorder->ring->events[recorder->head & recorder->mask];
	fence_release(); /* [R1] mate: recorder_read; who sees a word of this event sees at least the head before it */
	store_relaxed(&event->time_ns, recorder->now_ns);
	store_relaxed(&event->what, recorder_what(kind, place, count));
	store_relaxed(&event->first, first);
	store_relaxed(&event->second, second);
	store_release(&recorder->ring->head, ++recorder->head); /* [R1] mate: recorder_read */
}

/* One event, copied. */
struct recorder_record {
	uint64_t time_ns;
	enum recorder_kind kind; /* below RECORDER_KINDS, whatever the writer has written; then RECORDER_NOTHING */
	uint32_t place, count;
	uint64_t first, second;
};

/*
 * Copies events number *from, *from + 1, ... up to the last one, at most max of them, beside a writer that goes on writing. What it has
 * overwritten, or may have while it was copied, is left out and added to *ret_lost. *from becomes the number of the event to go on with.
 * The ring is another process's: whatever stands in it, only its n_events events are read. Returns how many were copied. Any process.
 */
uint32_t recorder_read(const struct recorder_ring *ring, uint32_t n_events, uint64_t *from, struct recorder_record *ret,
		       uint32_t max, uint64_t *ret_lost);

/* Number of the event from which on there are at most n: to begin with the last n. */
uint64_t recorder_last(const struct recorder_ring *ring, uint64_t n);
