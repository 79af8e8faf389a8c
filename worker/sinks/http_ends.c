/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How items end, in produce(): each by itself for the runtime, all of a request in one commit.
 *
 *      a batch that loses items, for their time or their scope, is another request then, with another key: it is sent again as such
 */
#include <string.h>
#include <weir/budget.h>
#include <weir/log.h>
#include <weir/scope.h>

#include "common/base/clock.h"
#include "common/base/quantity.h"
#include "worker/sinks/http_sink.h"

#define SAY_EVERY_NS (10 * NS_PER_S)

/* ---- one item, one batch ---- */

/* `why` with another end than WEIR_OK. */
static int end_item(struct http_sink *sink, const struct http_item *item, int status, const char *why)
{
	int r = status == WEIR_OK || status == WEIR_CANCELLED ? 0 : weir_resume(sink->context, item->token, NULL);

	if (r != 0)
		return r;
	if (status != WEIR_OK && status != WEIR_CANCELLED)
		weir_reject(sink->context, "%s: %s", sink->options.shown, why);
	r = weir_complete(sink->context, item->token, status);
	if (r != 0)
		return r;
	sink->n_pending--;
	sink->n_scoped -= item->scope != NULL;
	return 0;
}

static void leave_place(struct http_sink *sink, struct http_call *call)
{
	http_sink_free_batch(sink, call->batch);
	call->batch = NULL;
	call->state = HTTP_IDLE;
}

static int end_batch(struct http_sink *sink, struct http_call *call, int status)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < call->batch->n; i++)
		r = end_item(sink, &call->batch->items[i], status, call->why);
	if (r == 0)
		leave_place(sink, call);
	return r;
}

/* ---- trouble ---- */

static void say_trouble(struct http_sink *sink, const struct http_call *call)
{
	char wait[QUANTITY_TEXT_SIZE];
	uint64_t now_ns = clock_now_ns(), until_ns = call->until_ns;

	if (sink->said_ns && now_ns - sink->said_ns < SAY_EVERY_NS)
		return;
	if (until_ns < sink->hold_until_ns)
		until_ns = sink->hold_until_ns;
	weir_log(WEIR_LOG_WARNING, "%s: %s; it is tried again in %s, and nothing is lost meanwhile",
		 sink->options.shown, call->why,
		 quantity_format_duration(until_ns > now_ns ? until_ns - now_ns : 0, wait));
	sink->said_ns = now_ns;
}

static void say_well(struct http_sink *sink)
{
	if (!sink->said_ns)
		return;
	for (uint32_t i = 0; i < sink->client.n; i++)
		if (sink->client.calls[i].state == HTTP_RESTING)
			return;
	weir_log(WEIR_LOG_NOTICE, "%s works again", sink->options.shown);
	sink->said_ns = 0;
}

/* From half of it up to all: those that failed together don't come back together. */
static uint64_t with_jitter(struct http_sink *sink, uint64_t ns)
{
	sink->jitter ^= sink->jitter << 13; /* xorshift */
	sink->jitter ^= sink->jitter >> 7;
	sink->jitter ^= sink->jitter << 17;
	return ns / 2 + (ns > 1 ? sink->jitter % (ns / 2) : 0);
}

static uint64_t backoff_ns(struct http_sink *sink, uint32_t n_attempts)
{
	uint64_t ns = sink->options.backoff_ns;

	while (n_attempts-- > 1 && ns < sink->options.backoff_max_ns)
		ns *= 2;
	return with_jitter(sink, ns < sink->options.backoff_max_ns ? ns : sink->options.backoff_max_ns);
}

static void rest(struct http_sink *sink, struct http_call *call)
{
	uint64_t now_ns = clock_now_ns();

	call->state = HTTP_RESTING;
	call->until_ns = now_ns + backoff_ns(sink, call->batch->n_attempts);
	if (call->retry_after_ns && now_ns + call->retry_after_ns > sink->hold_until_ns)
		sink->hold_until_ns = now_ns + call->retry_after_ns;
	say_trouble(sink, call);
}

static int try_again(struct http_sink *sink, struct http_call *call)
{
	char why[sizeof(call->why)];

	call->batch->n_attempts++;
	if (!sink->options.attempts || call->batch->n_attempts < sink->options.attempts) {
		rest(sink, call);
		return 0;
	}
	snprintf(why, sizeof(why), "it was tried %u times, the last time: %.*s", call->batch->n_attempts,
		 (int)sizeof(why) - 80, call->why);
	snprintf(call->why, sizeof(call->why), "%s", why);
	return end_batch(sink, call, WEIR_PEER_LOST);
}

/* The bad one is in one of them, or they were too many. The first goes first. */
static int halve(struct http_sink *sink, struct http_call *call)
{
	struct http_batch *second = http_sink_new_batch(sink), *first = call->batch;

	http_batch_halve(first, second);
	first->n_attempts = 0;
	http_queue_put_first(&sink->waiting, second);
	http_queue_put_first(&sink->waiting, first);
	call->batch = NULL;
	call->state = HTTP_IDLE;
	return 0;
}

/* ---- verdicts ---- */

static int deny(struct http_sink *sink, struct http_call *call)
{
	const struct http_cursor *cursor = weir_cursor(sink->context);
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (sink->options.denied == HTTP_DENIED_REJECT)
		return end_batch(sink, call, WEIR_REJECTED);
	if (sink->options.denied == HTTP_DENIED_FAIL ||
	    (sink->options.denied == HTTP_DENIED_FIRST && !cursor->delivered)) {
		weir_fail(sink->context,
			  "%s: %s; look at `url`, `auth`, `ca` and `cert`: nothing was refused for what it is%s",
			  sink->options.shown, call->why,
			  sink->options.denied == HTTP_DENIED_FIRST ? " (or say denied: wait)" : "");
		return WEIR_FAILED;
	}
	if (http_options_read_secret(&sink->options, sink->context, &why) != 0)
		weir_log(WEIR_LOG_WARNING, "%s", text_get(&why));
	return try_again(sink, call);
}

static int deliver(struct http_sink *sink, struct http_call *call)
{
	struct http_cursor *cursor = weir_cursor(sink->context);
	int r;

	cursor->delivered = 1;
	r = end_batch(sink, call, WEIR_OK);
	say_well(sink);
	return r;
}

int http_sink_conclude(struct http_sink *sink, struct http_call *call)
{
	switch (http_judge(call->code, call->status, sink->options.retry)) {
	case HTTP_DELIVERED:
		return deliver(sink, call);
	case HTTP_REFUSED:
		return end_batch(sink, call, WEIR_REJECTED);
	case HTTP_TOO_MUCH:
		return call->batch->n > 1 ? halve(sink, call) : end_batch(sink, call, WEIR_REJECTED);
	case HTTP_DENIED:
		return deny(sink, call);
	case HTTP_PASSING:
	default:
		return try_again(sink, call);
	}
}

/* ---- time, scopes ---- */

static int expire(struct http_sink *sink, const struct http_item *item, const struct http_call *call)
{
	char reason[sizeof(call->why)];

	if (call && call->why[0])
		snprintf(reason, sizeof(reason), "it was not delivered within its time; the last time: %.*s",
			 (int)sizeof(reason) - 80, call->why);
	else
		snprintf(reason, sizeof(reason), "it was not delivered within its time; %s",
			 call ? "no answer has come" : "its turn had not come");
	if (item->attempt_ends)
		weir_overran(sink->context);
	return end_item(sink, item, WEIR_EXPIRED, reason);
}

/* The item that is to end now; a request under way is left for it, unless others would have to be sent again for a mere cancel. */
static bool is_due(const struct http_item *item, const struct http_batch *batch, const struct http_call *call,
		   uint64_t now_ns, bool *ret_cancelled)
{
	bool sent = call && call->state == HTTP_SENT;

	*ret_cancelled = item->scope && (!sent || batch->n == 1) && weir_scope_done(item->scope);
	return *ret_cancelled || item->deadline_ns <= now_ns;
}

/* call: the place that the batch has; NULL: none. Returns 0, WEIR_CANCELLED, WEIR_FAILED. */
static int end_due_of(struct http_sink *sink, struct http_batch *batch, struct http_call *call, uint64_t now_ns)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < batch->n;) {
		bool cancelled;

		if (!is_due(&batch->items[i], batch, call, now_ns, &cancelled)) {
			if (batch->items[i].deadline_ns < sink->due_ns)
				sink->due_ns = batch->items[i].deadline_ns;
			i++;
			continue;
		}
		if (call)
			http_client_abort(&sink->client, call);
		r = cancelled ? end_item(sink, &batch->items[i], WEIR_CANCELLED, "") :
				expire(sink, &batch->items[i], call);
		if (r == 0)
			http_batch_remove(batch, i);
	}
	return r;
}

static int end_due_waiting(struct http_sink *sink, uint64_t now_ns)
{
	struct http_queue waiting = sink->waiting;
	struct http_batch *batch;
	int r = 0;

	sink->waiting = (struct http_queue){ NULL, NULL };
	while ((batch = http_queue_take(&waiting))) {
		if (r == 0)
			r = end_due_of(sink, batch, NULL, now_ns);
		if (batch->n)
			http_queue_put(&sink->waiting, batch);
		else
			http_sink_free_batch(sink, batch);
	}
	return r;
}

int http_sink_end_due(struct http_sink *sink)
{
	uint64_t now_ns = clock_now_ns();
	int r;

	sink->due_ns = WEIR_FOREVER;
	for (uint32_t i = 0; i < sink->client.n; i++) {
		struct http_call *call = &sink->client.calls[i];

		if (!call->batch)
			continue;
		r = end_due_of(sink, call->batch, call, now_ns);
		if (r != 0)
			return r;
		if (!call->batch->n)
			leave_place(sink, call);
	}
	r = end_due_waiting(sink, now_ns);
	if (r == 0 && sink->open) {
		r = end_due_of(sink, sink->open, NULL, now_ns);
		if (!sink->open->n) {
			http_sink_free_batch(sink, sink->open);
			sink->open = NULL;
		}
	}
	return r;
}
