/* SPDX-License-Identifier: Apache-2.0 */
/* Who and what weir chaos acts on: a worker that is surely one, and a disk. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/supervise/view.h"

/* One worker, held by a pidfd: no other process of its number can be meant. */
struct chaos_victim {
	int pidfd; /* -1: none */
	pid_t pid;
	const char *stage; /* the view's */
	uint32_t index, generation;
};
#define CHAOS_VICTIM_NULL   \
	{                   \
		.pidfd = -1 \
	}

/* The workers that live, of all stages or of the one of that name. */
uint32_t chaos_victims(const struct view *view, const char *stage);
/* Takes the nth of those. Returns 0; 1: it has gone meanwhile, or is no child of the supervisor. */
int chaos_victim_take(const struct view *view, const char *stage, uint32_t nth, struct chaos_victim *ret);
/* Returns 0; 1: it is gone. */
int chaos_victim_signal(const struct chaos_victim *victim, int signal);
void chaos_victim_release(struct chaos_victim *victim);

/*
 * Takes all the room of the file system that the folder `path` is on, in a file without a name: it is given back by close(), and by the
 * end of this process, whatever ends it. Returns 0 and the descriptor and how much it took; -errno. Blocks on the disk.
 */
int chaos_fill(const char *path, int *ret_fd, uint64_t *ret_bytes);
/* Whether that can be done there: takes a little, and gives it back. Returns 0, also if the disk is full; -errno. Blocks on the disk. */
int chaos_fill_possible(const char *path);
