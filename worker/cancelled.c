/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request among millions is cancelled.
 *
 *      somebody        supervisor                                  every worker
 *      --------        ----------                                  ------------
 *      cancel 4711 --> table: 4711, cause;  epoch := 7  [B6] -->   before each item that has an extension: is the epoch 7?
 *                      rings everybody                             look its scope up: cancelled, it is counted and stepped over
 *                 <--  when all have said 7          <-- scopes 7  between items, at the latest where a turn begins or a sleep ends
 *
 * So after a worker has said 7 it starts no item of scope 4711: it says so between two items, and looks at the table, which it has seen
 * whole, before the next one. The word on the board is one load, and only for items that have an extension; no other item knows of it.
 *
 * Nothing is noted about what was skipped but the ledger's line and the positions, which move in one commit. A worker that is killed skips
 * again; the next generation finds the table as it was. A worker that can't be told that the supervisor heard it says it again.
 */
#include "worker/cancelled.h"

#include <errno.h>

#include "common/base/error.h"
#include "common/memory/scope_table.h"
#include "common/scope/cause.h"
#include "worker/baggage.h"
#include "worker/client.h"
#include "worker/recording.h"
#include "worker/scopes.h"

static_assert((int)CAUSE_COUNT <= (int)CURSOR_CAUSES_MAX, "the cursor counts each cause");

void cancelled_count(struct worker *worker, enum cause cause, size_t size_bytes)
{
	worker->cursor.ledger[LEDGER_CANCELLED]++;
	worker->cursor.cancelled_by[cause]++;
	worker->cursor.ledger[LEDGER_TAKEN]++;
	counter_add(worker, COUNTER_BYTES_IN, size_bytes);
}

static enum cause cause_of(const struct worker *worker, uint64_t scope)
{
	uint32_t cause;

	if (!scope || !load_relaxed(&worker->board->n_scopes))
		return CAUSE_NONE;
	cause = scope_table_find(worker->board, scope);
	return cause < CAUSE_COUNT ? (enum cause)cause : CAUSE_USER;
}

int cancelled_begin_with(struct worker *worker, const void *words, uint32_t n_words, size_t size_bytes)
{
	enum cause cause;
	int r;

	if (cancelled_is_new(worker))
		cancelled_news(worker);
	r = baggage_begin_with(worker, words, n_words);
	if (r != 0)
		return r;
	cause = cause_of(worker, worker->baggage.scope);
	if (cause == CAUSE_NONE)
		return 0;
	cancelled_count(worker, cause, size_bytes);
	recording_note(worker, RECORDER_CANCEL, (uint32_t)cause, worker->baggage.scope, 0);
	worker->changed = true;
	baggage_end(worker);
	return CANCELLED_E_SKIP;
}

int cancelled_begin(struct worker *worker, const struct input *input)
{
	return cancelled_begin_with(worker, input->extension, input->header.flags, input->size_bytes);
}

void cancelled_news(struct worker *worker)
{
	uint32_t epoch = load_acquire(&worker->board->scopes_epoch); /* [B6] mate: scope_table_add */

	if (epoch == worker->scopes_told)
		return;
	scopes_ordered(worker);
	if (!worker->client || client_send_scopes(worker->client, epoch) == 0) /* else at the next look */
		worker->scopes_told = epoch;
}

enum cause cancelled_in_hand(const struct worker *worker)
{
	return cause_of(worker, worker->baggage.scope);
}

int cancelled_ask(struct weir_context *context, uint64_t scope, enum weir_cause cause)
{
	struct worker *worker = worker_of(context);
	int r;

	if (!scope || cause <= WEIR_CAUSE_NONE || (int)cause >= (int)CAUSE_COUNT)
		return error_origin(-EINVAL);
	r = worker->client ? client_send_scope_cancel(worker->client, scope, (uint32_t)cause) : -ENOTCONN;
	return r > 0 ? error_origin(-EAGAIN) : r;
}
