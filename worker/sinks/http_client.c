/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      libcurl --watch this socket--> epoll --readable--> the worker's sleep --> http_client_run() --> libcurl
 *              --call me at-------> timer_ns ------------^
 *
 * A handle for each place, and a connection for each at most; both stay for the next request. Nothing here waits: also a name that nobody
 * resolves is left at once (CURLOPT_QUICK_EXIT). Debian's libcurl resolves names in a thread of its own, which ends with the resolver's
 * answer, however late: it has all signals blocked, and touches nothing but a note that libcurl left it.
 */
#include "worker/sinks/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weir/version.h>
#include <zlib.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/base/curl_library.h"

#define EVENTS_AT_ONCE 64
#define ANSWER_BYTES_MAX 65536u /* what is longer is not read to its end */
#define GZIP_WINDOW_BITS (15 + 16)
#define GZIP_LEVEL 6
#define RETRY_AFTER_S_MAX 3600

/* ---- what libcurl calls ---- */

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
	struct http_client *client = data;
	struct epoll_event event = { .data.fd = fd };

	(void)easy;
	(void)known;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(client->events, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	if (epoll_ctl(client->events, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return epoll_ctl(client->events, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -1;
}

static int set_timer(CURLM *multi, long timeout_ms, void *data)
{
	struct http_client *client = data;

	(void)multi;
	client->timer_ns = timeout_ms < 0 ? 0 : clock_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	return 0;
}

static size_t take_answer(char *bytes, size_t size, size_t n, void *data)
{
	struct http_call *call = data;

	n *= size;
	for (size_t i = 0; i < n && call->answer_bytes + i < HTTP_ANSWER_SHOWN; i++) {
		unsigned char c = (unsigned char)bytes[i];

		call->answer[call->answer_bytes + i] = (char)(c < ' ' || c == 0x7f ? ' ' : c);
	}
	call->answer_bytes += n;
	call->cut = call->answer_bytes > ANSWER_BYTES_MAX;
	return call->cut ? 0 : n;
}

/* ---- opening ---- */

/* No thread is needed to find out where that is: a redirect, or a proxy, may be a name. */
static bool is_address(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	char name[64] = "";
	struct in_addr address;

	if (*host == '[')
		return true;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, ":/?"), host);
	return inet_pton(AF_INET, name, &address) == 1 || !strcasecmp(name, "localhost");
}

static long ms(uint64_t ns)
{
	return (long)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void set_secret(const struct http_client *client, CURL *easy)
{
	const struct http_options *options = client->options;

	if (options->auth == HTTP_AUTH_BASIC) {
		curl.easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl.easy_setopt(easy, CURLOPT_USERPWD, options->secret);
	} else if (options->auth == HTTP_AUTH_BEARER) {
		curl.easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl.easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, options->secret);
	}
}

static void set_certificates(const struct http_options *options, CURL *easy)
{
	curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options->verify ? 1L : 0L);
	curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options->verify ? 2L : 0L);
	if (options->ca)
		curl.easy_setopt(easy, CURLOPT_CAINFO, options->ca);
	if (!options->cert)
		return;
	curl.easy_setopt(easy, CURLOPT_SSLCERT, options->cert);
	curl.easy_setopt(easy, CURLOPT_SSLKEY, options->key);
}

static void set_method(const struct http_options *options, CURL *easy)
{
	curl.easy_setopt(easy, CURLOPT_POST, 1L);
	if (strcmp(options->method, "POST"))
		curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, options->method);
	curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, options->redirects ? 1L : 0L);
	curl.easy_setopt(easy, CURLOPT_MAXREDIRS, options->redirects);
	curl.easy_setopt(easy, CURLOPT_POSTREDIR, CURL_REDIR_POST_ALL); /* it stays what it is */
	curl.easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
			 strncasecmp(options->url, "https:", 6) ? "http,https" : "https");
}

static void set_options(struct http_client *client, struct http_call *call)
{
	const struct http_options *options = client->options;
	CURL *easy = call->easy;

	curl.easy_setopt(easy, CURLOPT_URL, options->url);
	curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl.easy_setopt(easy, CURLOPT_PROXY, options->proxy ? options->proxy : ""); /* not the environment's */
	curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms(options->timeout_ns));
	curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms(options->connect_timeout_ns));
	set_certificates(options, easy);
	curl.easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
	curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, (void *)call);
	curl.easy_setopt(easy, CURLOPT_PRIVATE, (void *)call);
	set_method(options, easy);
}

int http_client_open(struct http_client *client, struct weir_context *context, const struct http_options *options)
{
	*client = (struct http_client){ .events = -1, .options = options };
	client->resolves = !is_address(options->url) || options->redirects || (options->proxy && *options->proxy);
	snprintf(client->prefix, sizeof(client->prefix), "%s.%s.", weir_pipeline_name(context),
		 weir_stage_name(context));
	client->events = epoll_create1(EPOLL_CLOEXEC);
	if (client->events < 0)
		return error_origin(-errno);
	client->multi = curl.multi_init();
	client->calls = calloc(options->requests, sizeof(*client->calls));
	if (!client->multi || !client->calls)
		return error_origin(-ENOMEM);
	curl.multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl.multi_setopt(client->multi, CURLMOPT_SOCKETDATA, (void *)client);
	curl.multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl.multi_setopt(client->multi, CURLMOPT_TIMERDATA, (void *)client);
	curl.multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->requests);
	for (; client->n < options->requests; client->n++) {
		struct http_call *call = &client->calls[client->n];

		call->easy = curl.easy_init();
		if (!call->easy)
			return error_origin(-ENOMEM);
		set_options(client, call);
	}
	return 0;
}

static void free_call(struct http_client *client, struct http_call *call)
{
	if (call->state == HTTP_SENT)
		curl.multi_remove_handle(client->multi, call->easy);
	curl.easy_cleanup(call->easy);
	text_deinit(&call->key);
	text_deinit(&call->list);
	text_deinit(&call->trace);
	text_deinit(&call->secret);
	record_scratch_deinit(&call->packed);
}

void http_client_close(struct http_client *client)
{
	for (uint32_t i = 0; i < client->n; i++)
		free_call(client, &client->calls[i]);
	if (client->multi)
		curl.multi_cleanup(client->multi);
	free(client->calls);
	if (client->options)
		client->events = fd_close(client->events);
	client->calls = NULL;
	client->multi = NULL;
	client->n = 0;
}

/* ---- a request ---- */

/* Returns 0 and what the body has become; -ENOMEM. */
static int pack(struct http_call *call, const void **ret_data, size_t *ret_bytes)
{
	const struct http_batch *batch = call->batch;
	z_stream stream = { .next_in = (z_const Bytef *)batch->body.data, .avail_in = (uInt)batch->body_bytes };
	int r;

	if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return error_origin(-ENOMEM);
	stream.avail_out = (uInt)deflateBound(&stream, batch->body_bytes);
	stream.next_out = record_scratch_get(&call->packed, stream.avail_out);
	r = deflate(&stream, Z_FINISH);
	*ret_data = call->packed.data;
	*ret_bytes = stream.total_out;
	deflateEnd(&stream);
	must(r == Z_STREAM_END); /* the room is deflateBound()'s */
	return 0;
}

/* In front of those that are there. */
static void put_header(struct http_call *call, unsigned n, const struct text *header)
{
	call->headers[n] = (struct curl_slist){ header->data, n ? &call->headers[n - 1] : NULL };
}

static unsigned add_trace(struct http_call *call, unsigned n)
{
	struct traceparent trace;
	char value[TRACEPARENT_SIZE];

	if (!http_batch_trace(call->batch, &trace))
		return n;
	traceparent_format(&trace, value);
	text_clear(&call->trace);
	text_printf(&call->trace, "Traceparent: %s", value);
	put_header(call, n, &call->trace);
	return n + 1;
}

static void set_headers(const struct http_client *client, struct http_call *call)
{
	unsigned n = 0;

	text_clear(&call->key);
	text_add(&call->key, "Idempotency-Key: ");
	http_batch_key(call->batch, client->prefix, &call->key);
	text_clear(&call->list);
	text_add(&call->list, "Weir-Items: ");
	http_batch_list(call->batch, &call->list);
	put_header(call, n++, &call->key);
	put_header(call, n++, &call->list);
	n = add_trace(call, n);
	if (client->options->auth == HTTP_AUTH_HEADER) {
		text_clear(&call->secret);
		text_add(&call->secret, client->options->secret);
		put_header(call, n++, &call->secret);
	}
	call->headers[0].next = client->options->headers;
	curl.easy_setopt(call->easy, CURLOPT_HTTPHEADER, &call->headers[n - 1]);
}

int http_client_send(struct http_client *client, struct http_call *call)
{
	const void *data = call->batch->body_bytes ? call->batch->body.data : "";
	size_t size_bytes = call->batch->body_bytes;
	int r = client->options->gzip ? pack(call, &data, &size_bytes) : 0;

	if (r != 0)
		return r;
	set_headers(client, call);
	set_secret(client, call->easy); /* which may be another one now */
	curl.easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size_bytes);
	curl.easy_setopt(call->easy, CURLOPT_POSTFIELDS, data);
	call->error[0] = '\0';
	memset(call->answer, 0, sizeof(call->answer));
	call->answer_bytes = 0;
	call->cut = false;
	if (curl.multi_add_handle(client->multi, call->easy) != CURLM_OK)
		return error_origin(-ENOMEM);
	call->state = HTTP_SENT;
	return 0;
}

void http_client_abort(struct http_client *client, struct http_call *call)
{
	if (call->state != HTTP_SENT)
		return;
	curl.multi_remove_handle(client->multi, call->easy);
	call->state = HTTP_RESTING;
	call->until_ns = 0;
}

/* ---- answers ---- */

static void trim(char *text)
{
	for (size_t n = strlen(text); n && text[n - 1] == ' '; n--)
		text[n - 1] = '\0';
}

/* Without its query, which may be a secret. */
static int shown_bytes(const char *location)
{
	size_t n = strcspn(location, "?");

	return n < HTTP_ANSWER_SHOWN ? (int)n : (int)HTTP_ANSWER_SHOWN;
}

static void describe(struct http_call *call)
{
	const char *name = http_status_name(call->status);
	char *location = NULL;

	trim(call->answer);

	if (call->code != CURLE_OK) {
		snprintf(call->why, sizeof(call->why), "%s",
			 call->error[0] ? call->error : curl.easy_strerror(call->code));
		return;
	}
	curl.easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &location);
	if (location)
		snprintf(call->why, sizeof(call->why),
			 "it answered %ld%s%s, go to %.*s; write that as `url`, or say redirects: 3", call->status,
			 *name ? " " : "", name, shown_bytes(location), location);
	else
		snprintf(call->why, sizeof(call->why), "it answered %ld%s%s%s%s%s", call->status, *name ? " " : "",
			 name, call->answer[0] ? ", '" : "", call->answer, call->answer[0] ? "'" : "");
}

/* With GnuTLS libcurl has one code for whatever is wrong with a handshake, and words for this. */
static bool is_our_certificate(const struct http_call *call, CURLcode code)
{
	static const char words[] = "error reading X.509";

	return code == CURLE_SSL_CONNECT_ERROR && !strncmp(call->error, words, sizeof(words) - 1);
}

static void end(struct http_client *client, struct http_call *call, CURLcode code)
{
	curl_off_t after_s = 0;

	call->code = code == CURLE_WRITE_ERROR && call->cut ? CURLE_OK :
		     is_our_certificate(call, code)         ? CURLE_SSL_CERTPROBLEM :
							      code;
	curl.easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
	curl.easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &after_s);
	after_s = after_s < 0 ? 0 : after_s > RETRY_AFTER_S_MAX ? RETRY_AFTER_S_MAX : after_s;
	call->retry_after_ns = (uint64_t)after_s * NS_PER_S;
	describe(call);
	curl.multi_remove_handle(client->multi, call->easy);
	call->state = HTTP_ENDED;
}

static void hear_ends(struct http_client *client)
{
	CURLMsg *message;
	int n;

	while ((message = curl.multi_info_read(client->multi, &n))) {
		struct http_call *call = NULL;
		CURLcode code = message->data.result;

		curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		if (message->msg == CURLMSG_DONE && call)
			end(client, call, code);
	}
}

static void act(struct http_client *client, curl_socket_t fd, int what)
{
	int n;

	(void)curl.multi_socket_action(client->multi, fd, what, &n);
}

static void drive(struct http_client *client)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(client->events, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < n; i++)
		act(client, events[i].data.fd,
		    (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			    (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			    (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
	if (client->timer_ns && clock_now_ns() >= client->timer_ns) {
		client->timer_ns = 0;
		act(client, CURL_SOCKET_TIMEOUT, 0);
	}
}

/* A thread that resolves a name begins in here, and has the signals that are blocked now: all. */
void http_client_run(struct http_client *client)
{
	sigset_t all, before;

	if (client->resolves) {
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &before);
	}
	drive(client);
	if (client->resolves)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	hear_ends(client);
}
