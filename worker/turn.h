/* SPDX-License-Identifier: Apache-2.0 */
/* The turn: take, process, commit. */
#pragma once

#include "worker/worker.h"

/*
 * Runs turns until the stage has ended and its lanes are closed. The stage is open, the pipeline runs. Returns 0: the end of the
 * stream; WEIR_CANCELLED; WEIR_FAILED (worker->reason says why; a source has closed its lanes); negative errno. All that was
 * complete has been committed.
 */
int turn_loop(struct worker *worker);

/* Everything complete takes effect. Returns 0, or what the stage's flush() said: then nothing was committed. */
int turn_commit(struct worker *worker);

/*
 * From inside process(): commits the items before the one in hand, so that their room and their outputs are not held while
 * this one waits. A stage with flush() is not asked in the middle of an item, and so nothing is committed for it.
 */
void turn_commit_complete(struct worker *worker);

/* Closes the output edges of the set (bit = number) and wakes their readers. Behind a commit that says so in the cursor. Again: no-op. */
void turn_close_outputs(struct worker *worker, uint64_t outputs);
/* A peer may sleep for `event` (ARM_*), which this process has brought about: it is rung with the next wake. */
void turn_touch(struct peer *peer, uint32_t event, uint64_t room_bytes);

/* Gives back what no reference holds any more, and wakes whoever waits for it. Beside the turns: before sleeping. */
void turn_release(struct worker *worker);

/* A new generation has moved `free` on while it attached: wakes the producers that wait for that. */
void turn_greet(struct worker *worker);

/* The end of the stream: closes all output lanes and wakes their readers. After the last commit. */
void turn_close(struct worker *worker);
