/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orphans: processes that a worker left behind. The supervisor is a subreaper, so they become its children; it kills and
 * reaps every child that is no worker of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct orphans_report {
	uint32_t reaped; /* killed and gone */
	uint32_t left;   /* killed, but not dead yet: sweep again */
};

typedef bool orphans_known_fn(void *data, pid_t pid);

/*
 * A thread of ours whose children are no orphans: it waits for them itself (0: none any more). One at a time; from any thread.
 */
void orphans_spare(pid_t thread);

/*
 * Kills and reaps the children of this process that is_known() does not claim, and their children as they are handed to us, until
 * none is left or deadline_ns (absolute) has passed. May block until then, on a process that the kernel can't end at once.
 * Returns 0 or -errno (the list of children can't be read).
 */
int orphans_sweep(orphans_known_fn *is_known, void *data, uint64_t deadline_ns, struct orphans_report *ret_report);
