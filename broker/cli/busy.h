/* SPDX-License-Identifier: Apache-2.0 */
/* Why a pipeline does not answer, as far as the kernel knows. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/text.h"

/* Appends what the process does, and what to do about it: "is stopped by a signal; 'kill -CONT 4711' lets it go on". Reads /proc; does not block. */
void busy_describe(pid_t pid, struct text *text);
/* Whether a signal or a debugger has stopped it: it will not answer by itself. */
bool busy_is_stopped(pid_t pid);
