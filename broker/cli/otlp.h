/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP/HTTP with JSON: requests to a collector, one at a time, each tried again for a bounded time. */
#pragma once

#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/text.h"

#define OTLP_FOR_NS (30 * NS_PER_S) /* unless --timeout says */

struct otlp;

/*
 * To `url`, the collector's root (http://127.0.0.1:4318), by itself or with a path in front; path: "/v1/traces". for_ns: how long one request
 * is tried. libcurl is loaded. Returns 0; OTLP_E_USAGE: it is no such URL; OTLP_E_FAILED; `why` gets a sentence unless it returns 0.
 */
enum { OTLP_E_USAGE = 1, OTLP_E_FAILED = 2 };
int otlp_open(const char *url, const char *path, uint64_t for_ns, struct otlp **ret_otlp, struct text *why);
/*
 * Sends a body, and waits for the answer. What passes (no connection, no answer, 429, 502, 503, 504) is tried again, after Retry-After
 * or twice as long each time, until the time is over. Returns 0, also when the collector has refused a part: otlp_refused();
 * OTLP_E_FAILED and `why`.
 */
int otlp_send(struct otlp *otlp, const char *body, size_t size_bytes, struct text *why);
/* How many spans or points it has taken the request of and refused, of all requests; and what it said last, "": nothing. */
uint64_t otlp_refused(const struct otlp *otlp, const char **ret_why);
/* Fine on NULL. */
void otlp_close(struct otlp *otlp);
