/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups (version 2) of workers, below the one that weir itself was started in, if that is delegated: systemd's Delegate=, or a
 * folder that weir's user may write. What is called `at` is a descriptor of a folder there. Nothing here is known of seats and plans.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

enum { CGROUP_MEMORY = 1, CGROUP_CPU = 2 }; /* bits: controllers that limits are kept by */

struct cgroup_place {
	char *mount; /* where control groups are mounted */
	char *own;   /* below it: the group of this process; "/..." */
};

/*
 * Below the group of this supervisor:
 *
 *      <own>/weir-orders.supervisor     it moves there itself, with all that it has started: a group whose children are limited has no
 *                                       processes of its own
 *      <own>/weir-orders.price.0.17     one for each worker process, from before its exec to its reaping
 */
struct cgroup_tree {
	int fd;       /* <own>; -1: there is none */
	char *prefix; /* "weir-orders." */
	unsigned has; /* controllers that its children have */
};
#define CGROUP_TREE_NULL    \
	{                   \
		-1, NULL, 0 \
	}

struct cgroup_limits {
	uint64_t memory_bytes, cpu_billionths; /* 0: none */
	bool has_nice;                         /* among its siblings, it is: */
	int nice;
};

/*
 * Finds out where this process is. mountinfo, cgroup: as /proc/self/mountinfo and /proc/self/cgroup. Returns 0 and the place, whose strings
 * the caller frees; CGROUP_E_NONE: `why` says that no control groups of version 2 are mounted.
 */
enum { CGROUP_E_NONE = 1 };
int cgroup_find(const char *mountinfo, const char *cgroup, struct cgroup_place *ret_place, struct text *why);

/*
 * Makes the tree: removes what a dead supervisor of this pipeline has left, moves this process (pid), and its descendants that are where
 * it is, into a leaf, hands on those of the wanted controllers that there are. Returns 0; CGROUP_E_NONE: it can't be had, `why` says why
 * not, and everything is as it was. May wait for the kernel some milliseconds.
 */
int cgroup_tree_open(const struct cgroup_place *place, const char *pipeline, int pid, unsigned wanted,
		     struct cgroup_tree *ret_tree, struct text *why);
/* From now on these are wanted, too: what there is of them is handed on. */
void cgroup_tree_widen(struct cgroup_tree *tree, unsigned wanted);
/* Takes all of it away, as far as nobody is in it. Fine on CGROUP_TREE_NULL. */
void cgroup_tree_close(struct cgroup_tree *tree, int pid);

/*
 * Makes the group of one process, which enters it by writing "0" to *ret_procs_fd (the caller's). Returns 0, or -errno, and then there is no
 * group, and `why` says what could not be done.
 */
int cgroup_make(const struct cgroup_tree *tree, const char *name, const struct cgroup_limits *limits, int *ret_procs_fd,
		struct text *why);
/* How many processes in it the kernel has killed because it had used up its memory. */
uint64_t cgroup_oom_kills(const struct cgroup_tree *tree, const char *name);
/* It stays while somebody is in it: then the end of the tree takes it. */
void cgroup_remove(const struct cgroup_tree *tree, const char *name);
