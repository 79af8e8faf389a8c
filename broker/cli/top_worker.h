/* SPDX-License-Identifier: Apache-2.0 */
/* All that is known of one worker: what it does, its item, its lanes, its books. Pure. */
#pragma once

#include "broker/cli/top_state.h"

/* The workers of a "dump" that has this stage, by their index; NULL: it has none such, or there is no dump. */
struct fy_node *top_worker_find(struct fy_node *dump, const char *stage, uint32_t index);
/* Appends it in lines of at most that width (0: no limit). row->worker not NULL. */
void top_worker_format(const struct top_picture *picture, const struct top_row *row, size_t width, struct text *text);
