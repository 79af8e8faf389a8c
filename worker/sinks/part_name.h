/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a sink are called: while they are written, and when they are finished. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

#define PART_MARK_NUMBER "{n}"
#define PART_MARK_TIME "{time}"

/* The place of the last part of the path. */
const char *part_base(const char *path);
bool part_has_mark(const char *path, const char *mark);

/*
 * The finished file. {n} becomes the number, in six digits at least; {time} the time, in UTC, as in 20261122T131500Z, and where there is
 * no {n} a number above 1 behind it.
 */
void part_final_name(const char *path, uint64_t number, uint64_t realtime_ns, struct text *ret_name);
/* While it is written: hidden, in the same folder, and of this run alone. */
void part_hidden_name(const char *path, uint64_t run_ns, uint64_t index, struct text *ret_name);
/* Of a name in the same folder: an unfinished file of another run of the same sink. */
bool part_is_left_over(const char *path, uint64_t run_ns, const char *name);

/* One more than the largest {n} that is there; 1 if there is none, or the path has a {time}. May block on the disk. */
uint64_t part_next_number(const char *path);
