/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side of a spawn: between fork and exec. For spawn.c only. */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SPAWN_KEEP (-1)

/* All that the child needs, prepared before the fork: the child allocates nothing. */
struct spawn_order {
	int *fds; /* n_fds: fds[i] becomes number i; SPAWN_KEEP: number i is inherited as it is */
	uint32_t n_fds;
	int status_fd; /* errno of what failed is written here; closed by a successful exec */
	const char *path;
	int program_fd; /* the program, opened when we began; -1: path says it */
	char *const *arguments;
	pid_t supervisor_pid;
	bool own_group;
	struct rlimit files;   /* RLIMIT_NOFILE for the worker */
	uint64_t capabilities; /* that it keeps, if we have them */
	bool has_processors, has_nice;
	cpu_set_t processors; /* that it may run on */
	int nice;
	uint64_t data_bytes; /* RLIMIT_DATA; 0: as it is */
	int group_fd;        /* cgroup.procs of its control group; -1: it stays in ours */
};

/*
 * What could not be done, in the number that goes through status_fd: an errno and, above it, at which step.
 */
enum spawn_step { SPAWN_EXEC, SPAWN_GROUP, SPAWN_CPUS, SPAWN_NICE, SPAWN_MEMORY };
static inline int spawn_failure(enum spawn_step step, int error)
{
	return (int)step << 16 | error;
}
static inline enum spawn_step spawn_failure_step(int failure)
{
	return (enum spawn_step)(failure >> 16);
}
static inline int spawn_failure_errno(int failure)
{
	return failure & 0xffff;
}
/* "could not be executed", "could not be given its processors (resources: cpus)": static. */
const char *spawn_step_failed(enum spawn_step step);

/*
 * Becomes the worker, or writes an errno to status_fd and exits 127. Only async-signal-safe calls: the supervisor has
 * ZeroMQ's threads, and the child has a copy of whatever lock they held. All signals are blocked when it is called.
 */
noreturn void spawn_child(struct spawn_order *order);
