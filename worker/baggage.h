/* SPDX-License-Identifier: Apache-2.0 */
/* What the item in hand has brought along, what goes along with what is emitted for it, and the stage's calls for both. */
#pragma once

#include "common/base/traceparent.h"
#include "worker/worker.h"

/*
 * An item is in hand from now on whose record has these words: what is emitted inherits what it has brought along, unless the stage
 * holds items. Returns 0, or WEIR_FAILED with worker->reason: these bytes were never written by weir.
 */
int baggage_begin_with(struct worker *worker, const void *words, uint32_t n_words);
/* No item is in hand any more. */
void baggage_end(struct worker *worker);

/* produce() goes on for the item that has just ended: what it has brought along goes into the cursor, with its turn. */
void baggage_keep(struct worker *worker);
/* A produce() begins: what is emitted inherits that. */
void baggage_take_up(struct worker *worker);
/* What a dead worker's cursor says of it must make sense before it is used. Returns false: it does not, and is forgotten. */
bool baggage_check(struct cursor *cursor);

/* Bytes between header and payload of a record that is emitted now. */
static inline uint32_t baggage_size(const struct worker *worker)
{
	return worker->baggage.n_words * ITEM_WORD_BYTES;
}
/* Writes them. */
void baggage_write(const struct worker *worker, void *place);

/* The trace that the item in hand belongs to, as its baggage says. False: none. Takes some 50 ns if there is baggage. */
bool baggage_traceparent(const struct worker *worker, struct traceparent *ret_traceparent);

/* The stage's calls: include/weir/baggage.h, weir/scope.h, weir/budget.h. */
int baggage_set(struct weir_context *context, const char *key, const void *value, size_t size_bytes);
int baggage_get(const struct weir_context *context, const char *key, const void **ret_value, size_t *ret_size_bytes);
int baggage_clear(struct weir_context *context);
size_t baggage_pack(const struct weir_context *context, void *packed);
int baggage_unpack(struct weir_context *context, const void *packed, size_t size_bytes);
/* For log lines. Returns false: no item that has a trace id or a scope is in hand. */
bool baggage_log_item(const struct weir_context *context, struct log_item *ret_item);
uint64_t baggage_scope(const struct weir_context *context);
int baggage_enter(struct weir_context *context, uint64_t scope);
int baggage_expire_at(struct weir_context *context, uint64_t deadline_ns);
