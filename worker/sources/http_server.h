/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over HTTP, whole, and an answer for each. libmicrohttpd in the worker's own thread and loop; nothing here waits. What is in the
 * requests is not looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>

#include "worker/sources/listener.h"

#define HTTP_TEXT_SIZE 512u

struct MHD_Connection;
struct MHD_Daemon;

enum http_phase {
	HTTP_IDLE,      /* between two requests, or in the headers of one */
	HTTP_BODY,      /* its headers are here */
	HTTP_WAITING,   /* it is here as a whole, and suspended */
	HTTP_TAKEN,     /* its items are emitted; suspended */
	HTTP_ANSWERING, /* what it is told is known */
	HTTP_ENDING,    /* its connection is shut, and will be closed */
};

/* One connection, and the request that it has. */
struct http_request {
	struct MHD_Connection *connection; /* NULL: this place is free */
	int fd;
	enum http_phase phase;
	uint64_t since_ns;                    /* in this phase */
	struct http_request *before, *behind; /* in the list of those in such a phase, the oldest first */
	char *body;                           /* owned */
	size_t body_bytes, body_capacity;
	unsigned status; /* 0: none yet */
	char text[HTTP_TEXT_SIZE];
	bool begun;   /* something has come of a request */
	bool surplus; /* there were as many connections as there may be */
	bool suspended;
	bool misframed; /* where it ends is not clear: it is the last one of its connection */
};

struct http_list {
	struct http_request *oldest, *youngest;
};

struct http_server {
	struct listener listener;
	struct MHD_Daemon *daemon;
	struct http_request *at; /* capacity of them; owned */
	struct http_request **free;
	uint32_t capacity, n, n_may;
	struct http_list talking, waiting, taken;
	size_t buffered_bytes, buffer_bytes, request_bytes;
	uint64_t timeout_ns;
	unsigned retry_after_s;
	const char *path;
	bool draining; /* from here on everybody is told so */
	bool full_said;
};

/*
 * Listens, as the options say. Returns 0; WEIR_FAILED after weir_fail(); -errno. May block on the look-up of a name. On failure close it,
 * too.
 */
int http_server_open(struct http_server *server, struct weir_context *context);
/* Those who wait for an answer hear that there is none now, within a fifth of a second; then all connections are closed. */
void http_server_close(struct http_server *server);

/* Reads, writes and accepts what can be at once; who is too slow is cut off. New requests are in server->waiting, the oldest first. */
void http_server_run(struct http_server *server);
/* A descriptor that gets ready when there is something to do, and when there is something in any case (0: never). */
int http_server_fd(const struct http_server *server);
uint64_t http_server_wake_ns(const struct http_server *server);

/* Answers one that waits or is taken; with the next run. */
void http_server_answer(struct http_server *server, struct http_request *request, unsigned status, const char *text,
			...) __attribute__((format(printf, 4, 5)));
/* One that waits is taken: its items are emitted. Its body is freed. */
void http_server_take(struct http_server *server, struct http_request *request);
/* A header of a request, as long as it has no answer; NULL: it has none of that name. */
const char *http_request_header(const struct http_request *request, const char *name);
