/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees while a pipeline runs: the block of live lines, or one progress line. Pure: a view in, text out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "broker/cli/rates.h"
#include "broker/supervise/view.h"
#include "common/base/text.h"

struct live_style {
	unsigned columns, rows; /* of the terminal */
	bool utf8, color;
};

/* Appends the block: a header, a line for each stage, a last line with the bar or the time. Returns the number of lines. */
size_t live_format(const struct view *view, const struct rates *rates, const struct live_style *style,
		   struct text *text);

/* Appends the same in one line without '\n', for a log: "12 s: accepted 1,234 (100/s), delivered 1,200 (98/s), in flight 34". */
void live_format_line(const struct view *view, const struct rates *rates, struct text *text);

/* The stages as a table with a header, for `weir ps NAME`: each stage, and below it its workers with pid and state. */
void live_format_tree(const struct view *view, const struct live_style *style, struct text *text);

/* The state of the stage as a whole: that of the worker one would look at first. */
const char *live_stage_state(const struct view_stage *stage);
/* "1,234", from ten million on "12.3M". */
#define LIVE_NUMBER_SIZE 32
char *live_number(uint64_t n, char buffer[static LIVE_NUMBER_SIZE]);
/* "0", "0.25", "98", "1,234", "12.3M": a speed. */
char *live_speed(double per_second, char buffer[static LIVE_NUMBER_SIZE]);
/* Appends a bar of width cells, fraction 0 to 1 of them full. */
void live_bar(double fraction, unsigned width, bool utf8, struct text *text);
