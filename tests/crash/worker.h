/* SPDX-License-Identifier: Apache-2.0 */
/* The victim: the smallest worker that does everything a worker does to shared memory, made of the real code. */
#pragma once

#include <stdint.h>

#include "common/flow/commit.h"
#include "common/flow/lane.h"
#include "common/memory/doorbell.h"
#include "common/memory/segment.h"

#define N_INPUTS 2u
#define N_OUTPUTS 2u

/* What an output item carries: which input it came from. Its size varies, so that records start everywhere. */
struct payload {
	uint64_t input;
	uint64_t sequence; /* of the input item */
	uint64_t filler[4];
};

static inline uint32_t payload_size(uint64_t sequence)
{
	return (uint32_t)(2 + sequence % 5) * (uint32_t)sizeof(uint64_t);
}

struct worker {
	struct segment *own; /* writable; borrowed */
	struct lane_in in[N_INPUTS];
	struct lane_out out[N_OUTPUTS];
	struct doorbell_peer producer, consumer;
	struct cursor cursor;
	struct commit commit;
	uint64_t epoch;
	int doorbell;
};

/* Takes up where the committed state stands: what a generation does once its memory is mapped. */
void worker_start(struct worker *worker);

enum worker_outcome { WORKER_IDLE = 1, WORKER_ENDED = 2, WORKER_BROKEN = 3 };
/*
 * Turns of up to `batch` items per input, until nothing is left to do now (it then arms, looks again, and disarms) or
 * the inputs are closed and the outputs closed after them. Each input item becomes one item on every output; each turn
 * with items ends a run on output 0.
 */
enum worker_outcome worker_run(struct worker *worker, unsigned batch);
