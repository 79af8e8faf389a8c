/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operator: breaker, operator: retry. Head of a loop around a stage that may fail: each item is kept, goes to `call` with a mark, and what
 * comes back with that mark is what became of it. Whoever says nothing for `timeout` has failed, and so has an answer of which `failed` is
 * true.
 *
 *              .--> call --> pay --.           state:  c MARK -> when, how often, whom, the item     it is held (WEIR_HELD) until it ends
 *      in --> guard <--------------'                   t NAME -> the switch of a target (targets.c)
 *              |--> done       the answer
 *              '--> fallback   the item itself: no answer, or a bad one, or the target is not called now (retry: `failed`)
 *
 *      asked --answer--> done        asked --failed--> waits for its back-off --> asked ... --no more attempts--> fallback
 *
 * The mark stays from attempt to attempt, with the attempt's number in it: a good answer counts whenever it comes, a bad one only if it is
 * to the attempt at hand. A mark that is not known any more is of an item that has ended: late, and dropped.
 *
 * No room in a lane is no reason to sleep in produce(): what comes back must be taken, or the loop would stand still. It is tried
 * again a moment later.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/identity.h>
#include <weir/key.h>
#include <weir/state.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/operators/pending.h"
#include "worker/operators/targets.h"

#define EACH 64u /* that one produce() sees to */
#define LOOK_AGAIN_NS NS_PER_MS
#define TOKEN UINT64_C(1000000000) /* one retry, of the budget */
#define TOKENS_FIRST (10 * TOKEN)
#define CALL_KEY_SIZE (1 + MARK_BYTES)

enum output { OUT_CALL = 0, OUT_DONE, OUT_GIVEN_UP }; /* as in the descriptors' `outputs` */

struct calls_cursor {
	uint64_t n, tokens, random;
	uint64_t n_done, n_given_up, n_late;
};

/* The value of c MARK; then the target's name, the baggage, the item. */
struct call {
	uint64_t due_ns, first_ns, accepted_ns;
	uint32_t attempt; /* from 1 */
	uint32_t waits;   /* 1: for its back-off; 0: for an answer */
	uint32_t probe;   /* 1: the target is half-open */
	uint32_t name_bytes, baggage_bytes;
	uint32_t reserved; /* 0 */
};

/* One of them as it lies in the state, or as it goes there. */
struct call_view {
	struct call call;
	unsigned char name[TARGET_NAME_MAX];
	const unsigned char *baggage, *item;
	size_t item_bytes;
};

struct calls {
	struct pending pending;
	struct targets targets;
	struct weir_key *target, *failed; /* NULL: not asked for */
	char key[MARK_KEY_SIZE];
	unsigned char *value; /* one entry on its way to the state; owned */
	size_t value_room_bytes;
	uint64_t timeout_ns, within_ns, backoff_ns, backoff_max_ns, jitter, budget;
	uint32_t attempts;
	bool breaks;    /* it has targets with switches */
	bool producing; /* in produce(): no item is in hand that could be refused */
};

/* ---- begin and end ---- */

static uint64_t option_number(const struct weir_context *context, const char *name)
{
	return weir_option_given(context, name) ? (uint64_t)weir_option_integer(context, name) : 0;
}

static void read_options(struct calls *calls, struct weir_context *context)
{
	calls->timeout_ns = option_number(context, "timeout");
	calls->within_ns = option_number(context, "within");
	calls->backoff_ns = option_number(context, "backoff");
	calls->backoff_max_ns = option_number(context, "backoff_max");
	calls->jitter = option_number(context, "jitter");
	calls->budget = option_number(context, "budget");
	calls->attempts = (uint32_t)option_number(context, "attempts");
	calls->breaks = weir_option_given(context, "share");
	calls->targets = (struct targets){ .window_ns = option_number(context, "window"),
					   .open_for_ns = option_number(context, "open_for"),
					   .share = option_number(context, "share"),
					   .at_least = (uint32_t)option_number(context, "at_least"),
					   .probes = (uint32_t)option_number(context, "probes") };
	mark_key(weir_stage_name(context), calls->key);
}

static void wake_for_first(struct calls *calls, struct weir_context *context)
{
	uint32_t first = pending_first(&calls->pending);

	weir_watch(context, -1, 0, first == PENDING_NONE ? 0 : pending_due_ns(&calls->pending, first));
}

static int take_up(struct calls *calls, struct weir_context *context)
{
	struct weir_state_entry entry;
	int r = weir_state_first(context, "c", 1, &entry);

	for (; r == WEIR_OK; r = weir_state_next(context, "c", 1, &entry)) {
		struct call call;
		struct mark mark;

		memcpy(&call, entry.value, sizeof(call));
		mark_read(&mark, weir_run(context), entry.key + 1);
		(void)pending_add(&calls->pending, &mark, call.due_ns);
	}
	return r == -ENOENT ? WEIR_OK : r;
}

static void calls_close(struct weir_context *context, void *data)
{
	struct calls *calls = data;

	pending_deinit(&calls->pending);
	weir_key_free(context, calls->target);
	weir_key_free(context, calls->failed);
	free(calls->value);
	free(calls);
}

static int calls_open(struct weir_context *context, void **ret_state)
{
	struct calls_cursor *cursor = weir_cursor(context);
	struct calls *calls = calloc(1, sizeof(*calls));
	int r = 0;

	if (!calls)
		return error_origin(-ENOMEM);
	read_options(calls, context);
	if (!cursor->random) {
		cursor->random = weir_now_ns(context) | 1;
		cursor->tokens = TOKENS_FIRST;
	}
	if (weir_option_given(context, "target"))
		r = weir_key_new(context, weir_option_string(context, "target"), &calls->target);
	if (r == 0 && weir_option_given(context, "failed"))
		r = weir_key_new(context, weir_option_string(context, "failed"), &calls->failed);
	if (r == 0)
		r = pending_init(&calls->pending, (uint32_t)option_number(context, "open"));
	if (r == 0)
		r = take_up(calls, context);
	if (r != 0) {
		calls_close(context, calls);
		return r;
	}
	wake_for_first(calls, context);
	*ret_state = calls;
	return 0;
}

/* ---- entries ---- */

static void call_key(const struct mark *mark, unsigned char key[CALL_KEY_SIZE])
{
	key[0] = 'c';
	mark_write(mark, key + 1);
}

/* Baggage and item in place, until the state changes. */
static int load(struct weir_context *context, const struct mark *mark, struct call_view *view)
{
	unsigned char key[CALL_KEY_SIZE];
	const void *value;
	size_t size_bytes;
	int r;

	call_key(mark, key);
	r = weir_state_get(context, key, sizeof(key), &value, &size_bytes);
	if (r != WEIR_OK)
		return r == -ENOENT ? error_origin(-EBADMSG) : r;
	memcpy(&view->call, value, sizeof(view->call));
	memcpy(view->name, (const unsigned char *)value + sizeof(view->call), view->call.name_bytes);
	view->baggage = (const unsigned char *)value + sizeof(view->call) + view->call.name_bytes;
	view->item = view->baggage + view->call.baggage_bytes;
	view->item_bytes = size_bytes - sizeof(view->call) - view->call.name_bytes - view->call.baggage_bytes;
	return WEIR_OK;
}

static int store(struct calls *calls, struct weir_context *context, const struct mark *mark,
		 const struct call_view *view)
{
	size_t size_bytes = sizeof(view->call) + view->call.name_bytes + view->call.baggage_bytes + view->item_bytes;
	unsigned char key[CALL_KEY_SIZE], *at;

	if (size_bytes > calls->value_room_bytes) {
		unsigned char *grown = realloc(calls->value, size_bytes);

		if (!grown)
			return error_origin(-ENOMEM);
		calls->value = grown;
		calls->value_room_bytes = size_bytes;
	}
	at = calls->value;
	memcpy(at, &view->call, sizeof(view->call));
	at += sizeof(view->call);
	memcpy(at, view->name, view->call.name_bytes);
	at += view->call.name_bytes;
	memcpy(at, view->baggage, view->call.baggage_bytes);
	at += view->call.baggage_bytes;
	memcpy(at, view->item, view->item_bytes);
	call_key(mark, key);
	return weir_state_put(context, key, sizeof(key), calls->value, size_bytes);
}

/* n_held: 1, or 0 if it is counted as something else already. */
static int forget(struct calls *calls, struct weir_context *context, const struct mark *mark, uint32_t number,
		  uint64_t n_held)
{
	unsigned char key[CALL_KEY_SIZE];
	int r;

	call_key(mark, key);
	r = weir_state_delete(context, key, sizeof(key));
	if (r != WEIR_OK)
		return r;
	pending_remove(&calls->pending, number);
	if (n_held)
		weir_settle(context, n_held);
	return WEIR_OK;
}

/* ---- emitting ---- */

static int emit_to(struct weir_context *context, enum output output, const void *data, size_t size_bytes)
{
	uint32_t n = weir_outputs(context);
	int r = WEIR_OK;

	for (uint32_t i = 0; i < n && r == WEIR_OK; i++)
		if (weir_output_names(context, i) >> output & 1)
			r = weir_emit(context, i, data, size_bytes);
	return r;
}

/* With its own baggage, and the mark or not. */
static int emit_item(struct calls *calls, struct weir_context *context, const struct call_view *view,
		     const struct mark *mark, enum output output)
{
	int r = view->call.baggage_bytes ? weir_baggage_unpack(context, view->baggage, view->call.baggage_bytes) :
					   weir_baggage_clear(context);

	weir_accepted_at(context, view->call.accepted_ns);
	if (r == WEIR_OK)
		r = mark ? mark_set(context, calls->key, mark) : weir_baggage_set(context, calls->key, NULL, 0);
	return r == WEIR_OK ? emit_to(context, output, view->item, view->item_bytes) : r;
}

static int emit_answer(struct calls *calls, struct weir_context *context, const struct weir_item *item)
{
	unsigned char packed[WEIR_BAGGAGE_PACKED_MAX];
	size_t packed_bytes = weir_baggage_pack(context, packed);
	int r = packed_bytes ? weir_baggage_unpack(context, packed, packed_bytes) : WEIR_OK;

	if (r == WEIR_OK)
		r = weir_baggage_set(context, calls->key, NULL, 0);
	return r == WEIR_OK ? emit_to(context, OUT_DONE, item->data, item->size_bytes) : r;
}

/* ---- attempts ---- */

/* With number and attempt: what the called stage is given. */
static struct mark marked(const struct mark *mark, uint32_t attempt)
{
	struct mark copy = *mark;

	copy.reserved = attempt;
	return copy;
}

/* Which call it is to be; without targets each is. */
static int ask_target(const struct calls *calls, struct weir_context *context, const struct call_view *view,
		      enum target_call *ret_call)
{
	*ret_call = TARGET_CALL;
	return calls->breaks ? targets_ask(&calls->targets, context, view->name, view->call.name_bytes, ret_call) :
			       WEIR_OK;
}

static int note_target(const struct calls *calls, struct weir_context *context, const struct call_view *view,
		       bool failed)
{
	return calls->breaks ? targets_note(&calls->targets, context, view->name, view->call.name_bytes,
					    view->call.probe, failed) :
			       WEIR_OK;
}

static uint64_t next_random(struct calls_cursor *cursor)
{
	cursor->random ^= cursor->random << 13;
	cursor->random ^= cursor->random >> 7;
	cursor->random ^= cursor->random << 17;
	return cursor->random;
}

static uint64_t backoff_of(const struct calls *calls, struct calls_cursor *cursor, uint32_t attempt)
{
	uint64_t wait_ns = calls->backoff_ns;

	for (uint32_t i = 1; i < attempt && wait_ns < calls->backoff_max_ns; i++)
		wait_ns *= 2;
	if (wait_ns > calls->backoff_max_ns)
		wait_ns = calls->backoff_max_ns;
	return wait_ns -
	       (uint64_t)((unsigned __int128)wait_ns * calls->jitter / TOKEN * (next_random(cursor) >> 32) >> 32);
}

/* An attempt has failed: is there to be another one? Then *ret_due_ns is when. */
static bool may_try_again(const struct calls *calls, struct weir_context *context, const struct call *call,
			  uint64_t *ret_due_ns)
{
	struct calls_cursor *cursor = weir_cursor(context);

	if (call->attempt >= calls->attempts || cursor->tokens < TOKEN)
		return false;
	*ret_due_ns = weir_now_ns(context) + backoff_of(calls, cursor, call->attempt);
	return !calls->within_ns || *ret_due_ns < call->first_ns + calls->within_ns;
}

/* First it leaves, for there may be no room yet. One that fits no lane is a dead letter. */
static int give_up(struct calls *calls, struct weir_context *context, const struct mark *mark, uint32_t number,
		   const struct call_view *view)
{
	struct calls_cursor *cursor = weir_cursor(context);
	int r = emit_item(calls, context, view, NULL, OUT_GIVEN_UP);
	uint64_t n_held = r == WEIR_OK;

	if (r == WEIR_TOO_LARGE && calls->producing)
		r = weir_give_up(
			context, 1, view->item, view->item_bytes,
			"not answered, and too large for the stage that would get it then: give that one a larger lane:");
	if (r == WEIR_OK)
		r = note_target(calls, context, view, true);
	if (r == WEIR_OK)
		r = forget(calls, context, mark, number, n_held);
	if (r == WEIR_OK)
		cursor->n_given_up++;
	return r;
}

/* The attempt at hand has failed. */
static int fail(struct calls *calls, struct weir_context *context, const struct mark *mark, uint32_t number,
		struct call_view *view)
{
	struct calls_cursor *cursor = weir_cursor(context);
	uint64_t due_ns = 0;
	int r;

	if (!may_try_again(calls, context, &view->call, &due_ns))
		return give_up(calls, context, mark, number, view);
	view->call.waits = 1;
	view->call.due_ns = due_ns;
	r = store(calls, context, mark, view);
	if (r != WEIR_OK)
		return r;
	cursor->tokens -= TOKEN;
	pending_move(&calls->pending, number, due_ns);
	return WEIR_OK;
}

/* The back-off is over. */
static int try_again(struct calls *calls, struct weir_context *context, const struct mark *mark, uint32_t number,
		     struct call_view *view)
{
	struct mark to;
	int r;

	view->call.attempt++;
	view->call.waits = 0;
	view->call.due_ns = weir_now_ns(context) + calls->timeout_ns;
	to = marked(mark, view->call.attempt);
	r = emit_item(calls, context, view, &to, OUT_CALL);
	if (r == WEIR_OK)
		r = store(calls, context, mark, view);
	if (r == WEIR_OK)
		pending_move(&calls->pending, number, view->call.due_ns);
	return r;
}

/* ---- items ---- */

static int refuse(struct weir_context *context, int r)
{
	if (r != WEIR_FULL && r != WEIR_TOO_LARGE)
		return r;
	weir_reject(context, "%s",
		    r == WEIR_FULL ?
			    "no room to keep it until it is answered: more than state: allows" :
			    "it is larger than 1 MiB, and can't be kept until it is answered, or than the lane");
	return WEIR_REJECTED;
}

/* Returns WEIR_OK; WEIR_REJECTED: its name is too long. An item without one has the empty name. */
static int name_target(struct calls *calls, struct weir_context *context, const struct weir_item *item,
		       struct call_view *view)
{
	const void *name;
	size_t name_bytes;
	int r = calls->target ? weir_key_bytes(context, calls->target, item, &name, &name_bytes) : -ENOENT;

	if (r != WEIR_OK)
		return r == -ENOENT ? WEIR_OK : r;
	if (name_bytes <= TARGET_NAME_MAX) {
		memcpy(view->name, name, name_bytes);
		view->call.name_bytes = (uint32_t)name_bytes;
		return WEIR_OK;
	}
	weir_reject(context, "the name of its target has %zu bytes, and %u are the most", name_bytes, TARGET_NAME_MAX);
	return WEIR_REJECTED;
}

static int ask(struct calls *calls, struct weir_context *context, struct call_view *view)
{
	struct calls_cursor *cursor = weir_cursor(context);
	const struct mark mark = { .run = weir_run(context),
				   .number = ++cursor->n,
				   .stamp_ns = weir_now_ns(context),
				   .worker = weir_worker_index(context) },
			  to = marked(&mark, 1);
	int r = store(calls, context, &mark, view);

	if (r == WEIR_OK)
		r = emit_item(calls, context, view, &to, OUT_CALL);
	if (r != WEIR_OK)
		return refuse(context, r);
	cursor->tokens += calls->budget;
	if (cursor->tokens > TOKENS_FIRST + TOKEN * calls->pending.n_max)
		cursor->tokens = TOKENS_FIRST + TOKEN * calls->pending.n_max;
	(void)pending_add(&calls->pending, &mark, view->call.due_ns);
	wake_for_first(calls, context);
	return WEIR_HELD;
}

static int process_new(struct calls *calls, struct weir_context *context, const struct weir_item *item)
{
	unsigned char packed[WEIR_BAGGAGE_PACKED_MAX];
	struct calls_cursor *cursor = weir_cursor(context);
	uint64_t now_ns = weir_now_ns(context);
	enum target_call call;
	struct call_view view = {
		.call = { .due_ns = now_ns + calls->timeout_ns,
			  .first_ns = now_ns,
			  .accepted_ns = item->accepted_ns,
			  .attempt = 1 },
		.baggage = packed,
		.item = item->data,
		.item_bytes = item->size_bytes,
	};
	int r;

	if (pending_is_full(&calls->pending))
		return weir_postpone(context, now_ns + LOOK_AGAIN_NS);
	view.call.baggage_bytes = (uint32_t)weir_baggage_pack(context, packed);
	r = name_target(calls, context, item, &view);
	if (r == WEIR_OK)
		r = ask_target(calls, context, &view, &call);
	if (r != WEIR_OK)
		return refuse(context, r);
	view.call.probe = call == TARGET_PROBE;
	if (call != TARGET_NO_CALL)
		return ask(calls, context, &view);
	r = emit_item(calls, context, &view, NULL, OUT_GIVEN_UP);
	cursor->n_given_up += r == WEIR_OK;
	return refuse(context, r);
}

/* Returns 1: it says of itself that it has failed; 0, or what went wrong. */
static int has_failed(struct calls *calls, struct weir_context *context, const struct weir_item *item)
{
	const void *bytes;
	size_t size_bytes;
	int r = calls->failed ? weir_key_bytes(context, calls->failed, item, &bytes, &size_bytes) : -ENOENT;

	if (r == -ENOENT)
		return 0;
	if (r != WEIR_OK)
		return r < 0 ? r : error_origin(-EIO);
	return !(size_bytes == strlen("false") && memcmp(bytes, "false", size_bytes) == 0);
}

static int process_answer(struct calls *calls, struct weir_context *context, const struct weir_item *item,
			  struct mark mark)
{
	struct calls_cursor *cursor = weir_cursor(context);
	uint32_t attempt = mark.reserved, number;
	struct call_view view;
	int r, failed = has_failed(calls, context, item);

	mark.reserved = 0;
	number = pending_find(&calls->pending, &mark);
	if (failed < 0)
		return failed;
	if (number == PENDING_NONE) {
		cursor->n_late++;
		return WEIR_OK;
	}
	r = load(context, &mark, &view);
	if (r != WEIR_OK)
		return r;
	if (failed) {
		if (attempt != view.call.attempt || view.call.waits)
			return WEIR_OK; /* that attempt has failed already */
		r = fail(calls, context, &mark, number, &view);
	} else {
		r = emit_answer(calls, context, item);
		if (r == WEIR_OK && !view.call.waits)
			r = note_target(calls, context, &view, false);
		if (r == WEIR_OK)
			r = forget(calls, context, &mark, number, 1);
		cursor->n_done += r == WEIR_OK;
	}
	wake_for_first(calls, context);
	return refuse(context, r);
}

static int calls_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct calls *calls = data;
	struct mark mark;

	calls->producing = false;
	if (mark_get(context, calls->key, &mark))
		return process_answer(calls, context, item, mark);
	return process_new(calls, context, item);
}

/* ---- when the time has come ---- */

static int come_due(struct calls *calls, struct weir_context *context, uint32_t number)
{
	const struct mark mark = *pending_mark(&calls->pending, number);
	struct call_view view;
	int r = load(context, &mark, &view);

	if (r != WEIR_OK)
		return r;
	return view.call.waits ? try_again(calls, context, &mark, number, &view) :
				 fail(calls, context, &mark, number, &view);
}

static int calls_produce(struct weir_context *context, void *data)
{
	struct calls *calls = data;
	uint32_t first;

	calls->producing = true;
	for (uint32_t n = 0; (first = pending_first(&calls->pending)) != PENDING_NONE &&
			     pending_due_ns(&calls->pending, first) <= weir_now_ns(context);
	     n++) {
		int r = n < EACH ? come_due(calls, context, first) : WEIR_FULL;

		if (r == WEIR_FULL) {
			weir_watch(context, -1, 0, weir_now_ns(context) + (n < EACH ? LOOK_AGAIN_NS : 0));
			return 0;
		}
		if (r != WEIR_OK)
			return r;
	}
	wake_for_first(calls, context);
	return 0;
}

static int calls_finish(struct weir_context *context, void *data)
{
	const struct calls_cursor *cursor = weir_cursor(context);

	(void)data;
	if (cursor->n_given_up || cursor->n_late)
		weir_log(WEIR_LOG_INFO, "%llu items were answered, %llu were given up; %llu answers came too late",
			 (unsigned long long)cursor->n_done, (unsigned long long)cursor->n_given_up,
			 (unsigned long long)cursor->n_late);
	return 0;
}

const struct weir_stage calls_operator_callbacks = {
	.open = calls_open,
	.process = calls_process,
	.produce = calls_produce,
	.finish = calls_finish,
	.close = calls_close,
};
