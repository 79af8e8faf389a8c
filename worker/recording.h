/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker puts into its flight recorder, and how often. Without a ring (`recorder: off`) all of this does nothing. */
#pragma once

#include "worker/wait.h"

/* Begins to write into that ring, which lies in the own segment; NULL: nothing is recorded. Once, when all else is attached. */
void recording_begin(struct worker *worker, struct recorder_ring *ring);

/* Reads the clock for what is written next. */
void recording_clock(struct worker *worker);

/*
 * Before each commit that takes effect: counts it. True if it is time to note what the turns since the last note came to; then the
 * clock has been read, and recording_turns() follows when everything has moved. One decrement for most turns.
 */
static inline bool recording_is_due(struct worker *worker)
{
	struct recording *recording = &worker->recording;

	if (!recording->turns_left || --recording->turns_left)
		return false;
	recording_clock(worker);
	return true;
}
void recording_turns(struct worker *worker);

/* Before a peer that was touched may be rung for: reads the clock if it sleeps for one of these events. After it was: recording_wake(). */
void recording_before_ring(struct worker *worker, const struct peer *peer, uint32_t events);
void recording_wake(struct worker *worker, const struct peer *peer, uint32_t events);

/* About to sleep at now_ns; what: WAIT_FOR_*. And awake again. */
void recording_block(struct worker *worker, const struct wait_request *request, uint32_t what, uint64_t now_ns);
void recording_unblock(struct worker *worker, const struct wait_request *request, uint64_t now_ns, uint64_t slept_ns);

/* An item was found by looking for it: how long that took says nothing about the stage. */
static inline void recording_spun(struct worker *worker)
{
	worker->recording.busy_since_ns = 0;
}

/* Whether each item is noted, and the general way is gone for that. */
static inline bool recording_each_item(const struct worker *worker)
{
	return worker->recording.each_item;
}
/* The stage is given the item that the note names: noted if each is, or if it brings a traceparent along that is to be sampled. */
void recording_given(struct worker *worker);
static inline void recording_process(struct worker *worker)
{
	if (recording_each_item(worker) || worker->baggage.n_brought)
		recording_given(worker);
}
/* What it says of that: noted if each item is, if it is no plain yes, or if whoever has sent the item wants to know. */
void recording_said(struct worker *worker, const struct weir_item *item, int status);
static inline void recording_done(struct worker *worker, const struct weir_item *item, int status)
{
	if (recording_each_item(worker) || worker->baggage.n_brought ||
	    (status != WEIR_OK && status != WEIR_MORE && status != WEIR_HELD))
		recording_said(worker, item, status);
}

/* Something rare, now. */
void recording_note(struct worker *worker, enum recorder_kind kind, uint32_t count, uint64_t first, uint64_t second);
