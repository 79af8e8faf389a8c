/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of processors as people write them: "0-3,6", as in taskset(1) and in files of the kernel. */
#pragma once

#include <sched.h>

#include "common/base/text.h"

enum { PROCESSORS_E_BAD = 1 };

/* Adds those of one or more ranges to the set, which is not cleared first. Returns 0; PROCESSORS_E_BAD: that is no such list. */
int processors_parse(const char *words, cpu_set_t *set);
/* Appends the set in its shortest form; nothing for an empty one. */
void processors_format(const cpu_set_t *set, struct text *text);
