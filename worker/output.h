/* SPDX-License-Identifier: Apache-2.0 */
/* Where an item goes: which lane of each edge, in which run, and what is undone when the item is dropped. */
#pragma once

#include "worker/worker.h"

/* What became of an item. The type is what makes output_status() complete: a code that it does not know is no program. */
enum output_code {
	OUTPUT_DONE = 0,
	OUTPUT_E_FULL = 1,      /* no room now in worker->need_bytes' worth of lane */
	OUTPUT_E_TOO_LARGE = 2, /* never */
	OUTPUT_E_BROKEN =
		3, /* the consumer's numbers make no sense, or a dead letter can't be kept; worker->reason says which */
	OUTPUT_E_UNRESERVED = 4, /* nothing that large was reserved there */
};

/* The same in a stage's words: WEIR_OK, WEIR_FULL, WEIR_TOO_LARGE, WEIR_FAILED, -EINVAL. */
int output_status(enum output_code code);

/*
 * Puts a copy of the payload behind the tail of one lane of the edge, or of every edge (WEIR_ALL_OUTPUTS; a large one is shared):
 * all or none.
 * Returns 0, OUTPUT_E_*. Wait-free.
 */
enum output_code output_push(struct worker *worker, uint32_t output, const void *data, size_t size_bytes);

/* The lane that an edge without order uses in this turn, chosen now if it has not been. */
uint32_t output_turn_lane(struct output_edge *edge);
/* The lane that the next item of an edge without a key goes to if there is room: where its run must go, else that of the turn. */
uint32_t output_window_lane(const struct worker *worker, struct output_edge *edge);
/* The ticket of what is built there now; 0 on edges without order. */
uint64_t output_ticket(const struct worker *worker, const struct output_edge *edge);
/* Of an edge that deals runs: bytes of lane, in whole words, that items may take and be sure that their run has not reached its size. */
uint64_t output_run_room(const struct worker *worker, const struct output_edge *edge);
/* DEAL: n complete items have gone to this lane; ends the run if it has reached its size. Nothing happens on other edges. */
void output_run_add(struct worker *worker, struct output_edge *edge, uint32_t lane, uint32_t n, uint64_t size_bytes);
/* Takes over what the item in hand has built behind `built` by itself: n records of lane_bytes in all. */
void output_adopt(struct worker *worker, struct output_lane *lane, uint64_t lane_bytes, uint32_t n,
		  uint64_t size_bytes);

/*
 * Room for a record of size_bytes in one lane of an edge, at *ret_payload; output_push_reserved() builds the record around what was
 * put there. Returns as output_push(). At most one reservation stands; whatever pushes ends it.
 */
enum output_code output_reserve(struct worker *worker, uint32_t output, size_t size_bytes, void **ret_payload);
/* Returns as output_push(), or OUTPUT_E_UNRESERVED. */
enum output_code output_push_reserved(struct worker *worker, uint32_t output, size_t size_bytes);

/* True if the turn has built its share of a lane: an eighth. */
bool output_turn_full(const struct worker *worker);

/*
 * The two halves of it, for one edge (sharing.c). choose: a lane with room for a record of that payload, and where the payload goes; push
 * or forget it. Returns 0, OUTPUT_E_*. build: the record, whose payload is there; size_bytes: of the item, also for a reference.
 */
enum output_code output_choose(struct worker *worker, struct output_edge *edge, size_t size_bytes, uint32_t *ret_lane,
			       void **ret_payload);
void output_build(struct worker *worker, struct output_edge *edge, uint32_t lane, enum item_kind kind,
		  size_t size_bytes);

/* The item in hand is complete: what it emitted will go with the next commit. Ends runs that have reached their size. */
void output_item_end(struct worker *worker);
/* The item in hand is dropped: what it emitted is forgotten. */
void output_item_drop(struct worker *worker);

/*
 * Ordered stage: passes the end of the run `ticket` on to every output. Returns 0, or OUTPUT_E_FULL with nothing pushed.
 */
int output_run_end(struct worker *worker, uint64_t ticket);
/* True if it would not say OUTPUT_E_FULL now; else need_bytes is set. Pushes nothing. */
bool output_run_end_fits(struct worker *worker, uint64_t ticket);

/* Ends open runs: all of them, those that go with the turn, or those that have waited long enough. */
enum output_runs { OUTPUT_RUNS_TURN, OUTPUT_RUNS_DUE, OUTPUT_RUNS_ALL };
void output_end_runs(struct worker *worker, enum output_runs which);
/* When the earliest open run has waited long enough; 0: none is waiting. */
uint64_t output_runs_due_ns(const struct worker *worker);

/* True if each edge that worker->need_output names has a lane with room for a record of need_bytes. Reads the consumers' lines. */
bool output_room(struct worker *worker, uint64_t need_bytes);
/* The first edge for which that is not so, and its one lane that counts, NO_LANE: any; WEIR_ALL_OUTPUTS: there is room. */
uint32_t output_awaited(struct worker *worker, uint64_t need_bytes, uint32_t *ret_lane);
/* True if a record of need_bytes could ever fit there beside what is built and not committed. */
bool output_possible(const struct worker *worker, uint64_t need_bytes);
/* The largest payload that fits each edge. */
size_t output_payload_max(const struct worker *worker);
