/* SPDX-License-Identifier: Apache-2.0 */
/* Items that will not be processed, kept as JSON lines in a file where a person can find them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum dead_letter_cause {
	DEAD_LETTER_ATTEMPTS, /* it cost too many workers */
	DEAD_LETTER_REJECTED, /* a stage refused it as unfit */
};

struct dead_letter {
	const char *pipeline, *stage;
	uint32_t worker_index;
	enum dead_letter_cause cause;
	const char *reason; /* a sentence */
	uint32_t attempts;  /* workers that it has cost */
	uint64_t sequence;  /* number that its producer gave it */
	const char *input;  /* stage that it came from; "" at a source */
	const void *data;   /* payload */
	size_t size_bytes;
};

/*
 * Appends one line {time, pipeline, stage, worker, cause, reason, attempts, sequence, input, size, payload | payload_base64}
 * in a single write, and fsyncs. Opens (creates, mode 0600) the file at its first use and keeps it open. Worker process; blocks
 * on the disk. Returns 0 or -errno. A worker that is killed between this and its commit writes the line again.
 */
int dead_letter_write(const char *path, const struct dead_letter *letter);
