/* SPDX-License-Identifier: Apache-2.0 */
/* An item on one line. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "broker/cli/tap_payload.h"

enum tap_output { TAP_LINES, TAP_JSON, TAP_RAW, TAP_HEX };

struct tap_style {
	enum tap_output output;
	uint64_t bytes_max; /* of a payload; 0: all */
	bool visible;       /* RAW, JSON: what a terminal would obey is made visible; the others always do that */
};

struct tap_shown {
	struct timespec time; /* CLOCK_REALTIME, when it was seen */
	const char *from, *outputs, *to;
	uint32_t from_worker, to_worker, generation;
	uint64_t position, sequence, size_bytes, age_ns;
	uint64_t between; /* items that the same worker has emitted since the one shown before */
	const struct tap_payload *payload;
};

/* Appends the line, with its '\n'. */
void tap_format(const struct tap_shown *shown, const struct tap_style *style, struct text *text);
