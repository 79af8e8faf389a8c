/* SPDX-License-Identifier: Apache-2.0 */
/* The file sink where files are finished: rotated, compressed, or whole at once. */
#pragma once

#include <stdbool.h>
#include <weir/stage.h>

struct parts;

/* By its options. `path` has its {worker} filled in. */
bool parts_are_wanted(struct weir_context *context, const char *path);

/* The callbacks' work; parts_open() returns as open(), and copies the path. */
int parts_open(struct weir_context *context, const char *path, struct parts **ret_parts);
int parts_process(struct parts *parts, const struct weir_item *item);
int parts_produce(struct parts *parts);
int parts_flush(struct parts *parts);
int parts_finish(struct parts *parts);
void parts_close(struct parts *parts);
