/* SPDX-License-Identifier: Apache-2.0 */
/* One running program: its process, and that nothing of it stays behind. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "worker/exec/program.h"

struct child {
	pid_t pid; /* leader of its own process group; 0: none is running */
	int pidfd; /* readable once it has ended; -1: none */
};

#define CHILD_NULL          \
	{                   \
		.pidfd = -1 \
	}

enum { CHILD_E_BAD = 1 };

/*
 * Starts the program in a process group of its own, with these two descriptors (borrowed; stdin_fd -1: /dev/null),
 * the worker's stderr, and nothing else. It dies with the worker. Returns 0; CHILD_E_BAD with a sentence in *why: it
 * can't be executed; -errno. Waits for the exec, which takes about a millisecond.
 */
int child_spawn(struct child *child, const struct program *program, int stdin_fd, int stdout_fd, struct text *why);

/* The ends that a program in frame mode is given, as descriptors of its own. */
#define CHILD_FRAMES_IN 3
#define CHILD_FRAMES_OUT 4
struct child_fds {
	int in; /* -1: /dev/null */
	int out;
	int frames_in, frames_out; /* -1: not in frame mode */
};
/* The same with these. */
int child_spawn_with(struct child *child, const struct program *program, const struct child_fds *fds, struct text *why);

static inline bool child_runs(const struct child *child)
{
	return child->pid != 0;
}

/* Has the leader ended? Does not wait. */
bool child_has_ended(const struct child *child);

/*
 * The leader has ended: kills and reaps what it left behind, in its group and out of it, then reaps the leader. Logs
 * if something could not be killed. Fine if none runs.
 */
void child_finish(struct child *child, struct program_end *ret_end);

/*
 * Ends it: SIGTERM to the group, SIGKILL if that does not help within 200 ms, then as child_finish(). Fine if none
 * runs.
 */
void child_stop(struct child *child);
/* The same without asking: SIGKILL at once. */
void child_kill(struct child *child);
