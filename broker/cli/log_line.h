/* SPDX-License-Identifier: Apache-2.0 */
/* One log line in one of three forms. Pure. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>
#include <weir/log.h>

#include "common/base/text.h"
#include "common/observe/log_item.h"

enum log_format {
	LOG_TEXT,   /* 12:03:04 awk#1 warning: ... */
	LOG_LOGFMT, /* time=... level=warning stage=awk worker=1 msg="..." */
	LOG_JSON,   /* {"time":...} */
};

struct log_style {
	enum log_format format;
	bool color;   /* TEXT only */
	bool journal; /* the reader is the journal: "<N>" first, no time of our own */
	bool fields;  /* ... which gets who and what as fields, too: journal.h */
};

struct log_line {
	enum weir_log_level level;
	const char *pipeline;        /* NULL: none */
	const char *stage;           /* NULL: the supervisor itself */
	int worker;                  /* -1: the whole stage */
	pid_t pid;                   /* 0: none */
	const struct log_item *item; /* which one it is about; NULL: none */
	const char *message;         /* any bytes: what would move the cursor is made visible */
	struct timespec time;        /* CLOCK_REALTIME */
};

/* "error", "warning", "notice", "info", "debug". */
const char *log_level_name(enum weir_log_level level);
/* Appends the line with its '\n'. */
void log_line_format(const struct log_line *line, const struct log_style *style, struct text *text);
/* True if the journal reads this file descriptor (JOURNAL_STREAM names it). */
bool log_is_journal(int fd);
