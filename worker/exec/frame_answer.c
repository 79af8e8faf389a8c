/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to the program, and what comes back. An answer is believed after it was looked at as a whole, and then the item is in hand
 * until it has ended: nothing of it is out before, and a kill leaves both or neither.
 *
 * Where in_flight is 1 the item is in hand anyway (process() waits for its answer), so to take it up is nothing, and to conclude it is a
 * note for process() to return.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <weir/baggage.h>
#include <weir/budget.h>
#include <weir/identity.h>
#include <weir/log.h>
#include <weir/scope.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "worker/exec/frame.h"

#define HEARD_AT_ONCE 1024u /* messages; then others have their turn */
#define REASON_BYTES_MAX 400

/* ---- items ---- */

int frame_take_up(struct frame *frame, struct weir_context *context, const struct talk_item *entry,
		  const struct weir_item **ret_item)
{
	return frame->in_flight > 1 ? weir_resume(context, entry->token, ret_item) : 0;
}

int frame_conclude(struct frame *frame, struct weir_context *context, struct talk_item *entry, int status)
{
	int r = 0;

	if (frame->in_flight > 1) {
		r = weir_complete(context, entry->token, status);
	} else {
		frame->alone_done = true;
		frame->alone_status = status;
	}
	if (r)
		return r;
	frame->n_scoped -= entry->scope != NULL;
	entry->scope = NULL;
	if (status == WEIR_CANCELLED)
		talk_forsake(&frame->talk, entry);
	else
		talk_end(&frame->talk, entry);
	return 0;
}

/* What is left of the item's time: of this attempt, and of its run. */
static uint64_t left_ns(const struct frame *frame, const struct weir_context *context)
{
	uint64_t end_ns = weir_budget_of(context).deadline_ns, left = UINT64_MAX;

	if (end_ns != WEIR_FOREVER) {
		uint64_t now_ns = clock_now_ns();

		left = end_ns > now_ns ? end_ns - now_ns : 0;
	}
	return frame->deadline_ns && frame->deadline_ns < left ? frame->deadline_ns : left;
}

/* As text, so that it can be a key in whatever store: run, input, producer, number, in hexadecimal. Returns NULL if there is none. */
#define IDENTITY_SIZE 96
static const char *identify(const struct weir_context *context, char text[IDENTITY_SIZE])
{
	struct weir_identity who;
	int n;

	if (weir_identify(context, &who) != WEIR_OK)
		return NULL;
	n = snprintf(text, IDENTITY_SIZE, "%" PRIx64 "-%x-%x-%" PRIx64, who.run, who.input, who.producer, who.sequence);
	if (who.part)
		snprintf(text + n, IDENTITY_SIZE - (size_t)n, "-%" PRIx64, who.part);
	return text;
}

int frame_give(struct frame *frame, struct weir_context *context, struct talk_item *entry, const struct weir_item *item)
{
	char identity[IDENTITY_SIZE];
	struct frame_item message = {
		.data = item->data,
		.size_bytes = item->size_bytes,
		.left_ns = left_ns(frame, context),
		.scope = weir_scope_id(context),
		.attempt = entry->n_before + entry->n_attempts,
		.identity = identify(context, identity),
		.keys = frame->keys,
	};

	uint64_t now_ns = frame_now_ns(frame);

	if (!frame->talk.sent.n)
		frame->heard_ns = now_ns;
	talk_send(&frame->talk, entry, now_ns);
	message.id = entry->id;
	return frame_write_item(&frame->to, context, &message, frame->values);
}

/* Whom to give now; NULL: none waits, or there is no room. */
static struct talk_item *next_to_give(const struct frame *frame)
{
	return frame->phase == FRAME_UP && frame_has_room(frame) ? talk_next(&frame->talk) : NULL;
}

static int give_while_room(struct frame *frame, struct weir_context *context)
{
	struct talk_item *entry;

	while ((entry = next_to_give(frame))) {
		const struct weir_item *item = frame->alone_item;
		int r = frame_take_up(frame, context, entry, &item);

		if (r == 0)
			r = frame_give(frame, context, entry, item);
		if (r)
			return r;
	}
	return 0;
}

/* A program that reads as fast as this writes makes room again; once all is written nothing tells of that any more. */
int frame_give_waiting(struct frame *frame, struct weir_context *context)
{
	int r;

	do {
		r = give_while_room(frame, context);
		if (r == 0)
			r = frame_push(frame);
	} while (r == 0 && next_to_give(frame));
	return r;
}

/* ---- answers ---- */

/* Returns 0; WEIR_REJECTED after weir_reject(); WEIR_CANCELLED, -errno. */
static int emit_all(struct frame *frame, struct weir_context *context, struct frame_message *message)
{
	for (uint32_t i = 0; i < message->n_outputs; i++) {
		const void *data;
		size_t size_bytes;
		int r;

		frame_next_output(message, frame->values, &data, &size_bytes);
		r = weir_emit(context, WEIR_ALL_OUTPUTS, data, size_bytes);
		if (r == WEIR_TOO_LARGE || r == WEIR_FULL) {
			weir_reject(
				context,
				"'%s' answered with %u outputs, of which number %u has %zu bytes: more than the lane takes (%zu for one); "
				"give the stage behind this one a larger lane:",
				frame->program.title, message->n_outputs, i + 1, size_bytes,
				weir_item_size_max(context));
			return WEIR_REJECTED;
		}
		if (r)
			return r;
	}
	return 0;
}

static int hear_answer(struct frame *frame, struct weir_context *context, struct talk_item *entry,
		       struct frame_message *message)
{
	int r = frame_take_up(frame, context, entry, NULL);

	if (r)
		return r;
	if (message->n_outputs && !weir_outputs(context)) {
		weir_reject(
			context,
			"'%s' answered with %u outputs, and this stage has nowhere to send them: it should answer with none",
			frame->program.title, message->n_outputs);
		r = WEIR_REJECTED;
	} else {
		r = emit_all(frame, context, message);
	}
	if (r && r != WEIR_REJECTED)
		return r;
	frame->n_losses = 0;
	return frame_conclude(frame, context, entry, r);
}

static int hear_refusal(struct frame *frame, struct weir_context *context, struct talk_item *entry,
			const struct frame_message *message)
{
	int r = frame_take_up(frame, context, entry, NULL);

	if (r)
		return r;
	weir_reject(context, "'%s' refused it: %.*s", frame->program.title,
		    (int)(message->text_bytes < REASON_BYTES_MAX ? message->text_bytes : REASON_BYTES_MAX),
		    message->text);
	frame->n_losses = 0;
	return frame_conclude(frame, context, entry, WEIR_REJECTED);
}

/* At most one line a second: an error may come with each item. */
static void say_error(struct frame *frame, const struct frame_message *message, int n_text)
{
	uint64_t now_ns = clock_now_ns();
	char more[64] = "";

	if (frame->said_ns && now_ns - frame->said_ns < NS_PER_S) {
		frame->n_unsaid++;
		return;
	}
	if (frame->n_unsaid)
		snprintf(more, sizeof(more), " (and %llu errors before it)", (unsigned long long)frame->n_unsaid);
	weir_log(WEIR_LOG_WARNING, "'%s' has failed at an item: %.*s%s; it is tried again, up to attempts: %u",
		 frame->program.title, n_text, message->text, more, frame->talk.attempts);
	frame->said_ns = now_ns;
	frame->n_unsaid = 0;
}

static int hear_error(struct frame *frame, struct weir_context *context, struct talk_item *entry,
		      const struct frame_message *message)
{
	int n_text = (int)(message->text_bytes < REASON_BYTES_MAX ? message->text_bytes : REASON_BYTES_MAX);

	say_error(frame, message, n_text);
	return frame_retry(frame, context, entry, "'%s' has failed at it in each of %u attempts, the last time: %.*s",
			   frame->program.title, frame->talk.attempts, n_text, message->text);
}

static int hear_cancelled(struct frame *frame, struct weir_context *context, struct talk_item *entry)
{
	char deadline[QUANTITY_TEXT_SIZE];

	if (!entry->cancelled_ns)
		return frame_lose(frame, context, FRAME_BLAME_NOBODY,
				  "'%s' said that item %llu is cancelled, which it was never told",
				  frame->program.title, (unsigned long long)entry->id);
	entry->n_overruns++;
	weir_overran(context);
	return frame_retry(frame, context, entry, "'%s' has overrun the deadline of %s on it, in %u of %u attempts",
			   frame->program.title, quantity_format_duration(frame->deadline_ns, deadline),
			   entry->n_overruns, frame->talk.attempts);
}

static int hear_ready(struct frame *frame, struct weir_context *context, const struct frame_message *message)
{
	if (message->version != FRAME_VERSION) {
		weir_fail(context,
			  "'%s' speaks version %llu of the frame protocol, and this weir speaks %u: update one of them",
			  frame->program.title, (unsigned long long)message->version, FRAME_VERSION);
		return WEIR_FAILED;
	}
	talk_set_at_once(&frame->talk, message->at_once);
	frame->phase = FRAME_UP;
	frame->n_unready = 0;
	frame->ready_ns = clock_now_ns();
	frame->heard_ns = frame_now_ns(frame);
	if (frame->finishing)
		return frame_leave(frame);
	return 0;
}

/* About an item. */
static int hear_of(struct frame *frame, struct weir_context *context, struct frame_message *message)
{
	struct talk_item *entry = talk_find(&frame->talk, message->id);

	if (!entry)
		return frame_lose(frame, context, FRAME_BLAME_NOBODY,
				  "'%s' sent '%s' for item %llu, which it does not have: an item is answered once",
				  frame->program.title, frame_kind_name(message->kind),
				  (unsigned long long)message->id);
	frame->n_heard++;
	if (entry->state == TALK_GONE) {
		talk_end(&frame->talk, entry);
		return 0;
	}
	if (message->kind == FRAME_ANSWER || message->kind == FRAME_DONE)
		return hear_answer(frame, context, entry, message);
	if (message->kind == FRAME_REFUSE)
		return hear_refusal(frame, context, entry, message);
	if (message->kind == FRAME_ERROR)
		return hear_error(frame, context, entry, message);
	return hear_cancelled(frame, context, entry);
}

static int hear(struct frame *frame, struct weir_context *context, struct frame_message *message)
{
	frame->heard_ns = frame_now_ns(frame);
	if ((message->kind == FRAME_READY) != (frame->phase == FRAME_STARTING))
		return frame_lose(frame, context, FRAME_BLAME_NOBODY, "'%s' sent '%s' %s", frame->program.title,
				  frame_kind_name(message->kind),
				  frame->phase == FRAME_STARTING ? "before 'ready', which comes first" : "twice");
	if (message->kind == FRAME_READY)
		return hear_ready(frame, context, message);
	if (message->kind == FRAME_BYE)
		return frame_hear_bye(frame, context);
	return hear_of(frame, context, message);
}

/* Returns 0; FRAME_E_MORE: no whole frame lies there; what hear() returns. */
static int hear_next(struct frame *frame, struct weir_context *context)
{
	struct frame_message message;
	struct record_fault fault;
	size_t size_bytes;
	int r = frame_take(frame, &message, &size_bytes, &fault);

	if (r == FRAME_E_MORE)
		return r;
	if (r != 0)
		return frame_lose(
			frame, context, FRAME_BLAME_ITEMS,
			"'%s' sent what is no message: %s; does it print to descriptor %d, or is its encoder wrong?",
			frame->program.title, fault.why, CHILD_FRAMES_OUT);
	frame->from_head += size_bytes;
	return hear(frame, context, &message);
}

/* Who has ended says nothing any more, whoever else holds the pipe; who does not listen any more is about to end, or as good as lost. */
static bool is_over(const struct frame *frame)
{
	return frame->exited || frame->in < 0;
}

int frame_hear(struct frame *frame, struct weir_context *context)
{
	frame->has_more = false;
	for (uint32_t n = 0; n < HEARD_AT_ONCE;) {
		int r = hear_next(frame, context);

		if (r == FRAME_E_MORE)
			r = frame_pull(frame);
		else
			n++;
		if (r == FRAME_PULL_NOTHING)
			return is_over(frame) ? FRAME_E_END : 0;
		if (r == FRAME_PULL_END)
			return FRAME_E_END;
		if (r)
			return r;
	}
	frame->has_more = frame->phase != FRAME_DOWN;
	return 0;
}

/* ---- cancel ---- */

static int drop(struct frame *frame, struct weir_context *context, struct talk_item *entry)
{
	enum weir_cause cause = weir_scope_cause(entry->scope);
	uint64_t id = entry->id;
	bool has_it = entry->state == TALK_SENT;
	int r = frame_take_up(frame, context, entry, NULL);

	if (r == 0)
		r = frame_conclude(frame, context, entry, WEIR_CANCELLED);
	if (r == 0 && has_it)
		r = frame_write_cancel(&frame->to, id, cause);
	return r;
}

static int drop_in(struct frame *frame, struct weir_context *context, const struct talk_list *list)
{
	struct talk_item *entry = talk_first(&frame->talk, list), *next;
	int r = 0;

	for (; r == 0 && entry; entry = next) {
		next = talk_younger(&frame->talk, entry);
		if (entry->scope && weir_scope_done(entry->scope))
			r = drop(frame, context, entry);
	}
	return r;
}

int frame_drop_cancelled(struct frame *frame, struct weir_context *context)
{
	int r = frame->n_scoped ? drop_in(frame, context, &frame->talk.queue) : 0;

	if (r == 0 && frame->n_scoped)
		r = drop_in(frame, context, &frame->talk.sent);
	if (r == 0 && talk_is_deaf(&frame->talk))
		r = frame_lose(frame, context, FRAME_BLAME_NOBODY,
			       "'%s' has been told to cancel %u items, and goes on with all of them",
			       frame->program.title, frame->talk.n_gone);
	return r;
}
