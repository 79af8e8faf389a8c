/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block of items: collected in spool 0, given to a program as its stdin. What operator.c (block mode) and sink.c
 * have in common.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/stage.h>

#include "common/stage/exec_block.h"
#include "worker/exec/child.h"
#include "worker/exec/timeout.h"
#include "worker/exec/program.h"
#include "worker/exec/spool.h"
#include "worker/split.h"

enum block_phase {
	BLOCK_COLLECT = 0, /* items are being added */
	BLOCK_RUN = 1,     /* complete: the program is to be run on it */
	BLOCK_EMIT = 2,    /* the program has run: its output, in spool 1, is to be emitted */
};

/* The stage cursor. All zero: nothing collected. */
struct block_cursor {
	uint64_t phase;         /* enum block_phase */
	uint64_t number;        /* blocks that are over */
	uint64_t input_bytes;   /* in spool 0 */
	uint64_t payload_bytes; /* of its items, without separators */
	uint64_t n_items;       /* held */
	uint64_t opened_ns;     /* when the first one came */
	uint64_t output_bytes;  /* EMIT: in spool 1 */
	uint64_t emitted_bytes; /* EMIT: how much of it has been emitted */
	uint64_t due_ns;        /* to be run by then, before the first of its items expires; 0: none does */
};

struct block {
	struct program program;
	struct child child;
	struct block_cursor *cursor;   /* the runtime's */
	struct block_cursor committed; /* as it was at the last flush: what a next generation would find, or newer */
	struct spool_map input;        /* spool 0 */
	int output_fd;                 /* spool 1; -1: a sink */
	size_t separator_bytes;        /* newlines behind each item */
	uint64_t size_bytes;           /* complete at so many payload bytes; UINT64_MAX: only at the end */
	struct timeout timeout;        /* with its program */
	uint64_t wait_ns;              /* complete so long after its first item; 0: never */
	uint64_t spool_bytes;          /* bound of a spool */
	uint64_t input_bound_bytes;    /* complete at so much input, with separators: empty items have no payload */
};

/*
 * Reads the options, finds the program. has_output: spool 1 takes the program's stdout. Returns 0; WEIR_FAILED after
 * weir_fail(); -errno. block_deinit() is due in each case.
 */
int block_init(struct block *block, struct weir_context *context, bool has_output);
/* Ends the program if it runs; frees. */
void block_deinit(struct block *block);

/* As the stage's process(): adds the item. WEIR_HELD, WEIR_FAILED, -errno. */
int block_add(struct block *block, struct weir_context *context, const struct weir_item *item);
/*
 * As the stage's flush(): what was added stands in the spool, and the cursor is what will be committed, with the time by which the block
 * is to be run.
 */
int block_flush(struct block *block, struct weir_context *context);
/* As the stage's end_run() and finish(): the block is complete, if there is one. WEIR_MORE or 0. */
int block_complete(struct block *block);
/* produce() in phase COLLECT: completes the block when its time has come. WEIR_MORE or 0. */
int block_check_wait(struct block *block, struct weir_context *context);
/* True if the cursor as it stands is safe: a next generation would find this phase of this block. */
bool block_is_committed(const struct block *block);

/*
 * Runs the program on the block until it succeeds, three times at most. stdout_fd -1: spool 1, else that one. Returns
 * 0; WEIR_EXPIRED: it has overrun the stage's deadline as often as it may, and the block was given up: it is over, collecting begins
 * anew; WEIR_CANCELLED, WEIR_FAILED after weir_fail(), -errno. No program runs afterwards.
 */
int block_run(struct block *block, struct weir_context *context, int stdout_fd);
/* The block is over, and no program runs: its items are settled, collecting begins anew. */
void block_end(struct block *block, struct weir_context *context);
