/* SPDX-License-Identifier: Apache-2.0 */
/* dead_letter: {path: FILE}: items that will not be processed, kept as JSON lines. */
#pragma once

#include "common/store/letter.h"

/*
 * Appends one line {time, pipeline, stage, worker, cause, reason, attempts, sequence, input, size, payload | payload_base64}
 * in a single write. Opens (creates, mode 0600) the file at its first use and keeps it open. Worker process; may block on the disk.
 * Returns 0 or -errno. A worker that is killed between this and its commit writes the line again.
 */
int dead_letter_write(const char *path, const struct dead_letter *letter);
/*
 * All lines that were written become durable: one fsync. Nothing to do without a file. Blocks on the disk. Returns 0 or -errno, and
 * that from then on.
 */
int dead_letter_sync(void);
