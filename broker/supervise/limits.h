/* SPDX-License-Identifier: Apache-2.0 */
/* What workers may take of the machine (`resources` in a spec), and by what that is in force. For this folder only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/supervise/cgroup.h"

struct plan;
struct seat;
struct spawn_order;
struct supervisor;

struct limits {
	struct cgroup_place place; /* of this process; NULLs: to be found */
	struct cgroup_tree tree;
	unsigned wanted;  /* controllers that some stage has wanted so far */
	struct text none; /* why there is no tree */
	uint32_t n_made;  /* groups: each process has one of its own */
};
#define LIMITS_NULL                                           \
	{                                                     \
		{ NULL, NULL }, CGROUP_TREE_NULL, 0, { 0 }, 0 \
	}

/*
 * Before the fork of a worker by that plan, which need not be the supervisor's yet: fills the order. Makes control groups if that is the
 * first plan that wants some for any of its stages, and says once for each stage what is in force. Waits for the kernel, some milliseconds
 * at most. Returns the number of its control group, 0: it has none.
 */
uint32_t limits_of_newborn(const struct seat *seat, const struct plan *plan, struct spawn_order *order);
/* After the fork: the order's descriptor is closed. */
void limits_forked(struct spawn_order *order);
/* How many processes of that group the kernel has killed for want of memory; 0 without a group. */
uint64_t limits_oom_kills(const struct seat *seat, uint32_t group);
/* Everybody in it is dead. Fine without a group. */
void limits_forget(const struct seat *seat, uint32_t group);
/* Nobody lives any more. Fine if it was never begun. */
void limits_close(struct supervisor *supervisor);
