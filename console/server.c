/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      accept --- more than there may be ---> closed at once
 *         |
 *      headers (16 KiB) ---> method, Host, Sec-Fetch-Site ---> route_answer() ---> answer, security headers
 *         '----------------------- 15 s, then it is cut off -----------------------'
 *
 * libmicrohttpd knows of idle connections only: a client that sends, or takes, a byte now and then would have its thread for ever. So each
 * connection has a place with the time its request began, and server_expire() shuts its socket; the descriptor itself is closed by
 * libmicrohttpd, which says so first, under the same mutex.
 */
#include "console/server.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define STACK_BYTES ((size_t)1 << 20)

struct place {
	int fd;            /* -1: free */
	uint64_t since_ns; /* its request has begun, or the last one has ended */
};

struct server {
	const struct console *console;
	const struct listener *listener;
	struct MHD_Daemon *daemon;
	pthread_mutex_t mutex;
	struct place places[SERVER_CONNECTIONS_MAX];
};

/* What a page of ours may do, and nobody else with it. */
static const struct {
	const char *name, *value;
} headers[] = {
	{ "Content-Security-Policy",
	  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
	  "form-action 'none'; frame-ancestors 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Cache-Control", "no-store" },
};

static enum MHD_Result send_reply(struct MHD_Connection *connection, const struct reply *reply)
{
	const char *bytes = reply->constant ? reply->constant : text_get(&reply->body);
	size_t size_bytes = reply->constant ? reply->constant_bytes : reply->body.length;
	struct MHD_Response *response = MHD_create_response_from_buffer(
		size_bytes, (void *)(uintptr_t)bytes, reply->constant ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
	enum MHD_Result queued;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		(void)MHD_add_response_header(response, headers[i].name, headers[i].value);
	if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	queued = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return queued;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* A page of another site may link here, and that is all. */
static bool is_cross_site(struct MHD_Connection *connection)
{
	const char *site = header_of(connection, "Sec-Fetch-Site"), *mode = header_of(connection, "Sec-Fetch-Mode");

	return site && strcasecmp(site, "cross-site") == 0 && (!mode || strcasecmp(mode, "navigate") != 0);
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *length = header_of(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return header_of(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) || (length && strcmp(length, "0") != 0);
}

/* What can be said by the headers alone. Returns true if there is an answer now. */
static bool refuse(const struct server *server, struct MHD_Connection *connection, const char *method,
		   struct reply *reply)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		reply_fail(reply, MHD_HTTP_METHOD_NOT_ALLOWED, "nothing can be changed here: GET or HEAD");
	else if (!listener_takes_host(server->listener, header_of(connection, MHD_HTTP_HEADER_HOST)))
		reply_fail(reply, MHD_HTTP_MISDIRECTED_REQUEST,
			   "the console is not called so: use an address or localhost, or start it with --host NAME");
	else if (is_cross_site(connection))
		reply_fail(reply, MHD_HTTP_FORBIDDEN, "another site may not read this");
	else if (has_body(connection))
		reply_fail(reply, MHD_HTTP_CONTENT_TOO_LARGE, "a GET has no body here");
	else
		return false;
	return true;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *piece, size_t *size_bytes, void **con_cls)
{
	static int begun;
	struct server *server = cls;
	struct reply reply = REPLY_NULL;
	enum MHD_Result r;

	(void)version, (void)piece;
	if (*size_bytes) {
		*size_bytes = 0;
		return MHD_YES;
	}
	if (!*con_cls) {
		*con_cls = &begun;
		if (!refuse(server, connection, method, &reply))
			return MHD_YES; /* comes again when the request is whole */
	} else {
		route_answer(server->console, url, &reply);
	}
	r = send_reply(connection, &reply);
	reply_deinit(&reply);
	return r;
}

/* ---- connections ---- */

static void take_place(struct server *server, int fd, void **socket_context)
{
	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		if (server->places[i].fd < 0) {
			server->places[i] = (struct place){ .fd = fd, .since_ns = clock_now_ns() };
			*socket_context = &server->places[i];
			return;
		}
}

static void note_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			    enum MHD_ConnectionNotificationCode what)
{
	struct server *server = cls;
	struct place *place;

	pthread_mutex_lock(&server->mutex);
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		take_place(server, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
			   socket_context);
	} else if (*socket_context) {
		place = *socket_context;
		place->fd = -1;
		*socket_context = NULL;
	}
	pthread_mutex_unlock(&server->mutex);
}

static void note_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
			   enum MHD_RequestTerminationCode why)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct server *server = cls;
	struct place *place = info ? info->socket_context : NULL;

	(void)why;
	*con_cls = NULL;
	pthread_mutex_lock(&server->mutex);
	if (place)
		place->since_ns = clock_now_ns();
	pthread_mutex_unlock(&server->mutex);
}

void server_expire(struct server *server, uint64_t now_ns)
{
	pthread_mutex_lock(&server->mutex);
	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		if (server->places[i].fd >= 0 && now_ns > server->places[i].since_ns + SERVER_REQUEST_NS)
			shutdown(server->places[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&server->mutex);
}

/* ---- the noun ---- */

static void say_nothing(void *cls, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

static void say_nothing(void *cls, const char *format, va_list arguments)
{
	(void)cls, (void)format, (void)arguments;
}

int server_new(const struct console *console, const struct listener *listener, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));
	int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0); /* libmicrohttpd closes its own */

	if (!server || fd < 0) {
		free(server);
		return error_origin(fd < 0 ? -errno : -ENOMEM);
	}
	*server = (struct server){ .console = console, .listener = listener };
	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		server->places[i].fd = -1;
	must(pthread_mutex_init(&server->mutex, NULL) == 0);
	server->daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC |
			MHD_USE_ERROR_LOG,
		0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL, MHD_OPTION_LISTEN_SOCKET,
		fd, MHD_OPTION_CONNECTION_LIMIT, SERVER_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)SERVER_HEADER_BYTES, MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)(SERVER_REQUEST_NS / NS_PER_S), MHD_OPTION_NOTIFY_CONNECTION, note_connection, server,
		MHD_OPTION_NOTIFY_COMPLETED, note_completed, server, MHD_OPTION_END);
	if (!server->daemon) {
		fd_close(fd);
		pthread_mutex_destroy(&server->mutex);
		free(server);
		return error_origin(-EAGAIN);
	}
	*ret_server = server;
	return 0;
}

struct server *server_free(struct server *server)
{
	if (!server)
		return NULL;
	pthread_mutex_lock(&server->mutex);
	for (unsigned i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		if (server->places[i].fd >= 0)
			shutdown(server->places[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&server->mutex);
	MHD_stop_daemon(server->daemon);
	pthread_mutex_destroy(&server->mutex);
	free(server);
	return NULL;
}
