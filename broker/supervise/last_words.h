/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker and its children write to stderr, as lines: cut at a bound, made safe to print, the last few kept for the
 * obituary. And the limit on how many of them are printed. Pure: bytes and clock are handed in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/log.h>

#include "common/base/text.h"
#include "common/observe/log_item.h"

#define WORDS_LINE_MAX 1280u
#define WORDS_KEPT 10u

typedef void last_words_line_fn(void *data, enum weir_log_level level, const char *line);

struct last_words {
	last_words_line_fn
		*on_backtrace; /* gets the lines of common/observe/backtrace_line.h, without mark; NULL: nobody */
	char line[WORDS_LINE_MAX + 1];
	size_t length;
	struct log_item item;   /* of the line that the handler is told of; all empty: none */
	char *kept[WORDS_KEPT]; /* ring; owned */
	uint32_t next;          /* oldest in `kept` */
};

/*
 * Takes n bytes and calls `handler` for each line that is complete. A line may begin with "<N>", a syslog priority; without it, it
 * comes from a child program and counts as a notice. What is beyond WORDS_LINE_MAX bytes of a line is dropped; control characters
 * become '?'; empty lines are skipped.
 */
void last_words_feed(struct last_words *words, const char *bytes, size_t n, last_words_line_fn *handler, void *data);
/* The end of the stream: an unfinished line counts as one. */
void last_words_end(struct last_words *words, last_words_line_fn *handler, void *data);
/* Appends the kept lines, oldest first, each cut to line_max bytes, quoted and parted by " / ". */
void last_words_format(const struct last_words *words, size_t line_max, struct text *text);
/* Forgets everything: another generation sits down. Frees what was kept. */
void last_words_clear(struct last_words *words);

/* At most `max` lines in each window of window_ns. */
struct line_limit {
	uint32_t max;
	uint64_t window_ns;
	uint64_t window_start_ns; /* 0: none open */
	uint32_t n;               /* lines seen in this window */
	uint64_t suppressed;
};

/* One more line at now_ns. Returns whether it may be printed. */
bool line_limit_pass(struct line_limit *limit, uint64_t now_ns);
/* When the open window ends and the suppressed lines should be reported; 0: nothing is suppressed. */
uint64_t line_limit_report_ns(const struct line_limit *limit);
/* Takes the number of lines suppressed so far. */
uint64_t line_limit_take(struct line_limit *limit);
