/* SPDX-License-Identifier: Apache-2.0 */
/* source: file with `follow: true`: its callbacks, which file.c calls. */
#pragma once

#include <stdint.h>
#include <weir/stage.h>

struct follow_cursor {
	uint64_t started; /* 1: what follows is set */
	uint64_t turn;    /* the last one that moved a spot in the table, see follow_table.h */
};

int follow_open(struct weir_context *context, void **ret_state);
int follow_produce(struct weir_context *context, void *data);
void follow_close(struct weir_context *context, void *data);
