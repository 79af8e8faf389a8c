/* SPDX-License-Identifier: Apache-2.0 */
/* Events put together: what each worker did from when to when, where its items went, who has woken whom. Pure; what is over is not kept. */
#pragma once

#include <stdint.h>

#include "broker/trace/trace_reader.h"
#include "common/base/traceparent.h"

enum timeline_kind {
	TIMELINE_PROCESS, /* awake: takes, calls its stage, commits */
	TIMELINE_WAIT,    /* asleep */
	TIMELINE_ITEM,    /* from when its stage was given an item until it was through with it; waits lie within */
};

#define TIMELINE_UNKNOWN UINT32_MAX /* an outcome */

struct timeline_slice {
	enum timeline_kind kind;
	uint32_t slot;
	uint64_t begin_ns, end_ns;
	uint32_t lane;      /* WAIT: for which; ITEM: from which it came; else, and if none is known, UINT32_MAX */
	uint32_t waits_for; /* WAIT: WAIT_FOR_* */
	uint64_t turns, taken, emitted;       /* PROCESS: as far as notes say */
	uint64_t sequence, waited_ns, number; /* ITEM; waits within; a number of its own */
	uint32_t attempt, outcome;            /* ITEM */
	struct traceparent trace;             /* ITEM: as its baggage says; trace.parent 0: it says nothing */
	bool overlaps;                        /* ITEM: others of this worker may be open beside it */
};

/* From somewhere in a slice of one worker to somewhere in a slice of another. */
struct timeline_flow {
	uint32_t from_slot, to_slot, lane;
	uint64_t from_ns, to_ns; /* from_ns <= to_ns */
	uint64_t number;         /* its own */
	bool is_wake;            /* who was woken; else items have gone that way */
};

/* Who is told. Slices come when they are over, the inner ones first. NULL: it does not want to know. */
struct timeline_writer {
	void *context;
	void (*slice)(void *context, const struct timeline_slice *slice);
	void (*flow)(void *context, const struct timeline_flow *flow);
	/* What has no length: on the track of a slot, or CTF_SUPERVISOR. */
	void (*instant)(void *context, uint32_t slot, const struct trace_event *event);
};

struct timeline;

/* The names and the writers outlive it. Aborts the process when memory is out. */
struct timeline *timeline_new(const struct trace_names *names, const struct timeline_writer *writers,
			      uint32_t n_writers);
/* Events come by time. */
void timeline_add(struct timeline *timeline, const struct trace_event *event);
/* Ends what is still open, and frees it. Fine on NULL. */
void timeline_free(struct timeline *timeline);

/* "wait-in", "wait-out", "wait-ext": as a worker's state is called that sleeps for these. Static. */
const char *timeline_wait_name(uint32_t waits_for);
