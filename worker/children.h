/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every program that this worker has started. A worker is a subreaper: what its programs leave behind becomes its own
 * child, so nothing that was ever started below it can hide from these calls. Worker process; not thread-safe, but
 * for the handler's part.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILDREN_MAX 16u

/*
 * Registers the leader of a process group of its own. Call it with signals blocked since before the fork, so that the
 * handler below never misses one. Returns false if CHILDREN_MAX are registered.
 */
bool children_add(pid_t pid);

/* Forgets it; before it is reaped, while its number can't belong to anybody else. Unknown numbers are fine. */
void children_remove(pid_t pid);

/*
 * Kills (SIGKILL) and reaps every child of this process that is not registered: what ended programs left behind, and,
 * as those go, what they had started. Takes milliseconds; gives up after a second. Returns how many are left, 0 as a
 * rule.
 */
size_t children_sweep(void);

/*
 * Kills every registered group, then every descendant, and reaps them; gives up after a second. Async-signal-safe:
 * for the SIGTERM handler and for the end of a worker.
 */
void children_kill_all(void);
