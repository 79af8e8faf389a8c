/* SPDX-License-Identifier: Apache-2.0 */
/* Flight recorders of a running pipeline, copied into a folder by another process. Nobody there notices. */
#pragma once

#include <stdint.h>

#include "common/base/text.h"

struct tracer;

/*
 * Comes to the pipeline whose run directory that is (waits wait_ns at most), makes the folder, and writes its metadata. `why` gets a
 * sentence unless it returns 0. Returns 0; TRACER_E_NOT_RUNNING; TRACER_E_FAILED.
 */
enum { TRACER_E_NOT_RUNNING = 1, TRACER_E_FAILED = 2, TRACER_E_ENDED = 3, TRACER_E_LOST = 4 };
int tracer_open(const char *run_dir, const char *dir, uint64_t wait_ns, struct tracer **ret_tracer, struct text *why);

/*
 * Writes what has been noted since the last call; the first time, what the rings hold. Returns 0, and in *ret_n how many events;
 * TRACER_E_ENDED: the pipeline has, and this was all; TRACER_E_LOST: the supervisor is gone; TRACER_E_FAILED: `why` says what.
 */
int tracer_copy(struct tracer *tracer, uint64_t *ret_n, struct text *why);

struct tracer_sum {
	uint64_t n_events, n_lost;
	uint32_t n_workers; /* that have a recorder */
};
/* Ends the files. Returns 0 and what was written, or TRACER_E_FAILED. Fine on NULL. */
int tracer_close(struct tracer *tracer, struct tracer_sum *ret_sum, struct text *why);
