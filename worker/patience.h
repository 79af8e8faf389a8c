/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a worker that is woken may take the processor from the one that runs on it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct patience {
	bool allowed;     /* the scheduling class is ours to choose */
	bool patient;     /* in SCHED_BATCH now */
	uint32_t skip;    /* sleeps for room still to come before it is patient again */
	uint32_t backoff; /* about that many, after the next one out of which it came too late */
};

/* Looks whether the calling thread is in SCHED_OTHER: another class was chosen by somebody, and stays. Does not block. */
void patience_init(struct patience *patience);

/*
 * Before a sleep; for_room: for nothing but room, and there are more workers than processors. At most one system call, and only if that
 * is not as it was at the last sleep. Does not block.
 */
void patience_before_sleep(struct patience *patience, bool for_room);

/* After a sleep out of which it came patiently; late: a reader had run dry meanwhile, and gone to sleep. Wait-free. */
void patience_after_sleep(struct patience *patience, bool late);

/* In a child that was just forked: out of the class, if its parent is patient. Async-signal-safe. */
void patience_leave(void);
