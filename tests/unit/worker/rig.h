/* SPDX-License-Identifier: Apache-2.0 */
/* A row of producers and a row of consumers in one process, or a chain of three: real segments and lanes, no supervisor. */
#pragma once

#include "worker/worker.h"

#define RIG_MAX 4u
#define RIG_LANE_SIZE 4096u
#define RIG_NEVER_MS 60000u /* a back-stop that nothing but a ring, or what else is tested, ends a sleep before */

struct rig {
	uint32_t n_producers, n_consumers;
	struct segment_geometry geometries[2 * RIG_MAX];
	int fds[2 * RIG_MAX];
	int doorbells[2 * RIG_MAX];
	int board_fd;
	struct board *board;
	struct worker producers[RIG_MAX], consumers[RIG_MAX];
	struct worker relay; /* rig_init_chain() */
	bool has_relay;
	uint32_t relay_in_flight;
	uint32_t generation; /* of who sits down */
	struct worker *employed;
};

/* One edge, a lane from each producer to each consumer, in the given order; merge: consumers take runs by ticket. */
void rig_init(struct rig *rig, uint32_t n_producers, uint32_t n_consumers, enum heritage_order order,
	      enum heritage_balance balance, bool merge);
/* One producer, the relay, one consumer, a lane between each two. The stage is the relay's; its client goes nowhere. */
void rig_init_chain(struct rig *rig, const struct weir_stage *stage);
/* The same with a relay that may have so many items at a time. */
void rig_init_chain_asynchronous(struct rig *rig, const struct weir_stage *stage, uint32_t in_flight);
/* The relay's process has died and was repaired: the next generation sits down. */
void rig_replace_relay(struct rig *rig, uint32_t generation);
void rig_deinit(struct rig *rig);
/*
 * A producer or consumer of rig_init() is a stage now: it may wait and be told orders, which are BOARD_RUN. One a rig. With
 * n lanes it gets n edges of one lane each instead.
 */
void rig_employ(struct rig *rig, struct worker *worker, const struct weir_stage *stage);
/* Tells the relay, or whom rig_employ() named, an order: BOARD_DRAIN, BOARD_CANCEL. */
void rig_order(struct rig *rig, uint32_t order);

/* The producer pushes one item, ends it, and keeps it for the next commit. Returns output_push()'s word. */
int rig_push(struct worker *producer, const char *text);
/* Publishes what the worker has collected, as a turn does. */
void rig_commit(struct worker *worker);
/* The consumer takes the next record: its text, "|" for a run end, "-" for nothing now, "." for closed, "!" for broken. */
const char *rig_take(struct worker *consumer);
