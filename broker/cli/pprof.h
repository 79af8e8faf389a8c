/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking profile as pprof reads it: profile.proto of github.com/google/pprof, in gzip. */
#pragma once

#include <stddef.h>

#include "broker/observe/pairs.h"
#include "common/base/text.h"

/* Appends the message: a sample for each pair, of who holds, the lane, and who waits. ended_ns: CLOCK_REALTIME. Pure. */
void pprof_format(const struct catalog *catalog, const struct pair *pairs, size_t n_pairs, uint64_t ended_ns,
		  uint64_t duration_ns, struct text *message);
/* Writes it into a file, compressed. Blocks. Returns 0 or -errno; then there is no such file. */
int pprof_write(const char *path, const struct text *message);
