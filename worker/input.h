/* SPDX-License-Identifier: Apache-2.0 */
/* Which item comes next: fair over edges and lanes, or in the order of the runs. */
#pragma once

#include "worker/worker.h"

enum {
	INPUT_E_EMPTY = 1,  /* nothing now */
	INPUT_E_CLOSED = 2, /* every input is closed and empty */
	INPUT_E_BROKEN = 3, /* a neighbour's memory makes no sense; worker->reason says which */
	INPUT_E_LOST = 4,   /* as INPUT_E_CLOSED, but a producer was given up: it was no clean end */
};

/* The next record, not yet taken. Wait-free. Returns 0 or INPUT_E_*. */
int input_next(struct worker *worker, struct input *ret_input);
/* The same of one edge alone. */
int input_next_of(struct worker *worker, uint32_t number, struct input *ret_input);
/* Takes it: it will be done with the next commit. */
void input_take(struct worker *worker, const struct input *input);
/* A turn begins: the next edge and lane have the first word; but the suspect before all, until it is known to wait (worker/postpone.h). */
void input_rotate(struct worker *worker);
