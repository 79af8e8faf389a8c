/* SPDX-License-Identifier: Apache-2.0 */
/* Line mode: what the lines that wait for their answers have brought along. Lines without baggage cost nothing here. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/exec/buffer.h"

/* In the stage cursor. All zero: nothing waits. */
struct bags_cursor {
	uint64_t start, end; /* in the spool */
};

struct bags {
	struct bags_cursor *cursor; /* the runtime's */
	uint64_t committed_start;   /* as of the last flush */
	struct buffer queue;        /* of struct bag, each followed by its bytes */
	size_t head, stored;
	int spool_fd;
	bool unpacked; /* what is emitted now brings something along */
};

/* What the generation before had committed. Returns 0 or -errno; bags_deinit() either way. */
int bags_open(struct bags *bags, struct bags_cursor *cursor, int spool_fd);
/* Fine on zeros. */
void bags_deinit(struct bags *bags);

/* The item in hand becomes line `number`; numbers only rise. Returns 0 or -ENOMEM. */
int bags_add(struct bags *bags, const struct weir_context *context, uint64_t number);
/* What is emitted from here on is the answer to line `number`, and brings along what that has brought. Returns 0 or what a call said. */
int bags_unpack(struct bags *bags, struct weir_context *context, uint64_t number);
/* Line `number` is over. */
void bags_pass(struct bags *bags, uint64_t number);
/* Before a commit: what is new goes into the spool. Returns 0 or -errno. */
int bags_store(struct bags *bags);
