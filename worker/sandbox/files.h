/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a worker in a sandbox: a ruleset of Landlock. */
#pragma once

#include <stdbool.h>

enum files_access {
	FILES_READ,  /* and execute */
	FILES_WRITE, /* and read, make, remove, rename; not execute, no devices */
};

/* Open for more rules; owned by the caller. Returns the descriptor or -errno. The kernel has an ABI. */
int files_begin(bool network);

/*
 * All below the path, if it is a folder; the file itself otherwise. Symbolic links are followed now. Returns 0 or -errno: -ENOENT, if it is
 * not there.
 */
int files_allow(int ruleset_fd, const char *path, enum files_access access);

/* From now on this thread, and what it starts, can open nothing else. Returns 0 or -errno. */
int files_restrict(int ruleset_fd);
