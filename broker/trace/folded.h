/* SPDX-License-Identifier: Apache-2.0 */
/* Where time went, as stacks that flame graphs are made of: a line `stage;state;lane MICROSECONDS` for each. */
#pragma once

#include <stdio.h>

#include "broker/trace/timeline.h"

struct folded;

/* The names outlive it. Aborts the process when memory is out. */
struct folded *folded_new(const struct trace_names *names);
struct timeline_writer folded_writer(struct folded *folded);
/* Once the timeline is freed. Lines are sorted; a stack that comes to less than a microsecond is left out. To be looked at: ferror(). */
void folded_write(const struct folded *folded, FILE *file);
/* Fine on NULL. */
void folded_free(struct folded *folded);
