/* SPDX-License-Identifier: Apache-2.0 */
/* To which seats of its consumers a producer deals items: what the board says of them. */
#pragma once

#include "worker/worker.h"

/*
 * Between turns, with nothing built: if the board has news, ends the runs that are open, deals to the lanes that it names from now on, and
 * acknowledges it. Returns 0, or what turn_commit() says. Waits for nothing.
 */
int dealing_follow(struct worker *worker);
/* A stage with a loop of its own is in a call, and a run is open: that can't be ended now, so the news wait for the end of the step. */
bool dealing_must_wait(const struct worker *worker);
/*
 * For such a stage in the middle of a step, which may wait for nothing else: an edge that it held may be dealt to again, or so it
 * seems; and deals to it, if that is so. The rest of the news, and the acknowledgement, wait for the end of the step.
 */
bool dealing_may_let_go(const struct worker *worker);
void dealing_let_go(struct worker *worker);
