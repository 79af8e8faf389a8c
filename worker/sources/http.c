/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: http. Items that others POST.
 *
 *      request, whole ---> waiting, the oldest first ---> a group of items ---> commit ---> 202
 *           | 4xx               | no room within `wait`: 429   | not decoded: 400, and why
 *           '- no buffer: 429   '- a drain: 503                '- never fits: 413
 *
 * A request is all or nothing: its items are one group (weir/emit.h), so they take effect with one commit, at whatever instruction the
 * worker is killed; its sender is answered at the next turn's beginning, when that has happened. Who gets no answer knows nothing: the
 * worker may have died before the commit or behind it. A 202 is never wrong, nor is any other answer.
 *
 * One worker has all connections, and sleeps in the runtime, on the server's epoll, also while there is no room: those that come meanwhile
 * are read and told.
 */
#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <weir/baggage.h>
#include <weir/record.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "worker/builtin.h"
#include "worker/sources/http_server.h"

#define BUDGET 256u /* requests a turn: the answers wait for its commit */
#define BAGGAGE_MAX 16u

struct http {
	struct http_server server;
	uint64_t wait_ns;
	bool whole;                             /* items: body */
	const char *const *headers;             /* that go along; NULL: none */
	char (*keys)[WEIR_BAGGAGE_KEY_MAX + 1]; /* the same, in small letters; owned */
	uint32_t n_headers;
	bool committed; /* flush() has come behind the last produce(): what was taken counts */
};

/* ---- opening ---- */

static int http_check(struct weir_context *context)
{
	const char *path = weir_option_string(context, "path");
	const char *const *headers = weir_option_list(context, "baggage");
	int r = 0;

	if (path[0] != '/' || strpbrk(path, "?# ")) {
		weir_complain(context, "path", 0,
			      "the path of a URL begins with / and has no ?, # or blank, for example /items");
		r = WEIR_FAILED;
	}
	for (size_t i = 0; headers && headers[i]; i++)
		if (!headers[i][0] || strlen(headers[i]) > WEIR_BAGGAGE_KEY_MAX || strpbrk(headers[i], ": \t")) {
			weir_complain(context, "baggage", 0, "'%s' is no name of a header, such as Idempotency-Key",
				      headers[i]);
			r = WEIR_FAILED;
		}
	return r;
}

static int make_keys(struct http *http, const struct weir_context *context)
{
	http->headers = weir_option_list(context, "baggage");
	while (http->headers && http->headers[http->n_headers])
		http->n_headers++;
	http->keys = calloc(http->n_headers + 1, sizeof(*http->keys));
	if (!http->keys)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < http->n_headers; i++)
		for (size_t j = 0; http->headers[i][j] && j < WEIR_BAGGAGE_KEY_MAX; j++)
			http->keys[i][j] = (char)tolower((unsigned char)http->headers[i][j]);
	return 0;
}

static void http_close(struct weir_context *context, void *state);

static int http_open(struct weir_context *context, void **ret_state)
{
	struct http *http = calloc(1, sizeof(*http));
	int r;

	if (!http)
		return error_origin(-ENOMEM);
	http->wait_ns = (uint64_t)weir_option_integer(context, "wait");
	http->whole = !strcmp(weir_option_string(context, "items"), "body");
	r = make_keys(http, context);
	if (r == 0)
		r = http_server_open(&http->server, context);
	if (r != 0) {
		http_close(context, http);
		return r;
	}
	*ret_state = http;
	return 0;
}

/* ---- one request ---- */

/* One of these lines; the last may have no newline. */
static int emit_lines(struct weir_context *context, const char *at, size_t size_bytes)
{
	const char *end = at + size_bytes;
	uint64_t line = 0;
	int r = 0;

	while (r == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);

		weir_place(context, "body", ++line);
		r = weir_emit(context, WEIR_ALL_OUTPUTS, at, n);
		at += n + 1;
	}
	return r;
}

static uint64_t count_lines(const char *at, size_t size_bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size_bytes; i++)
		n += at[i] == '\n';
	return n;
}

/* Where a record is not always a line. */
static int emit_records(struct weir_context *context, const char *at, size_t size_bytes)
{
	struct weir_cut cut = { { 0, 0 } };
	uint64_t line = 1;
	int r = 0;

	while (r == 0 && size_bytes) {
		size_t record = 0, used = 0;

		if (weir_cut(context, &cut, at, size_bytes, &record, &used) != WEIR_OK) {
			cut = (struct weir_cut){ { 0, 0 } };
			weir_cut_short(context, at, size_bytes, &record, &used);
			used = used ? used : size_bytes;
		}
		weir_place(context, "body", line);
		r = weir_emit(context, WEIR_ALL_OUTPUTS, at, record);
		line += count_lines(at, used);
		at += used;
		size_bytes -= used;
	}
	return r;
}

static int set_baggage(struct http *http, struct weir_context *context, const struct http_request *request)
{
	int r = http->n_headers ? weir_baggage_clear(context) : 0;

	for (uint32_t i = 0; r == 0 && i < http->n_headers; i++) {
		const char *value = http_request_header(request, http->headers[i]);

		if (value)
			r = weir_baggage_set(context, http->keys[i], value, strlen(value));
	}
	return r;
}

static int emit_request(struct http *http, struct weir_context *context, const struct http_request *request)
{
	if (http->whole) {
		weir_place(context, "body", 1);
		return weir_emit(context, WEIR_ALL_OUTPUTS, request->body ? request->body : "", request->body_bytes);
	}
	if (weir_cutting(context) == WEIR_CUT_LINES)
		return emit_lines(context, request->body, request->body_bytes);
	return emit_records(context, request->body, request->body_bytes);
}

/* Refused for what it is. The group is still open: the reason is of it. Returns 0, or r if that is no refusal. */
static int refuse(struct http *http, struct weir_context *context, struct http_request *request, int r)
{
	const char *fault = weir_group_fault(context);

	if (r == WEIR_REJECTED && fault)
		http_server_answer(&http->server, request, MHD_HTTP_BAD_REQUEST,
				   "%s; nothing of this request was taken in\n", fault);
	else if (r == WEIR_REJECTED)
		http_server_answer(&http->server, request, MHD_HTTP_TOO_MANY_REQUESTS,
				   "there is no room for it: try again later\n");
	else if (r == WEIR_TOO_LARGE)
		http_server_answer(
			&http->server, request, MHD_HTTP_CONTENT_TOO_LARGE,
			"its items do not fit the lane together: send fewer at a time, or give the stage behind "
			"this one a larger `lane:`; nothing of this request was taken in\n");
	else
		return r;
	return 0;
}

/* Returns 0: it is taken, or answered; WEIR_FULL: not now; else what produce() returns. */
static int take(struct http *http, struct weir_context *context, struct http_request *request)
{
	int r = set_baggage(http, context, request);

	if (r == WEIR_TOO_LARGE) {
		http_server_answer(&http->server, request, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
				   "the headers that go along with items (`baggage`) may have %u bytes together\n",
				   WEIR_BAGGAGE_SIZE_MAX);
		return 0;
	}
	if (!request->body_bytes && !http->whole) {
		http_server_answer(&http->server, request, MHD_HTTP_BAD_REQUEST, "there is no item in it\n");
		return 0;
	}
	if (r == 0)
		r = weir_group_begin(context);
	if (r != 0)
		return r;
	r = emit_request(http, context, request);
	if (r == 0) {
		r = weir_group_end(context);
		if (r == 0)
			http_server_take(&http->server, request);
		return r;
	}
	r = refuse(http, context, request, r);
	weir_group_drop(context);
	return r;
}

/* ---- all of them ---- */

/* What was emitted in the last turn is committed. */
static void tell_taken(struct http *http)
{
	while (http->server.taken.oldest)
		http_server_answer(&http->server, http->server.taken.oldest, MHD_HTTP_ACCEPTED, "accepted\n");
}

static void tell_waiting(struct http *http, uint64_t now_ns)
{
	struct http_list *waiting = &http->server.waiting;

	while (waiting->oldest && (http->server.draining || now_ns >= waiting->oldest->since_ns + http->wait_ns))
		http_server_answer(&http->server, waiting->oldest,
				   http->server.draining ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_TOO_MANY_REQUESTS,
				   http->server.draining ? "the pipeline drains, and takes nothing in any more\n" :
							   "there was no room for it within `wait`: try again later\n");
}

static int take_waiting(struct http *http, struct weir_context *context)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < BUDGET && http->server.waiting.oldest; i++)
		r = take(http, context, http->server.waiting.oldest);
	return r;
}

static uint64_t wake_ns(const struct http *http)
{
	const struct http_request *oldest = http->server.waiting.oldest;
	uint64_t wake = http_server_wake_ns(&http->server);

	if (http->server.taken.oldest)
		return 1;
	return oldest ? deadline_earlier(wake, oldest->since_ns + http->wait_ns) : wake;
}

static int http_produce(struct weir_context *context, void *state)
{
	struct http *http = state;
	int r = 0;

	tell_taken(http);
	http->committed = false;
	http->server.draining = weir_draining(context);
	http_server_run(&http->server);
	tell_waiting(http, clock_now_ns());
	if (!http->server.draining)
		r = take_waiting(http, context);
	if (r != 0 && r != WEIR_FULL)
		return r;
	if (r == 0 && (http->server.taken.oldest || http->server.waiting.oldest))
		return WEIR_MORE; /* as soon as the commit is done */
	weir_watch(context, http_server_fd(&http->server), POLLIN, wake_ns(http));
	return WEIR_WAIT;
}

static int http_flush(struct weir_context *context, void *state)
{
	struct http *http = state;

	(void)context;
	http->committed = true;
	return 0;
}

static void http_close(struct weir_context *context, void *state)
{
	struct http *http = state;

	(void)context;
	if (!http)
		return;
	/* What the last turn has committed is told before the connections go: nobody calls produce() any more. */
	if (http->committed)
		tell_taken(http);
	http_server_close(&http->server);
	free(http->keys);
	free(http);
}

const struct weir_stage http_source_callbacks = {
	.open = http_open,
	.produce = http_produce,
	.flush = http_flush,
	.close = http_close,
	.check = http_check,
};
