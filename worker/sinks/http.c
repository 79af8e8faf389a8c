/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: http. Items become the bodies of requests; a server's answer is the end of its items.
 *
 *      process() --> open batch --full, old--> waiting --a place is free--> SENT --2xx--> delivered, complete
 *                                                 ^                          |-- passing --> RESTING, in its place: back-off
 *                                                 '---- two halves ----------|-- too much
 *                                                                            |-- refused --> dead letters, with the answer
 *                                                                            '-- denied --> the stage fails, or it rests
 *
 * All of them are pending items of the runtime (weir_defer()): after a kill exactly those that no commit has ended are given again, and
 * sent again, with the same names. Which were delivered by a request whose answer nobody has heard only the server can know.
 *
 * A batch that rests keeps its place. So one bad item holds up one place, and a server that is down is asked by as many as there are
 * places, no more; Retry-After holds up all.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <weir/baggage.h>
#include <weir/budget.h>
#include <weir/log.h>
#include <weir/scope.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/quantity.h"
#include "common/record/json.h"
#include "worker/builtin.h"
#include "common/base/curl_library.h"
#include "worker/sinks/http_client.h"
#include "worker/sinks/http_sink.h"

#define LOOK_AT_SCOPES_NS (100 * NS_PER_MS)
#define LIST_BYTES_MAX 4096u /* of the header Weir-Items: servers take 8 KiB of headers at least */

#define SPARE_BYTES_MAX 65536u

/* ---- lists ---- */

struct http_batch *http_sink_new_batch(struct http_sink *sink)
{
	struct http_batch *batch = sink->spare;

	if (batch)
		sink->spare = batch->next;
	else
		batch = calloc(1, sizeof(*batch));
	must(batch);
	http_batch_clear(batch, sink->options.layout);
	return batch;
}

void http_sink_free_batch(struct http_sink *sink, struct http_batch *batch)
{
	if (batch->body.capacity > SPARE_BYTES_MAX && sink->spare) /* or each of them would grow to the largest ever */
		record_scratch_deinit(&batch->body);
	batch->next = sink->spare;
	sink->spare = batch;
}

void http_queue_put(struct http_queue *queue, struct http_batch *batch)
{
	batch->next = NULL;
	if (queue->last)
		queue->last->next = batch;
	else
		queue->first = batch;
	queue->last = batch;
}

void http_queue_put_first(struct http_queue *queue, struct http_batch *batch)
{
	batch->next = queue->first;
	queue->first = batch;
	if (!queue->last)
		queue->last = batch;
}

struct http_batch *http_queue_take(struct http_queue *queue)
{
	struct http_batch *batch = queue->first;

	if (!batch)
		return NULL;
	queue->first = batch->next;
	if (!queue->first)
		queue->last = NULL;
	return batch;
}

/* ---- opening ---- */

static void free_batches(struct http_batch *batch)
{
	while (batch) {
		struct http_batch *next = batch->next;

		http_batch_deinit(batch);
		free(batch);
		batch = next;
	}
}

static void http_close(struct weir_context *context, void *data)
{
	struct http_sink *sink = data;

	(void)context;
	if (!sink)
		return;
	for (uint32_t i = 0; i < sink->client.n; i++) {
		struct http_call *call = &sink->client.calls[i];

		http_client_abort(&sink->client, call);
		if (call->batch)
			http_sink_free_batch(sink, call->batch);
	}
	http_client_close(&sink->client);
	if (sink->open)
		http_sink_free_batch(sink, sink->open);
	free_batches(sink->waiting.first);
	free_batches(sink->spare);
	http_options_deinit(&sink->options);
	record_scratch_deinit(&sink->json);
	record_scratch_deinit(&sink->json_room);
	free(sink);
}

static int load(struct weir_context *context)
{
	const char *why;

	if (curl_library_load(&why) == 0)
		return 0;
	weir_fail(context, "sink http needs libcurl: %s; install libcurl3-gnutls or libcurl4", why);
	return WEIR_FAILED;
}

static int prepare(struct http_sink *sink, struct weir_context *context)
{
	int r = load(context);

	if (r == 0)
		r = http_options_read(&sink->options, context);
	if (r != 0)
		return r;
	if (sink->options.batch > sink->in_flight) {
		weir_fail(
			context,
			"batch_count: %u, and the stage has in_flight: %u: no request would ever get so many; raise in_flight",
			sink->options.batch, sink->in_flight);
		return WEIR_FAILED;
	}
	return http_client_open(&sink->client, context, &sink->options);
}

static int http_open(struct weir_context *context, void **ret_state)
{
	struct http_sink *sink = calloc(1, sizeof(*sink));
	int r;

	if (!sink)
		return error_origin(-ENOMEM);
	sink->context = context;
	sink->in_flight = weir_in_flight(context);
	sink->due_ns = WEIR_FOREVER;
	sink->run_deadline_ns = weir_budget_of(context).deadline_ns;
	sink->jitter = clock_realtime_ns() | 1;
	sink->client.events = -1;
	r = prepare(sink, context);
	if (r != 0) {
		http_close(context, sink);
		return r;
	}
	*ret_state = sink;
	return 0;
}

/* ---- items ---- */

static bool is_json(struct http_sink *sink, const struct weir_item *item, struct record_fault *fault)
{
	size_t n;
	int r = item->size_bytes > RECORD_SIZE_MAX ?
			record_fault(fault, "it is too long") :
			json_decode(&sink->json, item->data, item->size_bytes,
				    record_scratch_get(&sink->json_room, json_decode_bound(item->size_bytes)), &n,
				    fault);

	if (r == RECORD_E_EMPTY)
		(void)record_fault(fault, "there is nothing in it");
	return r == 0;
}

/* What is wrong with the item is said. */
static int refuse_unfit(struct http_sink *sink, const struct weir_item *item)
{
	static const struct http_batch none;
	struct http_batch alone = none;
	struct record_fault fault;

	alone.layout = sink->options.layout;
	if (http_batch_bytes_with(&alone, item->size_bytes) > sink->options.batch_bytes) {
		weir_reject(sink->context, "it has %zu bytes, and a request may have %zu (`batch_bytes`)",
			    item->size_bytes, sink->options.batch_bytes);
		return WEIR_REJECTED;
	}
	if (sink->options.checks_json && !is_json(sink, item, &fault)) {
		weir_reject(sink->context, "it is no JSON, of which `body: array` makes an array: %s", fault.why);
		return WEIR_REJECTED;
	}
	return 0;
}

static bool is_full(const struct http_sink *sink, const struct http_batch *batch)
{
	return batch->n >= sink->options.batch || sink->n_pending >= sink->in_flight;
}

static void seal(struct http_sink *sink)
{
	if (sink->open)
		http_queue_put(&sink->waiting, sink->open);
	sink->open = NULL;
}

static void seal_unless_fits(struct http_sink *sink, size_t size_bytes)
{
	if (sink->open && (http_batch_bytes_with(sink->open, size_bytes) > sink->options.batch_bytes ||
			   sink->open->list_bytes_max > LIST_BYTES_MAX))
		seal(sink);
}

/* The pipeline's own deadline cancels everything: nobody need give up for it. */
static void note_deadline(struct http_sink *sink, struct http_item *item)
{
	struct weir_budget budget = weir_budget_of(sink->context);

	item->deadline_ns = budget.deadline_ns >= sink->run_deadline_ns ? WEIR_FOREVER : budget.deadline_ns;
	item->attempt_ends = budget.cause == WEIR_CAUSE_ITEM_DEADLINE;
}

static void gather(struct http_sink *sink, struct http_item *item, const struct weir_item *text)
{
	seal_unless_fits(sink, text->size_bytes);
	if (!sink->open) {
		sink->open = http_sink_new_batch(sink);
		sink->open->since_ns = weir_now_ns(sink->context);
	}
	http_batch_add(sink->open, item, text->data, text->size_bytes);
	sink->n_pending++;
	sink->n_scoped += item->scope != NULL;
	if (item->deadline_ns < sink->due_ns)
		sink->due_ns = item->deadline_ns;
	if (is_full(sink, sink->open))
		seal(sink);
}

/* ---- sending ---- */

static int send_waiting(struct http_sink *sink, uint64_t now_ns)
{
	int r = 0;

	if (now_ns < sink->hold_until_ns)
		return 0;
	for (uint32_t i = 0; r == 0 && i < sink->client.n; i++) {
		struct http_call *call = &sink->client.calls[i];

		if (call->state == HTTP_IDLE && sink->waiting.first) {
			call->batch = http_queue_take(&sink->waiting);
			call->why[0] = '\0';
			r = http_client_send(&sink->client, call);
		} else if (call->state == HTTP_RESTING && now_ns >= call->until_ns) {
			r = http_client_send(&sink->client, call);
		}
	}
	return r;
}

static uint64_t wake_ns(const struct http_sink *sink)
{
	uint64_t wake = sink->client.timer_ns;

	for (uint32_t i = 0; i < sink->client.n; i++) {
		const struct http_call *call = &sink->client.calls[i];

		if (call->state == HTTP_RESTING)
			wake = deadline_earlier(wake, call->until_ns > sink->hold_until_ns ? call->until_ns :
											     sink->hold_until_ns | 1);
		if (call->state == HTTP_IDLE && sink->waiting.first)
			wake = deadline_earlier(wake, sink->hold_until_ns | 1);
	}
	if (sink->open)
		wake = deadline_earlier(wake, sink->open->since_ns + sink->options.batch_age_ns);
	if (sink->due_ns != WEIR_FOREVER)
		wake = deadline_earlier(wake, sink->due_ns);
	return sink->n_scoped ? deadline_earlier(wake, sink->look_ns) : wake;
}

static void watch(struct http_sink *sink)
{
	weir_watch(sink->context, sink->client.events, POLLIN, wake_ns(sink));
}

/* Whoever gets the request is below the span that the item is here. */
static void note_trace(const struct weir_context *context, struct http_item *item)
{
	const void *value;
	size_t size_bytes;

	if (weir_baggage_get(context, TRACEPARENT_KEY, &value, &size_bytes) != 0 ||
	    !traceparent_parse(value, size_bytes, &item->trace)) {
		item->trace.parent = 0;
		return;
	}
	item->trace.parent = traceparent_span(&item->trace, weir_stage_name(context), item->identity.producer,
					      item->identity.sequence);
}

/* ---- callbacks ---- */

static int http_process(struct weir_context *context, void *data, const struct weir_item *item)
{
	struct http_sink *sink = data;
	struct http_item added = { 0 };
	int r = refuse_unfit(sink, item);

	if (r == 0)
		r = weir_identify(context, &added.identity);
	if (r != 0)
		return r;
	note_deadline(sink, &added);
	note_trace(context, &added);
	added.scope = weir_scope_id(context) ? weir_scope_of_item(context) : NULL;
	added.token = weir_defer(context);
	if (!added.token)
		return WEIR_FAILED;
	gather(sink, &added, item);
	if (sink->open)
		(void)weir_has_all(context); /* produce() hears of it */
	if (sink->waiting.first)
		r = send_waiting(sink, weir_now_ns(context));
	watch(sink);
	return r == 0 ? WEIR_PENDING : r;
}

static int conclude_ended(struct http_sink *sink)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < sink->client.n; i++)
		if (sink->client.calls[i].state == HTTP_ENDED)
			r = http_sink_conclude(sink, &sink->client.calls[i]);
	return r;
}

static int http_produce(struct weir_context *context, void *data)
{
	struct http_sink *sink = data;
	uint64_t now_ns;
	int r;

	(void)context;
	http_client_run(&sink->client);
	r = conclude_ended(sink);
	now_ns = clock_now_ns();
	sink->run_deadline_ns = weir_budget_of(context).deadline_ns;
	if (r == 0 && (now_ns >= sink->due_ns || (sink->n_scoped && now_ns >= sink->look_ns))) {
		sink->look_ns = now_ns + LOOK_AT_SCOPES_NS;
		r = http_sink_end_due(sink);
	}
	if (r == 0 && sink->open &&
	    (now_ns >= sink->open->since_ns + sink->options.batch_age_ns || weir_has_all(context)))
		seal(sink);
	if (r == 0)
		r = send_waiting(sink, now_ns);
	if (r == 0)
		watch(sink);
	return r;
}

static int http_check(struct weir_context *context)
{
	return http_options_check(context);
}

const struct weir_stage http_sink_callbacks = {
	.open = http_open,
	.process = http_process,
	.produce = http_produce,
	.close = http_close,
	.check = http_check,
};
