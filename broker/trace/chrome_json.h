/* SPDX-License-Identifier: Apache-2.0 */
/* A timeline in Chrome's trace event format (JSON), which ui.perfetto.dev and chrome://tracing read. */
#pragma once

#include <stdio.h>

#include "broker/trace/timeline.h"

struct chrome_json {
	FILE *file;
	const struct trace_names *names;
	uint64_t origin_ns; /* time 0 of the file: of the first event */
	uint64_t n_lost;
	bool begun;
};

/* Writes what stands before all events: the names of the tracks. What can't be written is left to ferror(). */
void chrome_json_begin(struct chrome_json *json, FILE *file, const struct trace_names *names, uint64_t origin_ns);
/* Who is to be told by a timeline. */
struct timeline_writer chrome_json_writer(struct chrome_json *json);
/* Once the timeline is freed. */
void chrome_json_end(struct chrome_json *json);
