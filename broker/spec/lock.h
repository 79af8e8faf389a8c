/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC.lock: with which files, by their SHA-256, a pipeline was found good. `sha256sum -c` reads it, too. */
#pragma once

#include "broker/spec/plan.h"
#include "broker/spec/spec.h"
#include "common/base/text.h"

enum { LOCK_E_NOT_WRITTEN = 1 };

/*
 * Writes the lock of a spec that has been loaded, from a file: all of it or nothing. Returns 0: ret_path has the lock's path, *ret_n how
 * many files it holds, ret_unseen lines about what it can't hold; LOCK_E_NOT_WRITTEN: `why` says why. Blocks on the disk.
 */
int lock_write(const struct plan *plan, struct text *ret_path, size_t *ret_n, struct text *ret_unseen,
	       struct text *why);

/*
 * Holds the files that the plan names against the lock. What differs becomes an error among the diagnostics, each in its place in the spec.
 * Returns 0 or SPEC_E_INVALID. Blocks on the disk.
 */
int lock_check(const struct plan *plan, struct diagnostics *diagnostics);
