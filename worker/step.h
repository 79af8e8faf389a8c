/* SPDX-License-Identifier: Apache-2.0 */
/* A step: what a run() stage does from one receive (a source: from one send) to the next. It takes effect whole. */
#pragma once

#include "worker/worker.h"

/* Begins a step without an item: remembers the cursor. */
void step_open(struct worker *worker);
/*
 * Begins the step of a received item: notes what is in hand, remembers the cursor. The item is handed to the stage in
 * worker->step.item. Wait-free. Returns 0, or STEP_E_GIVEN_UP: it has cost too many workers and is a dead letter now; or WEIR_FAILED:
 * it is one, but can't be kept.
 */
enum { STEP_E_GIVEN_UP = 100 };
int step_begin(struct worker *worker, const struct input *input);
/* The same with a dead letter that is given again: 0, STEP_E_GIVEN_UP, REPLAY_E_NONE (worker/replay.h), WEIR_FAILED. */
int step_begin_letter(struct worker *worker, uint32_t input);

/*
 * Ends the step at work, with what the stage said of its item, and begins one without an item. It will count with the next commit.
 * Writes the dead letter of a rejected item: that blocks on the disk. Returns 0; or WEIR_CANCELLED, WEIR_FAILED, negative errno:
 * the step is dropped, because something that it sent was refused, or its dead letter could not be kept.
 */
int step_end(struct worker *worker);

/* Drops the step at work: what it sent, closed and put into the cursor is undone, its item is not taken. */
void step_drop(struct worker *worker);

/* Between steps: complete ones take effect. Calls the stage's flush(). Returns 0, or what flush() said: then nothing was committed. */
int step_commit(struct worker *worker);

/*
 * The ends of outputs that weir_close() has closed are put off while a worker behind them may be given up and holds items: it would
 * be too late to move those. True if one could be told now; step_commit() does it.
 */
bool step_may_close(const struct worker *worker);
/* Behind a commit, and at attach: tells their readers. */
void step_close(struct worker *worker);

/* Between steps: begins a turn: the clock is read, the next input and lane have the first word. */
void step_turn(struct worker *worker);

/* Between steps: true if complete ones fill a batch, or a turn's share of a lane. */
bool step_is_due(const struct worker *worker);
