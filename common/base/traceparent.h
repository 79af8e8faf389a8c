/* SPDX-License-Identifier: Apache-2.0 */
/* The header traceparent of W3C Trace Context: which trace something belongs to, and below which span. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACEPARENT_KEY "traceparent" /* of the baggage: the header's name */
#define TRACEPARENT_SIZE 56u          /* with NUL */
#define TRACEPARENT_SAMPLED 1u        /* flags: who began the trace wants it to be recorded */

struct traceparent {
	uint64_t trace_high, trace_low, parent;
	uint32_t flags;
};

/*
 * Reads "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01". False: it is no such header, or one of nobody (zeros). Of a later
 * version as much as this one knows. Pure.
 */
bool traceparent_parse(const char *text, size_t n, struct traceparent *ret);
/* The header, of version 00. Pure. */
void traceparent_format(const struct traceparent *traceparent, char ret[static TRACEPARENT_SIZE]);

/*
 * The number of the span that an item is in a stage: the same as often as it is given, whoever asks; never 0. producer, sequence: who the
 * item is (weir/identity.h). Pure.
 */
uint64_t traceparent_span(const struct traceparent *traceparent, const char *stage, uint32_t producer,
			  uint64_t sequence);
