/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec operator's block mode: the program is run once per block, and all that it writes belongs to the block.
 * Callbacks of operator.c.
 */
#pragma once

#include <weir/stage.h>

/* As the callbacks of struct weir_stage; filter_complete() is both end_run() and finish(). */
int filter_open(struct weir_context *context, void **ret_state);
int filter_process(struct weir_context *context, void *state, const struct weir_item *item);
int filter_produce(struct weir_context *context, void *state);
int filter_flush(struct weir_context *context, void *state);
int filter_complete(struct weir_context *context, void *state);
void filter_close(struct weir_context *context, void *state);
