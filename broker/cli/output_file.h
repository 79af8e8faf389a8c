/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that a verb writes in the end, and opens in the beginning: whatever its path names (a file, a device, a pipe) is as it was until
 * output_file_begin(), and only what was made here is removed.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct output_file {
	const char *path;
	int fd; /* -1: not open */
	bool is_new, is_stdout;
	dev_t device;
	ino_t number;
};

#define OUTPUT_FILE_NULL ((struct output_file){ .fd = -1 })

/* The path is the caller's, and outlives it. Blocks while a pipe has no reader. Returns 0 or -errno; then it is not open. */
int output_file_open(const char *path, struct output_file *ret_file);
int output_file_open_stdout(struct output_file *ret_file);
/* Whether both are open, and one file under whatever names. */
bool output_file_is_same(const struct output_file *a, const struct output_file *b);
/* Whether it is one of those in a folder. Not open: no. */
bool output_file_is_within(const struct output_file *file, const char *dir);
/* Empties it, if it is a file. Returns the descriptor, the caller's from now on, or -errno. */
int output_file_begin(struct output_file *file);
/* Removes what output_file_open() has made, and nothing else, if that is what the path still names. */
void output_file_remove(const struct output_file *file);
/* It is not to be written: as if it had never been opened. Fine on what is not open, or was begun. */
void output_file_drop(struct output_file *file);
