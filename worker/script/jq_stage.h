/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators with a jq expression share. Worker process. */
#pragma once

#include <jv.h>

#include "worker/script/jq_program.h"
#include "worker/script/results.h"

struct jq_stage {
	struct jq_program *program;
	struct guard *guard;
	struct results results;
};

/* check(): complains of the option if the expression does not compile. Returns 0, WEIR_FAILED, -errno. */
int jq_stage_check(struct weir_context *context, const char *option, const char *expression);
/*
 * open(): compiles the expression, and guards it with the option `memory`. Returns 0 and a struct jq_stage, which is the callbacks' state;
 * WEIR_FAILED after weir_fail(); -errno.
 */
int jq_stage_new(struct weir_context *context, const char *option, const char *expression, void **ret_state);
/* close(), whole. */
void jq_stage_free(struct weir_context *context, void *state);

/*
 * process(): begins with the item, and the guard watches. exact: integers that jq can't hold are refused. Returns 0; WEIR_REJECTED after
 * weir_reject(): it is no value for jq, or an earlier worker has died of it.
 */
int jq_stage_begin(struct jq_stage *stage, struct weir_context *context, const struct weir_item *item, bool exact);
/*
 * The guard stops watching; r: what jq_program_next() said last. Returns 0 if it came to its end; else what process() returns, with the
 * reason given.
 */
int jq_stage_end(struct jq_stage *stage, struct weir_context *context, int r);
