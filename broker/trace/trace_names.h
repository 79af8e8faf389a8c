/* SPDX-License-Identifier: Apache-2.0 */
/* Who is who in a recorded trace: what its `metadata` says of the pipeline. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

struct trace_seat {
	char *name; /* "price#0" */
	uint32_t stage;
};
struct trace_lane {
	uint32_t producer, consumer; /* seats */
	char *name;                  /* "read#0->price#0" */
};
struct trace_stage {
	char *name;
	bool in_flight; /* its items overlap */
};

struct trace_names {
	char *pipeline;
	uint64_t offset_ns; /* CLOCK_REALTIME less CLOCK_MONOTONIC */
	struct trace_stage *stages;
	struct trace_seat *seats;
	struct trace_lane *lanes;
	uint32_t n_stages, n_seats, n_lanes;
	uint32_t *sorted; /* seats, by name */
};

/*
 * Reads the text of a metadata, as ctf_metadata_write() of this version writes it. Returns 0; TRACE_NAMES_E_OTHER: it is something else,
 * and `why` says what. trace_names_deinit() in any case.
 */
enum { TRACE_NAMES_E_OTHER = 1 };
int trace_names_read(struct trace_names *names, const char *metadata, struct text *why);
void trace_names_deinit(struct trace_names *names);
