/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker that sleeps waits for, on its status line. For people and for the supervisor's look for stalls: it orders nothing. */
#pragma once

#include "worker/wait.h"

/* It goes to sleep for that at this time. */
void blocked_note(struct worker *worker, const struct wait_request *request, enum worker_state state, uint64_t now_ns);
/* The same inside weir_wait(): for the stage's descriptors (how many), and at most until deadline_ns (0: none). */
void blocked_note_outside(struct worker *worker, size_t n_fds, uint64_t deadline_ns, uint64_t now_ns);
/* It waits for its turn to write a dead letter, and has it. */
void blocked_note_store(struct worker *worker, uint64_t now_ns);
void blocked_store_over(struct worker *worker, uint64_t now_ns);
/* It is awake. Tells the supervisor, if that has stopped looking (board->at_rest); not if it has only woken to look round. */
void blocked_over(struct worker *worker, uint64_t now_ns, bool looks_round);
