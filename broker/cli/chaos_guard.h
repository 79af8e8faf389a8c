/* SPDX-License-Identifier: Apache-2.0 */
/* What weir chaos does to a worker for a while, and undoes whatever becomes of itself. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "broker/cli/chaos_schedule.h"
#include "broker/cli/chaos_victim.h"

struct chaos_guard {
	pid_t pid;
	int fd; /* the guard sees its end */
};

/*
 * Does it (CHAOS_PAUSE, CHAOS_DELAY, CHAOS_REFUSE) to the victim for hold_ns, or until chaos_guard_end(), or until this process ends in
 * whatever way. Returns 0 once it is done; 1: the victim is gone; -errno: it can't be done. Then there is nothing to end.
 */
int chaos_guard_begin(struct chaos_guard *guard, enum chaos_act act, const struct chaos_victim *victim,
		      uint64_t hold_ns);
/* Undoes it, if the time has not done so, and waits for that. */
void chaos_guard_end(struct chaos_guard *guard);
