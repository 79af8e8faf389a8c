/* SPDX-License-Identifier: Apache-2.0 */
/* The attempt at the item in hand: by when it has to be over. */
#pragma once

#include "common/store/letter.h"
#include "worker/worker.h"

/*
 * Absolute, CLOCK_MONOTONIC; UINT64_MAX: no item is in hand, or its stage has no deadline. Reads the clock when it is asked first for an
 * item. In a callback.
 */
uint64_t attempt_deadline_ns(struct worker *worker);

/* Why an item that has cost so many attempts is given up: the cause, and a sentence. */
enum dead_letter_cause attempt_explain(const struct worker *worker, uint32_t n_attempts, char *reason,
				       size_t size_bytes);
