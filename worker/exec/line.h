/* SPDX-License-Identifier: Apache-2.0 */
/* The exec operator's line mode: a coprocess that answers each line with one line. Callbacks of operator.c. */
#pragma once

#include <weir/stage.h>

/* As the callbacks of struct weir_stage. */
int line_open(struct weir_context *context, void **ret_state);
int line_process(struct weir_context *context, void *state, const struct weir_item *item);
int line_produce(struct weir_context *context, void *state);
int line_flush(struct weir_context *context, void *state);
int line_end_run(struct weir_context *context, void *state);
int line_finish(struct weir_context *context, void *state);
void line_close(struct weir_context *context, void *state);
