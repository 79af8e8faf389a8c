/* SPDX-License-Identifier: Apache-2.0 */
/* Items of a timeline to an OpenTelemetry collector, as spans: some hundred in a request, one request at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/trace/timeline.h"
#include "common/base/text.h"

struct span_sender;

/* As otlp_open(). share: of the traces, otlp_spans.h. */
int span_sender_open(const char *url, double share, uint64_t for_ns, struct span_sender **ret_sender, struct text *why);
/* Once, before the first slice. */
struct timeline_writer span_sender_writer(struct span_sender *sender, const struct trace_names *names);
/* A request was given up: nothing more is sent. */
bool span_sender_has_failed(const struct span_sender *sender);
/*
 * Sends the rest, and frees it. `what` gets a sentence: how many were sent, refused, and why no more. Returns 0 or OTLP_E_FAILED. Fine on
 * NULL.
 */
int span_sender_close(struct span_sender *sender, struct text *what);
