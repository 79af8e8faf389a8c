/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that are not to be seen, found by where they stand in a structured item. A path is names behind dots, as in jq: `.user.name`, or
 * `user.name`; `*` is any name; `..name` is that name wherever it stands. Arrays are gone through: `.users.name` is of each of them. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/record/record.h"

#define REDACT_PATHS_MAX 32u
#define REDACT_DEPTH_MAX 16u
#define REDACT_NAME_MAX 127u
#define REDACT_MARK "***" /* stands for each value */

struct redact_path {
	bool anywhere; /* `..name`: one name */
	uint32_t n_names;
	char names[REDACT_DEPTH_MAX][REDACT_NAME_MAX + 1];
};

struct redact {
	uint32_t n_paths;
	struct redact_path paths[REDACT_PATHS_MAX];
};

/* Adds the paths of "a.b,..c". Returns 0; RECORD_E_BAD and which one is wrong, and why. */
int redact_add(struct redact *redact, const char *paths, struct record_fault *fault);

/* Room for what redact_write() makes of so many bytes. */
static inline size_t redact_bound(size_t size_bytes)
{
	return size_bytes * sizeof(REDACT_MARK) + 16;
}
/*
 * Copies one msgpack value, with the mark for each value that a path leads to. At room, redact_bound() bytes large. Returns 0 and its
 * size; RECORD_E_BAD and why: it is no msgpack, or too deep.
 */
int redact_write(const struct redact *redact, const void *item, size_t size_bytes, void *room, size_t *ret_size_bytes,
		 struct record_fault *fault);
