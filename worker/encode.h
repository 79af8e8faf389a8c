/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks with `encode`: their process() is given the text of each item. Nothing is done where worker->encode is NULL. */
#pragma once

#include <weir/record.h>

#include "common/base/text.h"
#include "worker/worker.h"

/* The stage's kind is known and not open yet; its process() is another one from here on. Returns 0; -EINVAL and why, for people. */
int encode_attach(struct worker *worker, struct text *why);
void encode_detach(struct worker *worker);

/* The text of an item that process() has put aside, as it was given then; valid until the next call. worker->encode is not NULL. */
const struct weir_item *encode_again(struct worker *worker, const struct weir_item *item);

/* What include/weir/record.h calls. */
bool encode_ends_lines(const struct weir_context *context);
