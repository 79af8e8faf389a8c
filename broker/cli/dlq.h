/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters for people. Pure: letters in, text out. The verb itself is in verbs.h. */
#pragma once

#include <stddef.h>

#include "common/base/text.h"
#include "common/store/letter.h"

struct letter_store;

#define DLQ_ARGUMENTS_MAX 1026u /* what to do, whose, and the ids */

/* One row of a list. */
struct dlq_row {
	uint64_t id, time_ns, sequence;
	uint32_t attempts;
	size_t size_bytes;
	enum dead_letter_cause cause;
	char *stage, *input, *reason; /* owned */
	uint32_t worker_index;
	uint64_t part; /* enum dead_letter_part in the upper two bits */
};

/* What `weir dlq replay` was asked for. */
struct dlq_replay {
	const char *name, *path; /* pipeline, folder of the store */
	struct letter_store *store;
	const struct dlq_row *rows;
	size_t n_rows;
	bool by_id;           /* the letters were named one by one: all or nothing */
	bool again;           /* also those of which nobody knows whether they were taken */
	bool waits, json;     /* for the end of it */
	uint64_t deadline_ns; /* of all that it waits for, monotonic; 0: as long as it takes */
};
/* Marks the letters for workers of the running pipeline, tells them, and waits for what becomes of it. Returns the exit code. Blocks. */
int dlq_replay(const struct dlq_replay *replay);

/* Appends a table with a header, no line wider than width columns (0: no limit). */
void dlq_format_rows(const struct dlq_row *rows, size_t n, size_t width, bool color, struct text *text);
/* Appends everything of one letter: a line for each fact, the deaths, then the payload as text or in hexadecimal. */
void dlq_format_letter(const struct dead_letter *letter, struct text *text);
