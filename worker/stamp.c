/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deadline of an item's own, from what stands in it.
 *
 *      expires: at(.deadline)        {"id": 7, "deadline": "2026-11-22T06:00:00Z"}
 *                                                     |  key.c finds it, expiry_rule.c reads it
 *                                                     v
 *      time of day  ---- now, on both clocks ---->  CLOCK_MONOTONIC  ---->  extension of the record, the earlier one if the stage
 *                                                                           has said weir_expire_at(), too
 *
 * It is looked for as the item is emitted, whoever emits it: so every source can be told so, a plugin too, and knows nothing of it. What is
 * built in place is looked at when it is pushed, so its room is a scratch. The time of day is asked once for each item, here alone: whether
 * the clock is set afterwards makes no difference any more.
 *
 * An item that says nothing has no deadline. One that says something which is no time is refused, as one that is too long is: it is a
 * dead letter, and the source goes on with the next. Its sender meant something by it, so to let it live for ever would be as wrong as to
 * drop it.
 */
#include "worker/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "common/stage/expiry_rule.h"
#include "worker/admission.h"
#include "worker/group.h"
#include "worker/key.h"
#include "worker/output.h"

#define VALUE_BYTES 80u /* more than any time has; for the reason 40 are enough */

struct stamp {
	struct expiry_rule rule;
	struct key *key; /* NULL: the same for all items */
	bool is_begun;
	uint64_t before_ns; /* what the stage itself has said */
	uint32_t before_words;
};

int stamp_attach(struct worker *worker, struct text *why)
{
	struct stamp *stamp;

	if (!worker->heritage.expires)
		return 0;
	stamp = calloc(1, sizeof(*stamp));
	must(stamp);
	worker->stamp = stamp;
	if (expiry_rule_parse(worker->heritage.expires, &stamp->rule, why) != 0 ||
	    (stamp->rule.expression && key_new(stamp->rule.expression, &stamp->key, why) != 0))
		return error_origin(-EINVAL);
	return 0;
}

void stamp_detach(struct worker *worker)
{
	if (!worker->stamp)
		return;
	key_free(worker->stamp->key);
	expiry_rule_deinit(&worker->stamp->rule);
	free(worker->stamp);
	worker->stamp = NULL;
}

static void begin(struct worker *worker, uint64_t deadline_ns)
{
	struct baggage *baggage = &worker->baggage;
	struct stamp *stamp = worker->stamp;

	if (!baggage->n_words)
		(void)extension_read(&baggage->now, NULL, 0);
	stamp->is_begun = true;
	stamp->before_ns = baggage->now.deadline_ns;
	stamp->before_words = baggage->n_words;
	baggage->now.deadline_ns = deadline_earlier(baggage->now.deadline_ns, deadline_ns);
	baggage->n_words = extension_words(&baggage->now);
}

void stamp_end(struct worker *worker)
{
	struct stamp *stamp = worker->stamp;

	if (!stamp || !stamp->is_begun)
		return;
	stamp->is_begun = false;
	worker->baggage.now.deadline_ns = stamp->before_ns;
	worker->baggage.n_words = stamp->before_words;
}

static uint64_t after(uint64_t from_ns, uint64_t ns)
{
	return ns < UINT64_MAX - from_ns ? from_ns + ns : UINT64_MAX;
}

/* 0 is none, in a record: what was over before this machine was up was over at 1. */
static uint64_t monotonic_of(uint64_t realtime_ns)
{
	uint64_t now_ns = clock_now_ns(), realtime_now_ns = clock_realtime_ns(), ago_ns;

	if (realtime_ns >= realtime_now_ns)
		return realtime_ns == UINT64_MAX ? UINT64_MAX : after(now_ns, realtime_ns - realtime_now_ns);
	ago_ns = realtime_now_ns - realtime_ns;
	return ago_ns < now_ns ? now_ns - ago_ns : 1;
}

static int refuse(struct worker *worker, const void *data, size_t size_bytes, const char *value, size_t length)
{
	const struct stamp *stamp = worker->stamp;
	char reason[256];

	snprintf(reason, sizeof(reason),
		 "what it says of its deadline, '%.*s%s' (expires: %.60s), is no time: expected %s",
		 length < 40 ? (int)length : 40, value, length < 40 ? "" : "...", worker->heritage.expires,
		 expiry_rule_expected(&stamp->rule));
	if (worker->group.is_open)
		return group_refuse(worker, reason);
	return worker->context.host->accept_rejected(&worker->context, data, size_bytes, reason) == 0 ? WEIR_REJECTED :
													WEIR_FAILED;
}

int stamp_begin(struct worker *worker, const void *data, size_t size_bytes)
{
	struct stamp *stamp = worker->stamp;
	char value[VALUE_BYTES];
	uint64_t ns = stamp->rule.for_ns;
	size_t length;
	int r;

	if (stamp->key) {
		if (!key_text(stamp->key, data, size_bytes, value, sizeof(value), &length))
			return 0;
		r = length <= sizeof(value) ? expiry_rule_value(&stamp->rule, value, length, &ns) : EXPIRY_RULE_E_BAD;
		if (r != 0)
			return r == EXPIRY_RULE_E_NONE ? 0 : refuse(worker, data, size_bytes, value, length);
	}
	ns = stamp->rule.kind == EXPIRY_AT ? monotonic_of(ns) : after(worker_now_ns(worker), ns);
	if (ns != UINT64_MAX) /* never is as good as nothing */
		begin(worker, ns);
	return 0;
}

void stamp_begin_reserved(struct worker *worker)
{
	begin(worker, UINT64_MAX);
}

void stamp_reserved(struct worker *worker, void **ret_payload)
{
	worker->reserved.lane = NO_LANE;
	*ret_payload = admission_scratch(worker, worker->reserved.size_bytes);
}

int stamp_push(struct worker *worker, uint32_t output, size_t size_bytes)
{
	int r = 0;

	if (worker->stamp && output == worker->reserved.output && size_bytes <= worker->reserved.size_bytes)
		r = stamp_begin(worker, worker->reserved.scratch, size_bytes);
	if (r == 0)
		r = output_status(output_push_reserved(worker, output, size_bytes));
	else
		worker->reserved.output = NO_LANE;
	stamp_end(worker);
	return r;
}
