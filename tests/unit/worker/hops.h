/* SPDX-License-Identifier: Apache-2.0 */
/* Workers in one process with a lane for each given edge, all of which carry references: real segments and lanes, no supervisor. */
#pragma once

#include "worker/worker.h"

#define HOPS_MAX 5u
#define HOPS_LANE_SIZE UINT64_C(65536)

struct hops {
	uint32_t n, n_edges;
	const uint32_t (*edges)[2]; /* from, to; ascending */
	struct segment_geometry geometries[HOPS_MAX];
	uint64_t offsets[HOPS_MAX][HOPS_MAX];
	int fds[HOPS_MAX], doorbells[HOPS_MAX];
	int board_fd;
	struct board *board;
	struct worker workers[HOPS_MAX];
	uint32_t generation;
};

/* Worker `from` has an output for each of its edges, worker `to` an input, in their order. */
void hops_init(struct hops *hops, const uint32_t (*edges)[2], uint32_t n_edges);
void hops_deinit(struct hops *hops);
/* A worker sits down, whatever `workers[slot]` was before. Returns what worker_attach() said. */
int hops_seat(struct hops *hops, uint32_t slot);
/* The worker's process has died and was repaired: the next generation sits down. Returns what worker_attach() said. */
int hops_replace(struct hops *hops, uint32_t slot);

/* One item of so many bytes, each telling its number, to all outputs; not committed. Returns output_push()'s word. */
int hops_put(struct hops *hops, uint32_t slot, unsigned number, size_t size_bytes);
/* Notes the item as the one in hand, as a turn does before it calls the stage. */
struct input;
void hops_note(struct hops *hops, uint32_t slot, const struct input *input);
/*
 * Takes the next item, checks its bytes, forwards it to all outputs. Not committed. Returns its number; -1: nothing; -2: no
 * room; -3: broken.
 */
int hops_pass(struct hops *hops, uint32_t slot);
/* The same without passing it on. */
int hops_take(struct hops *hops, uint32_t slot);
void hops_commit(struct hops *hops, uint32_t slot);
/* The last item pushed into output `edge` of a worker is a reference. */
bool hops_pushed_reference(struct hops *hops, uint32_t slot, uint32_t edge);
/* Room in output `edge` of a worker, as its consumer has told; bytes. */
uint64_t hops_room(struct hops *hops, uint32_t slot, uint32_t edge);

/* The same, each with a commit of its own and asserted: what goes in, is passed on, or taken, is item `number`. */
void hops_must_put(struct hops *hops, unsigned number, size_t size_bytes);
void hops_must_pass(struct hops *hops, uint32_t slot, int number);
void hops_must_take(struct hops *hops, uint32_t slot, int number);
/* How far a slot has given back the room of its first input lane. */
uint64_t hops_free(const struct hops *hops, uint32_t slot);
