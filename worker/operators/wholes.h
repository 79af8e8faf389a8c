/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items whose join is whole and whose time is not over, a bit each: by it another answer is known to be one too many, and nothing else is
 * kept of them. No worker of scatter says a number twice in a run, and the state is of one run.
 *
 *      state:   w WORKER NUMBER/512   ->  when the last of them is over, 512 bits
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/operators/mark.h"

/*
 * This one, whose mark is of this run, is whole, and its time is over at due_ns. Forgets some of those whose time is over.
 * Returns WEIR_OK; WEIR_FULL: nothing has changed, for the state has no room; else as weir_state_put().
 */
int wholes_add(struct weir_context *context, const struct mark *mark, uint64_t due_ns);

/* Whether it is. Returns WEIR_OK, or what weir_state_get() says. */
int wholes_have(struct weir_context *context, const struct mark *mark, bool *ret_whole);
