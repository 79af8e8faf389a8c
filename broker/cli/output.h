/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard error that can't hold up the supervisor: what the reader does not take now waits in a bounded backlog, and beyond
 * it is counted and dropped. A stopped terminal (^S) or a pager must not stop the pipeline.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

struct output {
	int fd;
	struct text backlog;
	uint64_t n_dropped; /* pieces, since the last that got through */
};
#define OUTPUT_NULL              \
	{                        \
		-1, TEXT_NULL, 0 \
	}

/* Writes what can be written without waiting and keeps the rest, at most 64 KiB of it. Errors of the descriptor are ignored. */
void output_write(struct output *output, const char *data, size_t size_bytes);
/* True if everything is out: the moment to redraw. Tries once more. No waiting. */
bool output_idle(struct output *output);
/* Waits until everything is out or the reader is gone. Only when nothing else is left to do. */
void output_finish(struct output *output);
void output_deinit(struct output *output);

/*
 * Before anything else is opened: /dev/null takes the place of each standard stream that the caller has closed, or the next
 * descriptor would get its number, and data and messages would be written into a lock file or into shared memory. Standard input and
 * output are opened the wrong way round, so that using them fails (EBADF) as it must; messages are dropped. Returns 0 or -errno.
 */
int output_hold_standard(void);
