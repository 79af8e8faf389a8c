/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a program can be run at all, before anything is started. */
#pragma once

#include "common/base/text.h"

enum { PROGRAM_E_MISSING = 1 };
/* Looks for name in PATH, or at its path if it holds a '/'. Returns 0, or PROGRAM_E_MISSING with a sentence appended to *why. */
int program_check(const char *name, struct text *why);
