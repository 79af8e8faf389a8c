/* SPDX-License-Identifier: Apache-2.0 */
/* Run directories: $XDG_RUNTIME_DIR/weir/<pipeline>/ (or /run/weir-root/<pipeline>/ for root): socket and lock of a running pipeline. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/text.h"

struct run_dir {
	char *path;
	int lock_fd; /* held for life: a second pipeline of that name is refused */
};
#define RUN_DIR_NULL     \
	{                \
		NULL, -1 \
	}

/*
 * WEIR_RUN_DIR, if set, names the base itself. Creates base and folder (0700), checks owner and mode (no symlinks),
 * takes the lock, writes the pid. Returns 0; RUN_DIR_E_TAKEN (running: *ret_pid); RUN_DIR_E_FOREIGN (somebody else's,
 * or too open); RUN_DIR_E_TOO_LONG (the socket's path would exceed 107 bytes); -errno. `why` gets the sentence.
 */
enum { RUN_DIR_E_TAKEN = 1, RUN_DIR_E_FOREIGN = 2, RUN_DIR_E_TOO_LONG = 3 };
int run_dir_open(struct run_dir *ret_dir, const char *pipeline, pid_t *ret_pid, struct text *why);
/* Removes socket, lock and folder; also the base if it is empty and ours. Fine on RUN_DIR_NULL. */
void run_dir_close(struct run_dir *dir);

/* The path of a pipeline's folder, and the names of all that are there and alive (lock held). Caller frees. */
char *run_dir_path(const char *pipeline);
int run_dir_list(char ***ret_names, size_t *ret_n);
/* Whether somebody holds the lock of the folder at path. Takes no lock itself, so it never gets into anybody's way. */
bool run_dir_is_alive(const char *path);
/* Who holds it: a process, as it says itself; 0: nobody does, or it has just begun and not said so yet. */
pid_t run_dir_pid(const char *path);
