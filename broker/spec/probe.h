/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a plugin what it is, in a child process: the broker never loads foreign code. */
#pragma once

#include "common/base/text.h"
#include "common/stage/describe.h"

enum { PROBE_E_UNUSABLE = 1 };

/*
 * Runs `weir-worker --describe path` (WEIR_WORKER, or beside this program; at most 15 s, blocks). Returns 0 and the description, which
 * stage_description_free() frees; PROBE_E_UNUSABLE, or -errno when it could not be asked, with a sentence appended to *why.
 */
int probe_describe(const char *path, struct stage_description **ret_description, struct text *why);
