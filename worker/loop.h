/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a loop: what comes back goes first, what comes from outside only while there is room, and when it ends. */
#pragma once

#include "worker/input.h"
#include "worker/worker.h"

/* At attach, after the edges. Nothing to do for a slot that is no head. */
void loop_attach(struct worker *worker);
void loop_detach(struct worker *worker);

/* After a commit: what was let in stands in the lanes now. */
void loop_begin(struct worker *worker);
/* input_next() of a head. Same returns. INPUT_E_CLOSED: everything outside is closed, and the loop is empty and quiet. */
int loop_next(struct worker *worker, struct input *ret_input);
/* An item was taken. */
void loop_take(struct worker *worker, const struct input *input);
/* Items that came back were taken; record_bytes: the largest one. */
void loop_took(struct worker *worker, uint64_t record_bytes);
/* True if something waits outside. A hint. */
bool loop_outside_waits(const struct worker *worker);
/*
 * The head has ended and closed: takes what still comes round, which a stage of the loop has emitted at the end of its own input, and drops
 * it, counted as cancelled, until the ways back are closed. Returns 0; WEIR_CANCELLED; WEIR_FAILED; what the commit said.
 */
int loop_end(struct worker *worker);
/*
 * The head has slept for room: has anything on its loop moved? Says once what it looks like if nothing has for some seconds, though
 * items have come back that the head can't take. Returns whether it did.
 */
bool loop_stands_still(struct worker *worker, uint64_t now_ns);
/* When to look again though nobody rings: items that leave the loop elsewhere make room without a word. 0: no need. */
uint64_t loop_look_ns(const struct worker *worker, uint64_t now_ns);
