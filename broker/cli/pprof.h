/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking profile as pprof reads it: profile.proto of github.com/google/pprof, in gzip. */
#pragma once

#include <stddef.h>

#include "broker/cli/output_file.h"
#include "broker/observe/pairs.h"
#include "common/base/text.h"

/* Appends the message: a sample for each pair, of who holds, the lane, and who waits. ended_ns: CLOCK_REALTIME. Pure. */
void pprof_format(const struct catalog *catalog, const struct pair *pairs, size_t n_pairs, uint64_t ended_ns,
		  uint64_t duration_ns, struct text *message);
/*
 * Writes it, compressed, and closes the file. Blocks. Returns 0 or -errno; then the file is not there if it was new, and not whole if it
 * was there before.
 */
int pprof_write(struct output_file *output, const struct text *message);
