/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How baggage goes from an item to what is made of it.
 *
 *      record in:  [ header | words | payload ]                      record out:  [ header | words | payload ]
 *                              |                                                             ^
 *                  baggage_begin_with(): copied, checked              admission_reserve(): baggage_write()
 *                              v                                                             |
 *                          brought  ----------- inherited ----------> worker->baggage.now ---+
 *                              |                                        ^    |        ^
 *                       dead letters, scope                             |    |        weir_baggage_set(), weir_scope_enter()
 *                                                    baggage_take_up()  |    v  baggage_keep(): WEIR_MORE
 *                                                                      cursor
 *
 * While n_words is 0 nothing of this happens, and the window of the inline calls may be open; else it is shut, and everything goes the
 * general way. So an item without baggage pays for none of it: worker/take.c leaves records with flags to turn.c.
 */
#include "worker/baggage.h"

#include <errno.h>
#include <stdio.h>
#include <weir/baggage.h>
#include <weir/budget.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/scope/scope.h"
#include "worker/identity.h"
#include "worker/output.h"
#include "worker/window.h"

static_assert(CURSOR_EXTENSION_SIZE == sizeof(struct extension), "the cursor keeps any of them");
static_assert(WEIR_BAGGAGE_KEY_MAX == EXTENSION_KEY_MAX && WEIR_BAGGAGE_SIZE_MAX == ITEM_BAGGAGE_SIZE_MAX &&
		      WEIR_BAGGAGE_PACKED_MAX == ITEM_EXTENSION_SIZE_MAX,
	      "weir/baggage.h");

/* What is emitted from here on is another: room that was reserved would be of the wrong size. */
static void changed(struct worker *worker)
{
	struct baggage *baggage = &worker->baggage;

	window_shut(worker);
	baggage->n_words = extension_words(&baggage->now);
	worker->reserved.output = NO_LANE;
	worker->asked = true;
}

/* ---- the item in hand ---- */

int baggage_begin_with(struct worker *worker, const void *words, uint32_t n_words)
{
	struct baggage *baggage = &worker->baggage;

	if (n_words)
		window_shut(worker);
	baggage->brought = n_words ? words : NULL;
	baggage->n_brought = n_words;
	baggage->n_words = 0;
	if (extension_read(&baggage->now, words, n_words) != 0) {
		snprintf(worker->reason, sizeof(worker->reason),
			 "its input is broken: what an item brings along makes no sense");
		return WEIR_FAILED;
	}
	baggage->scope = baggage->now.scope;
	baggage->deadline_ns = baggage->now.deadline_ns;
	if (n_words && worker->cursor.ledger[LEDGER_HELD])
		(void)extension_read(&baggage->now, NULL, 0);
	else
		baggage->n_words = n_words;
	return 0;
}

void baggage_end(struct worker *worker)
{
	struct baggage *baggage = &worker->baggage;

	baggage->n_words = baggage->n_brought = 0;
	baggage->brought = NULL;
	baggage->scope = baggage->deadline_ns = 0;
	if (worker->item_scope)
		worker->item_scope = weir_scope_item_free(worker->item_scope);
}

void baggage_keep(struct worker *worker)
{
	worker->cursor.extension_words = worker->baggage.n_words;
	if (worker->baggage.n_words)
		baggage_write(worker, worker->cursor.extension);
}

void baggage_take_up(struct worker *worker)
{
	if (!worker->cursor.extension_words && !worker->baggage.n_words)
		return;
	(void)baggage_begin_with(worker, NULL, 0);
	(void)extension_read(&worker->baggage.now, worker->cursor.extension, (uint32_t)worker->cursor.extension_words);
	changed(worker);
}

bool baggage_check(struct cursor *cursor)
{
	struct extension extension;

	if (cursor->extension_words <= ITEM_EXTENSION_WORDS_MAX &&
	    extension_read(&extension, cursor->extension, (uint32_t)cursor->extension_words) == 0)
		return true;
	cursor->extension_words = 0;
	return false;
}

void baggage_write(const struct worker *worker, void *place)
{
	extension_write(&worker->baggage.now, worker->baggage.n_words, place);
}

/* ---- the stage's calls ---- */

static bool may_change(const struct worker *worker)
{
	return worker->phase == PHASE_PROCESS || worker->phase == PHASE_PRODUCE || worker->phase == PHASE_FINISH ||
	       worker->phase == PHASE_RUN;
}

/* Before the first change there may be anything in it. */
static int begin_change(struct worker *worker)
{
	if (!may_change(worker))
		return error_origin(-EPERM);
	if (!worker->baggage.n_words)
		(void)extension_read(&worker->baggage.now, NULL, 0);
	return 0;
}

int baggage_set(struct weir_context *context, const char *key, const void *value, size_t size_bytes)
{
	struct worker *worker = worker_of(context);
	int r = begin_change(worker);

	if (r == 0)
		r = extension_set(&worker->baggage.now, key, value, size_bytes);
	if (r < 0)
		return r;
	changed(worker);
	return r == EXTENSION_E_TOO_LARGE ? WEIR_TOO_LARGE : WEIR_OK;
}

/* Of the item in hand, also where that is not what is inherited. */
static const struct extension *to_look_at(const struct worker *worker, struct extension *scratch)
{
	const struct baggage *baggage = &worker->baggage;

	if (baggage->n_words)
		return &baggage->now;
	return baggage->n_brought && extension_read(scratch, baggage->brought, baggage->n_brought) == 0 ? scratch :
													  NULL;
}

int baggage_get(const struct weir_context *context, const char *key, const void **ret_value, size_t *ret_size_bytes)
{
	struct worker *worker = (struct worker *)(uintptr_t)context;
	const struct extension *extension = to_look_at(worker, &worker->baggage.scratch);

	return extension && extension_get(extension, key, ret_value, ret_size_bytes) ? 0 : -ENOENT;
}

int baggage_clear(struct weir_context *context)
{
	struct worker *worker = worker_of(context);
	int r = begin_change(worker);

	if (r == 0)
		r = extension_read(&worker->baggage.now, NULL, 0);
	if (r == 0)
		changed(worker);
	return r;
}

size_t baggage_pack(const struct weir_context *context, void *packed)
{
	struct worker *worker = (struct worker *)(uintptr_t)context;
	const struct extension *extension = to_look_at(worker, &worker->baggage.scratch);
	uint32_t n_words = extension ? extension_words(extension) : 0;

	if (n_words)
		extension_write(extension, n_words, packed);
	return (size_t)n_words * ITEM_WORD_BYTES;
}

int baggage_unpack(struct weir_context *context, const void *packed, size_t size_bytes)
{
	struct worker *worker = worker_of(context);
	struct extension extension;
	int r = begin_change(worker);

	if (r < 0)
		return r;
	if (size_bytes % ITEM_WORD_BYTES || size_bytes > ITEM_EXTENSION_SIZE_MAX ||
	    extension_read(&extension, packed, (uint32_t)(size_bytes / ITEM_WORD_BYTES)) != 0)
		return error_origin(-EINVAL);
	worker->baggage.now = extension;
	changed(worker);
	return 0;
}

bool baggage_traceparent(const struct worker *worker, struct traceparent *ret_traceparent)
{
	struct extension scratch;
	const struct extension *extension = to_look_at(worker, &scratch);
	const void *value;
	size_t size_bytes;

	return extension && extension_get(extension, TRACEPARENT_KEY, &value, &size_bytes) &&
	       traceparent_parse(value, size_bytes, ret_traceparent);
}

static void copy_printable(char *to, const char *from, size_t n)
{
	n = n < LOG_ITEM_TRACE_SIZE ? n : LOG_ITEM_TRACE_SIZE - 1;
	for (size_t i = 0; i < n; i++)
		to[i] = (char)(from[i] >= ' ' && from[i] < 0x7f ? from[i] : '?');
	to[n] = '\0';
}

/* Its 32 digits, within the header. Returns how many they are. */
static size_t trace_id_of(const struct traceparent *traceparent, char made[static TRACEPARENT_SIZE],
			  const void **ret_id)
{
	traceparent_format(traceparent, made);
	*ret_id = made + 3;
	return 32;
}

bool baggage_log_item(const struct weir_context *context, struct log_item *ret_item)
{
	struct worker *worker = (struct worker *)(uintptr_t)context;
	struct extension scratch; /* of its own: what a stage has been shown stays where it is */
	const struct extension *extension = to_look_at(worker, &scratch);
	struct weir_identity identity;
	struct traceparent traceparent;
	char made[TRACEPARENT_SIZE];
	const void *trace = "";
	size_t size_bytes = 0;

	*ret_item = (struct log_item){ .scope = extension ? extension->scope : 0,
				       .has_sequence = identity_of_hand(context, &identity) == 0,
				       .monotonic_ns = clock_now_ns() };
	ret_item->sequence = ret_item->has_sequence ? identity.sequence : 0;
	if (extension && !extension_get(extension, LOG_ITEM_KEY, &trace, &size_bytes) &&
	    baggage_traceparent(worker, &traceparent))
		size_bytes = trace_id_of(&traceparent, made, &trace);
	copy_printable(ret_item->trace_id, trace, size_bytes);
	return ret_item->trace_id[0] || ret_item->scope || ret_item->has_sequence;
}

uint64_t baggage_scope(const struct weir_context *context)
{
	struct worker *worker = (struct worker *)(uintptr_t)context;
	const struct extension *extension = to_look_at(worker, &worker->baggage.scratch);

	return extension ? extension->scope : 0;
}

int baggage_enter(struct weir_context *context, uint64_t scope)
{
	struct worker *worker = worker_of(context);
	int r = begin_change(worker);

	if (r < 0)
		return r;
	worker->baggage.now.scope = scope;
	changed(worker);
	return 0;
}

/* 0 is none, in a record: what has ended long ago has ended at 1. */
int baggage_expire_at(struct weir_context *context, uint64_t deadline_ns)
{
	struct worker *worker = worker_of(context);
	int r = begin_change(worker);

	if (r < 0 || deadline_ns == WEIR_FOREVER)
		return r;
	worker->baggage.now.deadline_ns =
		deadline_earlier(worker->baggage.now.deadline_ns, deadline_ns ? deadline_ns : 1);
	changed(worker);
	return 0;
}
