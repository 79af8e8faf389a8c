/* SPDX-License-Identifier: Apache-2.0 */
/* What the spec says of the sink http, and the secret that it does not say. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/stage.h>

#include "common/base/text.h"
#include "worker/sinks/http_batch.h"

enum http_auth { HTTP_AUTH_NONE = 0, HTTP_AUTH_BASIC, HTTP_AUTH_BEARER, HTTP_AUTH_HEADER };
/* What to do when the server says that it is not the items. */
enum http_denied { HTTP_DENIED_FIRST = 0, HTTP_DENIED_FAIL, HTTP_DENIED_WAIT, HTTP_DENIED_REJECT };

struct http_options {
	const char *url, *method;
	const char *ca, *cert, *key, *proxy; /* NULL: not said; key: neither is cert */
	char *shown;                         /* the URL without its query, which may be a secret; owned */
	enum http_layout layout;
	uint32_t batch, requests, attempts;
	size_t batch_bytes;
	uint64_t batch_age_ns, timeout_ns, connect_timeout_ns, backoff_ns, backoff_max_ns;
	long redirects;
	bool gzip, verify;
	enum http_auth auth;
	enum http_denied denied;
	uint16_t *retry;            /* ends with 0; owned */
	struct curl_slist *headers; /* of every request; owned */
	char *secret;               /* owned; NULL: none. HTTP_AUTH_HEADER: the header, NAME: SECRET */
	bool checks_json;           /* an array is made of text, which may be anything */
};

/* Stage's check(): all that can be known from the spec alone. */
int http_options_check(struct weir_context *context);

/* libcurl is loaded. Returns 0, WEIR_FAILED after weir_fail(), -errno. http_options_deinit() in any case. */
int http_options_read(struct http_options *options, struct weir_context *context);
void http_options_deinit(struct http_options *options);

/* Reads the secret anew: it may have been changed. Returns 0; -ENOENT and `why`, for people: the old one stays. */
int http_options_read_secret(struct http_options *options, struct weir_context *context, struct text *why);
