/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of a pipeline on the disk: lines of JSON, those before the last HISTORY_FILE_BYTES_MAX in a second file. A thread writes, so
 * the loop never waits for a disk. What is not written is counted; a run does not fail for that.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"

#define HISTORY_FILE_BYTES_MAX (1u << 20) /* a full file becomes the old one */
#define HISTORY_FILE_OLD ".old"

struct history_file;

/* `path` is copied; its folder is made when the first line is written. Never fails: what can't be kept is counted. Loop thread. */
struct history_file *history_file_new(const char *path);
/* Takes a line with its newline. Never waits. Fine on NULL. */
void history_file_add(struct history_file *file, const char *line);
/*
 * Waits until all is written, a few seconds at most, and frees. Returns how many lines are missing; then *ret_errno is why. Fine on NULL:
 * 0.
 */
uint64_t history_file_close(struct history_file *file, int *ret_errno);

/* Appends both files, the old one first; what is not there is nothing. May block on the disk. Returns 0 or -errno. */
int history_file_read(const char *path, struct text *text);
