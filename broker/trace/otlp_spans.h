/* SPDX-License-Identifier: Apache-2.0 */
/* Items of a timeline as spans of OpenTelemetry, in the JSON of OTLP. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/trace/timeline.h"
#include "common/base/text.h"

/*
 * Whether its trace is in the sample: of those that say themselves whether they want to be recorded the ones that do, and of them and all
 * others a share from 0 to 1; the same answer for all spans of a trace, in every export.
 */
bool otlp_span_is_wanted(const struct trace_names *names, const struct timeline_slice *item, double share);
/* Appends it. An item that brings no traceparent along is a trace by itself. */
void otlp_span_add(struct text *text, const struct trace_names *names, const struct timeline_slice *item);
