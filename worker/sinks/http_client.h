/* SPDX-License-Identifier: Apache-2.0 */
/* Requests under way: libcurl in the worker's own sleep, without a thread or a signal. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "worker/sinks/http_options.h"
#include "worker/sinks/http_verdict.h"

#define HTTP_ANSWER_SHOWN 200u /* bytes of an answer that people get to see */

enum http_call_state {
	HTTP_IDLE = 0, /* no batch */
	HTTP_RESTING,  /* its batch waits for until_ns */
	HTTP_SENT,     /* under way */
	HTTP_ENDED,    /* answered, or failed: code, status */
};

/* A place for one request at a time. */
struct http_call {
	enum http_call_state state;
	struct http_batch *batch; /* owned */
	uint64_t until_ns;        /* RESTING */
	CURLcode code;
	long status;             /* 0: no answer has begun */
	uint64_t retry_after_ns; /* how long it is to wait; 0: not said */
	char why[CURL_ERROR_SIZE + HTTP_ANSWER_SHOWN +
		 128]; /* what came of it, the last time; "": it was not sent yet */

	/* the client's */
	CURL *easy;
	struct text key, list, trace,
		secret; /* headers; libcurl looks at them until the call has ended, and the secret may change */
	struct curl_slist headers[4];
	struct record_scratch packed;
	char error[CURL_ERROR_SIZE];
	char answer[HTTP_ANSWER_SHOWN + 1];
	size_t answer_bytes; /* all that came */
	bool cut;            /* there was more than anybody wants */
};

struct http_client {
	CURLM *multi;
	int events;              /* epoll: readable when http_client_run() has something to do */
	uint64_t timer_ns;       /* call it then, too; 0: no need */
	bool resolves;           /* the host is a name */
	struct http_call *calls; /* owned */
	uint32_t n;
	const struct http_options *options;
	char prefix[256]; /* of keys */
};

/* libcurl is loaded. Returns 0, -errno, WEIR_FAILED after weir_fail(). http_client_close() in any case. */
int http_client_open(struct http_client *client, struct weir_context *context, const struct http_options *options);
/* Leaves whatever is under way; does not wait, whatever libcurl is at. Batches stay with their calls, for whoever frees them. */
void http_client_close(struct http_client *client);

/* Sends the call's batch, which stays as it is until the call has ended. Does not wait. Returns 0; -errno. */
int http_client_send(struct http_client *client, struct http_call *call);
/* SENT: leaves it; RESTING until now. Others: nothing. */
void http_client_abort(struct http_client *client, struct http_call *call);
/* What the sockets and the time bring: calls may be ENDED then. Does not wait. */
void http_client_run(struct http_client *client);
