/* SPDX-License-Identifier: Apache-2.0 */
/* Items that belong to a scope which somebody has cancelled: never started, and said so. */
#pragma once

#include "common/scope/cause.h"
#include "worker/worker.h"

/*
 * An item with an extension comes next. Returns 0: it is in hand now, with its baggage; CANCELLED_E_SKIP: its scope is cancelled,
 * it has its lines in the ledger, and is the caller's to step over; WEIR_FAILED with worker->reason: these bytes make no sense.
 */
enum { CANCELLED_E_SKIP = 101 };
int cancelled_begin(struct worker *worker, const struct input *input);
/* The same of a record that an asynchronous stage has got. */
int cancelled_begin_with(struct worker *worker, const void *words, uint32_t n_words, size_t size_bytes);

/* Between items: what has been cancelled since the last look is seen, hooks of the stage's scopes run, and the supervisor is told. */
static inline bool cancelled_is_new(const struct worker *worker)
{
	return load_acquire(&worker->board->scopes_epoch) != worker->scopes_told; /* [B6] mate: scope_table_add */
}
void cancelled_news(struct worker *worker);

/* The cause with which the scope of the item in hand has been cancelled, so that the stage may drop it; CAUSE_NONE: it has not. */
enum cause cancelled_in_hand(const struct worker *worker);
/* One more item in the ledger's line `cancelled`. */
void cancelled_count(struct worker *worker, enum cause cause, size_t size_bytes);

/* include/weir/scope.h */
int cancelled_ask(struct weir_context *context, uint64_t scope, enum weir_cause cause);
