/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection and its request.
 *
 *                headers        body here              items emitted        committed
 *      IDLE ------------> BODY -----------> WAITING ----------------> TAKEN ---------> ANSWERING ----> IDLE (or closed)
 *       |                  |  refused: the rest of the body is thrown away ------------^  |
 *       '---- timeout -----'-------------------------------------------------------- timeout ----> ENDING
 *
 * Who waits for the pipeline is suspended: libmicrohttpd does not look at its connection, and no time limit runs but the stage's own.
 * In every other phase each has `timeout`: a client that sends a byte now and then gets no further with it than one that sends none.
 *
 * A body that is refused is read on, to nowhere: an answer in its middle would meet a client that still writes, and be lost with the reset
 * that this ends in. Who asks before (Expect: 100-continue) is answered at once; and so is a body without a clear end (http_framing).
 *
 * Memory: a place for each connection, which libmicrohttpd gives so much for the headers, and bodies, bounded for each and for all.
 */
#include "worker/sources/http_server.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/quantity.h"
#include "worker/sources/http_framing.h"
#include "worker/sources/http_library.h"
#include "worker/sources/open_limit.h"

#define HEADER_BYTES ((size_t)16384) /* of a request, with what libmicrohttpd keeps of it */
#define BODY_BYTES_MIN ((size_t)4096)
#define SURPLUS_MIN 16u /* connections that are accepted to be told that there are too many */
#define CLOSE_NS (200 * NS_PER_MS)
#define CLOSE_LOOK_MS 5

static const struct http_library *mhd; /* loaded by open() */

/* ---- lists ---- */

static struct http_list *list_of(struct http_server *server, const struct http_request *request)
{
	switch (request->phase) {
	case HTTP_WAITING:
		return &server->waiting;
	case HTTP_TAKEN:
		return &server->taken;
	case HTTP_ENDING:
		return NULL;
	default:
		return &server->talking;
	}
}

static void list_remove(struct http_list *list, struct http_request *request)
{
	if (!list)
		return;
	*(request->before ? &request->before->behind : &list->oldest) = request->behind;
	*(request->behind ? &request->behind->before : &list->youngest) = request->before;
	request->before = request->behind = NULL;
}

static void list_add(struct http_list *list, struct http_request *request)
{
	if (!list)
		return;
	request->before = list->youngest;
	request->behind = NULL;
	*(list->youngest ? &list->youngest->behind : &list->oldest) = request;
	list->youngest = request;
}

static void enter(struct http_server *server, struct http_request *request, enum http_phase phase)
{
	list_remove(list_of(server, request), request);
	request->phase = phase;
	request->since_ns = clock_now_ns();
	list_add(list_of(server, request), request);
}

/* ---- bodies ---- */

static void body_free(struct http_server *server, struct http_request *request)
{
	server->buffered_bytes -= request->body_capacity;
	free(request->body);
	request->body = NULL;
	request->body_bytes = request->body_capacity = 0;
}

static void refuse(struct http_server *server, struct http_request *request, unsigned status, const char *text, ...)
	__attribute__((format(printf, 4, 5)));

static void refuse(struct http_server *server, struct http_request *request, unsigned status, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	vsnprintf(request->text, sizeof(request->text), text, arguments);
	va_end(arguments);
	request->status = status;
	body_free(server, request);
}

static void refuse_size(struct http_server *server, struct http_request *request)
{
	char limit[QUANTITY_TEXT_SIZE];

	refuse(server, request, MHD_HTTP_CONTENT_TOO_LARGE,
	       "a request may have %s bytes (`request`): send several smaller ones\n",
	       quantity_format_count(server->request_bytes, limit));
}

static bool body_room(struct http_server *server, struct http_request *request, size_t size_bytes)
{
	size_t capacity = request->body_capacity ? request->body_capacity : BODY_BYTES_MIN;
	char *body;

	while (capacity < size_bytes)
		capacity *= 2;
	if (capacity == request->body_capacity)
		return true;
	if (server->buffered_bytes + capacity - request->body_capacity > server->buffer_bytes)
		return false;
	body = realloc(request->body, capacity);
	if (!body)
		return false;
	server->buffered_bytes += capacity - request->body_capacity;
	request->body = body;
	request->body_capacity = capacity;
	return true;
}

static void body_add(struct http_server *server, struct http_request *request, const char *piece, size_t size_bytes)
{
	if (request->body_bytes + size_bytes > server->request_bytes) {
		refuse_size(server, request);
		return;
	}
	if (!body_room(server, request, request->body_bytes + size_bytes)) {
		refuse(server, request, MHD_HTTP_TOO_MANY_REQUESTS,
		       "the requests under way take up all of `buffer`: try again later\n");
		return;
	}
	memcpy(request->body + request->body_bytes, piece, size_bytes);
	request->body_bytes += size_bytes;
}

/* ---- answers ---- */

static enum MHD_Result queue(struct http_server *server, struct http_request *request)
{
	struct MHD_Response *response =
		mhd->create_response_from_buffer(strlen(request->text), request->text, MHD_RESPMEM_MUST_COPY);
	char seconds[16];
	enum MHD_Result queued;

	if (!response)
		return MHD_NO;
	snprintf(seconds, sizeof(seconds), "%u", server->retry_after_s);
	(void)mhd->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
	if (request->status == MHD_HTTP_TOO_MANY_REQUESTS || request->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		(void)mhd->add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	if (request->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)mhd->add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
	if (request->status == MHD_HTTP_SERVICE_UNAVAILABLE || request->misframed)
		(void)mhd->add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	enter(server, request, HTTP_ANSWERING);
	queued = mhd->queue_response(request->connection, request->status, response);
	mhd->destroy_response(response);
	return queued;
}

static void resume(struct http_request *request)
{
	if (request->suspended)
		mhd->resume_connection(request->connection);
	request->suspended = false;
}

void http_server_answer(struct http_server *server, struct http_request *request, unsigned status, const char *text,
			...)
{
	va_list arguments;

	va_start(arguments, text);
	vsnprintf(request->text, sizeof(request->text), text, arguments);
	va_end(arguments);
	request->status = status;
	body_free(server, request);
	enter(server, request, HTTP_ANSWERING);
	resume(request);
}

void http_server_take(struct http_server *server, struct http_request *request)
{
	body_free(server, request);
	enter(server, request, HTTP_TAKEN);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
	return mhd->lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* ---- a request ---- */

static bool has_no_length(const struct http_request *request)
{
	return !http_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH) &&
	       !http_request_header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/* What can be said by the headers alone. */
static void look_at_headers(struct http_server *server, struct http_request *request, const char *url,
			    const char *method)
{
	const char *coding = http_request_header(request, MHD_HTTP_HEADER_CONTENT_ENCODING);
	const char *length = http_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

	if (server->draining)
		refuse(server, request, MHD_HTTP_SERVICE_UNAVAILABLE,
		       "the pipeline drains, and takes nothing in any more\n");
	else if (request->surplus)
		refuse(server, request, MHD_HTTP_SERVICE_UNAVAILABLE,
		       "there are as many connections as there may be (`connections`): try again later\n");
	else if (strcmp(url, server->path) != 0)
		refuse(server, request, MHD_HTTP_NOT_FOUND, "there is nothing here: POST to %.200s\n", server->path);
	else if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
		refuse(server, request, MHD_HTTP_METHOD_NOT_ALLOWED, "items are sent here: POST, not %.20s\n", method);
	else if (coding && strcasecmp(coding, "identity") != 0)
		refuse(server, request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
		       "Content-Encoding: %.40s is not understood: send the body as it is\n", coding);
	else if (has_no_length(request))
		refuse(server, request, MHD_HTTP_LENGTH_REQUIRED,
		       "a body has a Content-Length, or is sent with Transfer-Encoding: chunked\n");
	else if (length && strtoull(length, NULL, 10) > server->request_bytes)
		refuse_size(server, request);
}

static struct http_request *request_of(struct MHD_Connection *connection)
{
	return mhd->get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result begin(struct http_server *server, struct http_request *request, const char *url,
			     const char *method, const char *version)
{
	const char *expect = http_request_header(request, MHD_HTTP_HEADER_EXPECT);
	unsigned status;
	const char *fault = http_framing_fault(mhd, request->connection, version, &status);

	request->status = 0;
	request->begun = true;
	request->misframed = fault;
	enter(server, request, HTTP_BODY);
	if (fault)
		refuse(server, request, status, "%s", fault);
	else
		look_at_headers(server, request, url, method);
	return request->status && (expect || fault) ? queue(server, request) : MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *piece, size_t *size_bytes, void **con_cls)
{
	struct http_server *server = cls;
	struct http_request *request = request_of(connection);

	if (!*con_cls) {
		*con_cls = request;
		return begin(server, request, url, method, version);
	}
	if (*size_bytes) {
		if (!request->status)
			body_add(server, request, piece, *size_bytes);
		*size_bytes = 0;
		return MHD_YES;
	}
	if (request->status)
		return queue(server, request);
	enter(server, request, HTTP_WAITING);
	request->suspended = true;
	mhd->suspend_connection(connection);
	return MHD_YES;
}

static void *note_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
	(void)cls;
	(void)uri;
	request_of(connection)->begun = true;
	return NULL; /* the first value of con_cls */
}

static void note_end(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode why)
{
	struct http_server *server = cls;
	struct http_request *request = request_of(connection);

	(void)why;
	*con_cls = NULL;
	if (!request)
		return;
	body_free(server, request);
	request->status = 0;
	request->begun = false;
	if (request->phase != HTTP_ENDING)
		enter(server, request, HTTP_IDLE);
}

/* ---- connections ---- */

static void connected(struct http_server *server, struct MHD_Connection *connection, void **socket_context)
{
	struct http_request *request = server->free[server->capacity - ++server->n];

	*request = (struct http_request){
		.connection = connection,
		.fd = mhd->get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
		.phase = HTTP_ENDING, /* in no list */
		.surplus = server->n > server->n_may,
	};
	enter(server, request, HTTP_IDLE);
	*socket_context = request;
	if (request->surplus && !server->full_said)
		weir_log(WEIR_LOG_WARNING,
			 "there are %u connections, which is all there may be: others are answered with 503",
			 server->n_may);
	server->full_said = server->full_said || request->surplus;
}

static void note_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			    enum MHD_ConnectionNotificationCode what)
{
	struct http_server *server = cls;
	struct http_request *request = *socket_context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		connected(server, connection, socket_context);
		return;
	}
	if (!request)
		return;
	body_free(server, request);
	list_remove(list_of(server, request), request);
	*request = (struct http_request){ .fd = -1 };
	server->free[server->capacity - server->n--] = request;
	if (server->n < server->n_may)
		server->full_said = false;
	*socket_context = NULL;
}

/* Past libmicrohttpd, which has no answer for a request that is not whole; then it sees the end of the connection. */
static void cut_off(struct http_server *server, struct http_request *request, const char *head, const char *text)
{
	char answer[256];
	int n = snprintf(
		answer, sizeof(answer),
		"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", head,
		strlen(text), text);

	if (request->begun && request->phase != HTTP_ANSWERING)
		(void)send(request->fd, answer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(request->fd, SHUT_RDWR);
	enter(server, request, HTTP_ENDING);
}

static void cut_off_slow(struct http_server *server, uint64_t now_ns)
{
	struct http_request *request;

	while ((request = server->talking.oldest) && now_ns >= request->since_ns + server->timeout_ns)
		cut_off(server, request, "408 Request Timeout",
			"the request has not come as a whole within `timeout`\n");
}

/* ---- the server ---- */

static void log_line(void *cls, const char *format, va_list arguments)
{
	char line[256];

	(void)cls;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	weir_log(WEIR_LOG_DEBUG, "libmicrohttpd: %s", line);
}

static void panic(void *cls, const char *file, unsigned line, const char *reason)
{
	(void)cls;
	weir_log(WEIR_LOG_ERROR, "libmicrohttpd has lost its way (%s:%u: %s): this worker ends", file, line,
		 reason ? reason : "no reason");
	abort();
}

static void read_options(struct http_server *server, struct weir_context *context)
{
	uint64_t wanted = (uint64_t)weir_option_integer(context, "connections");
	uint64_t surplus = wanted / 4 + SURPLUS_MIN;
	uint32_t most = open_limit(wanted + surplus);

	server->capacity = most;
	server->n_may = wanted + surplus <= most ? (uint32_t)wanted : most - most / 4;
	if (server->n_may < wanted)
		weir_log(WEIR_LOG_WARNING,
			 "at most %u connections, not %llu: a process may have no more files open (ulimit -n)",
			 server->n_may, (unsigned long long)wanted);
	server->buffer_bytes = (size_t)weir_option_integer(context, "buffer");
	server->request_bytes = (size_t)weir_option_integer(context, "request");
	server->timeout_ns = (uint64_t)weir_option_integer(context, "timeout");
	server->retry_after_s =
		(unsigned)(((uint64_t)weir_option_integer(context, "retry_after") + NS_PER_S - 1) / NS_PER_S);
	server->path = weir_option_string(context, "path");
}

static int make_places(struct http_server *server)
{
	server->at = calloc(server->capacity, sizeof(*server->at));
	server->free = calloc(server->capacity, sizeof(struct http_request *));
	if (!server->at || !server->free)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < server->capacity; i++) {
		server->at[i].fd = -1;
		server->free[i] = &server->at[server->capacity - 1 - i];
	}
	return 0;
}

int http_server_open(struct http_server *server, struct weir_context *context)
{
	const char *why;
	int r;

	*server = (struct http_server){ .listener.fd = -1 };
	mhd = http_library_load(&why);
	if (!mhd) {
		weir_fail(context, "the library for HTTP can't be loaded: %s; install the package libmicrohttpd12",
			  why);
		return WEIR_FAILED;
	}
	read_options(server, context);
	r = make_places(server);
	if (r == 0)
		r = listener_open(&server->listener, context);
	if (r != 0)
		return r;
	mhd->set_panic_func(panic, NULL);
	server->daemon = mhd->start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, server,
		MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL, MHD_OPTION_LISTEN_SOCKET, server->listener.fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->capacity, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		HEADER_BYTES, MHD_OPTION_NOTIFY_COMPLETED, note_end, server, MHD_OPTION_NOTIFY_CONNECTION,
		note_connection, server, MHD_OPTION_URI_LOG_CALLBACK, note_begin, server,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	return server->daemon ? 0 : error_origin(-ENOMEM);
}

void http_server_run(struct http_server *server)
{
	(void)mhd->run(server->daemon);
	cut_off_slow(server, clock_now_ns());
}

int http_server_fd(const struct http_server *server)
{
	return mhd->get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

uint64_t http_server_wake_ns(const struct http_server *server)
{
	const struct http_request *oldest = server->talking.oldest;
	MHD_UNSIGNED_LONG_LONG ms;
	uint64_t wake_ns = oldest ? oldest->since_ns + server->timeout_ns : 0;

	if (mhd->get_timeout(server->daemon, &ms) == MHD_YES)
		wake_ns = deadline_earlier(wake_ns, ms ? clock_now_ns() + ms * NS_PER_MS : 1);
	return wake_ns;
}

/* ---- the end ---- */

static bool is_being_answered(const struct http_server *server)
{
	for (const struct http_request *at = server->talking.oldest; at; at = at->behind)
		if (at->phase == HTTP_ANSWERING)
			return true;
	return false;
}

static void dismiss(struct http_server *server, struct http_list *list)
{
	while (list->oldest)
		http_server_answer(server, list->oldest, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "the pipeline ends: nothing of this request was taken in\n");
}

void http_server_close(struct http_server *server)
{
	uint64_t until_ns = clock_now_ns() + CLOSE_NS;

	if (server->daemon) {
		(void)mhd->quiesce_daemon(server->daemon);
		server->draining = true;
		dismiss(server, &server->waiting);
		dismiss(server, &server->taken);
		do {
			struct pollfd fd = { .fd = http_server_fd(server), .events = POLLIN };

			(void)mhd->run(server->daemon);
			if (is_being_answered(server))
				(void)poll(&fd, 1, CLOSE_LOOK_MS);
		} while (is_being_answered(server) && clock_now_ns() < until_ns);
		while (server->talking.oldest)
			cut_off(server, server->talking.oldest, "503 Service Unavailable",
				"the pipeline ends: nothing of this request was taken in\n");
		mhd->stop_daemon(server->daemon);
		server->daemon = NULL;
	}
	listener_close(&server->listener);
	free(server->at);
	free(server->free);
}
