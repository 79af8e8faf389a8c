/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving upward: a stage that wants nothing more of an input, and producers that nobody listens to any more. */
#pragma once

#include "worker/worker.h"

/* weir_leave(): asks for it; the next commit makes it so. Returns 0, or -EINVAL if there is no such input. */
int leave_ask(struct worker *worker, uint32_t input);
/* The item in hand is dropped, and what it asked for with it. */
void leave_forget(struct worker *worker);

/* Before a commit: what was asked for goes into the cursor. True if the producers are to be told after it. */
bool leave_collect(struct worker *worker);
/* After such a commit, and at attach: tells the producers of every input that is left, and wakes them. No-op if none is. */
void leave_announce(struct worker *worker);

static inline bool leave_has_left(const struct worker *worker, uint32_t input)
{
	return worker->cursor.inputs_left >> input & 1;
}
/* Accounts for an item of an input that is left; taking it is the caller's. */
void leave_discard(struct worker *worker, const struct weir_item *item);

/*
 * Between turns: if every reader of every output has left, an operator leaves its own inputs, which is committed. Looks only now
 * and then, and after every sleep. Returns 0; WEIR_CLOSED: nobody listens to this source, which ends; or what the commit said.
 */
int leave_follow(struct worker *worker);
/* The same, but what an operator leaves is for the caller to commit. */
int leave_look(struct worker *worker);

/*
 * A stage with a loop of its own need not ask for inputs that it has left: between steps what lies there is discarded for it; the caller
 * commits. Returns 0; WEIR_FAILED: a lane is broken. has_work: true if that would do something.
 */
int leave_tidy(struct worker *worker);
bool leave_has_work(struct worker *worker);
