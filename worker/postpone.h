/* SPDX-License-Identifier: Apache-2.0 */
/* Items whose time has not come: they stay where they lie, and nothing behind them in their lane is given to the stage. */
#pragma once

#include "worker/worker.h"

/*
 * weir_postpone(): the item in hand is given again at until_ns (CLOCK_MONOTONIC), or when it expires if that comes first. Returns
 * WEIR_WAIT, for process() to return; WEIR_FAILED with worker->reason: an asynchronous stage; -EPERM: not in process().
 */
int postpone_ask(struct worker *worker, uint64_t until_ns);
/* process() has said WEIR_WAIT of the first item of this lane (NULL: of a letter), and what it did is undone. */
void postpone(struct worker *worker, struct input_lane *lane);
/* A turn begins: if the earliest time has come everything postponed is looked at again. */
void postpone_begin(struct worker *worker);

/* Whether the stage has asked for it and is to be believed when it says WEIR_WAIT. */
static inline bool postpone_was_asked(const struct worker *worker)
{
	return worker->postponed.asked_ns != 0;
}

/*
 * The suspect's neighbours wait with it: one of them might kill too, and each is to be tried alone. But not for ever: what a stage
 * postpones may wait for just them, as a gather's items do for the answers to those before. From then on it is one of them, in its turn.
 */
#define POSTPONE_SUSPECT_ASKS 16u
static inline bool postpone_suspect_is_first(const struct worker *worker)
{
	return worker->suspect_attempts && worker->suspect_asks < POSTPONE_SUSPECT_ASKS;
}

static inline bool postpone_holds(const struct worker *worker, const struct input_lane *lane)
{
	return lane->postponed || (worker->postponed.until_ns && postpone_suspect_is_first(worker));
}
