/* SPDX-License-Identifier: Apache-2.0 */
/* Room that is not given back yet, because records in the own output lanes refer to what lies there. */
#pragma once

#include "common/base/text.h"
#include "worker/worker.h"

/* What a reference holds: a record in an input lane, or (several outputs) in an output lane of one's own. */
uint32_t pins_of_input(const struct worker *worker, const struct input_lane *lane);
uint32_t pins_of_output(const struct worker *worker, const struct output_lane *lane);

/* Whether an output edge carries references: then no input may be released before pins_attach(). */
bool pins_wanted(const struct heritage *heritage);

/*
 * Takes memory if they are wanted (worker->pins stays NULL if not), holds what the last generation's records still refer to, and
 * releases the rest of the inputs. All lanes are attached. Returns 0; -EBADMSG: the own lanes are no chain of records; `why`
 * gets a sentence. pins_detach() frees; fine without.
 */
int pins_attach(struct worker *worker, struct text *why);
void pins_detach(struct worker *worker);
/* The lanes of output edges have changed places. Only if there are pins. */
void pins_follow(struct worker *worker);

/*
 * Whether a reference that goes into `lane` can hold the record that starts at `position` of what `held` names. false: all places are
 * taken, or the record lies before one that is held already; then the item has to be copied. Wait-free.
 */
bool pins_possible(struct worker *worker, const struct output_lane *lane, uint32_t held, uint64_t position);
/* The record last pushed into `lane` is such a reference. Only after pins_possible(). */
void pins_add(struct worker *worker, const struct output_lane *lane, uint32_t held, uint64_t position);
/* The item in hand was dropped: forgets the references behind what is built now. */
void pins_drop(struct worker *worker);

/*
 * Looks how far the consumers have come, gives back what nobody refers to any more, and marks the producers that may want it as touched.
 * Returns true if there are any: then the caller fences and wakes. A few loads for each lane that references are in.
 */
bool pins_release(struct worker *worker);

/* Whether anything is held; whether it is in input lanes. */
bool pins_any(const struct worker *worker);
bool pins_in_inputs(const struct worker *worker);

/*
 * Whether what is held in input lanes may stay held while this worker sleeps for data, though its readers free it: every producer has
 * plenty of room left, and waits for it if that is not enough. pins_are_awaited(): one of them does. Wait-free.
 */
bool pins_may_stay(const struct worker *worker);
bool pins_are_awaited(const struct worker *worker);
