/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/cli/journal.h"
#include "broker/cli/log_line.h"
#include "broker/cli/table.h"

const char *log_level_name(enum weir_log_level level)
{
	return level <= WEIR_LOG_ERROR   ? "error" :
	       level == WEIR_LOG_WARNING ? "warning" :
	       level == WEIR_LOG_NOTICE  ? "notice" :
	       level == WEIR_LOG_INFO    ? "info" :
					   "debug";
}

static enum cell_style level_style(enum weir_log_level level)
{
	return level <= WEIR_LOG_ERROR   ? CELL_BAD :
	       level == WEIR_LOG_WARNING ? CELL_WARNING :
	       level >= WEIR_LOG_DEBUG   ? CELL_DIM :
					   CELL_PLAIN;
}

/* Bytes of well-formed UTF-8 above U+009F at s; 0: none. C1 controls move the cursor as well as C0 do. */
static size_t printable_utf8(const unsigned char *s)
{
	size_t n = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;

	if (n == 2 && s[0] == 0xc2 && s[1] < 0xa0)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* The message, with every byte that a terminal would obey made visible. */
static void add_visible(struct text *text, const char *message)
{
	for (const unsigned char *s = (const unsigned char *)message; *s;) {
		size_t n = printable_utf8(s);

		if (n || (*s >= 0x20 && *s < 0x7f) || *s == '\t') {
			text_add_bytes(text, s, n ? n : 1);
			s += n ? n : 1;
		} else {
			text_printf(text, "\\x%02x", *s++);
		}
	}
}

static void add_who(const struct log_line *line, struct text *text)
{
	text_add(text, line->stage ? line->stage : "weir");
	if (line->stage && line->worker >= 0)
		text_printf(text, "#%d", line->worker);
}

static void add_iso_time(const struct timespec *time, struct text *text)
{
	struct tm tm;
	char stamp[40];

	gmtime_r(&time->tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	text_printf(text, "%s.%03ldZ", stamp, time->tv_nsec / 1000000);
}

static void format_text(const struct log_line *line, const struct log_style *style, struct text *text)
{
	_cleanup_(text_deinit) struct text who = TEXT_NULL;
	bool tell_level = line->level <= WEIR_LOG_WARNING || line->level >= WEIR_LOG_DEBUG;

	if (!style->journal) {
		struct tm tm;
		char stamp[16];

		localtime_r(&line->time.tv_sec, &tm);
		strftime(stamp, sizeof(stamp), "%H:%M:%S", &tm);
		table_add_styled(text, CELL_DIM, style->color, stamp);
		text_add_char(text, ' ');
	}
	add_who(line, &who);
	table_add_styled(text, CELL_BOLD, style->color, text_get(&who));
	if (tell_level) {
		text_add_char(text, ' ');
		table_add_styled(text, level_style(line->level), style->color, log_level_name(line->level));
	}
	text_add(text, ": ");
	add_visible(text, line->message);
	if (line->item && line->item->trace_id[0])
		text_printf(text, " [trace-id %s]", line->item->trace_id);
	if (line->item && line->item->scope)
		text_printf(text, " [scope %" PRIu64 "]", line->item->scope);
}

/* A value is quoted when it has anything but plain word characters. */
static void add_logfmt_value(struct text *text, const char *value)
{
	if (*value &&
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:#+%") == strlen(value))
		text_add(text, value);
	else
		text_add_json(text, value, strlen(value));
}

static void format_logfmt(const struct log_line *line, const struct log_style *style, struct text *text)
{
	if (!style->journal) {
		text_add(text, "time=");
		add_iso_time(&line->time, text);
		text_add_char(text, ' ');
	}
	text_printf(text, "level=%s", log_level_name(line->level));
	if (line->pipeline) {
		text_add(text, " pipeline=");
		add_logfmt_value(text, line->pipeline);
	}
	if (line->stage) {
		text_add(text, " stage=");
		add_logfmt_value(text, line->stage);
	}
	if (line->stage && line->worker >= 0)
		text_printf(text, " worker=%d", line->worker);
	if (line->pid > 0)
		text_printf(text, " pid=%d", (int)line->pid);
	if (line->item && line->item->has_generation)
		text_printf(text, " generation=%" PRIu32, line->item->generation);
	if (line->item && line->item->has_sequence)
		text_printf(text, " sequence=%" PRIu64, line->item->sequence);
	if (line->item && line->item->trace_id[0]) {
		text_add(text, " trace_id=");
		add_logfmt_value(text, line->item->trace_id);
	}
	if (line->item && line->item->scope)
		text_printf(text, " scope=%" PRIu64, line->item->scope);
	text_add(text, " msg=");
	add_logfmt_value(text, line->message);
}

static void format_json(const struct log_line *line, struct text *text)
{
	text_add(text, "{\"type\":\"log\",\"time\":\"");
	add_iso_time(&line->time, text);
	text_printf(text, "\",\"level\":\"%s\"", log_level_name(line->level));
	if (line->pipeline) {
		text_add(text, ",\"pipeline\":");
		text_add_json(text, line->pipeline, strlen(line->pipeline));
	}
	if (line->stage) {
		text_add(text, ",\"stage\":");
		text_add_json(text, line->stage, strlen(line->stage));
	}
	if (line->stage && line->worker >= 0)
		text_printf(text, ",\"worker\":%d", line->worker);
	if (line->pid > 0)
		text_printf(text, ",\"pid\":%d", (int)line->pid);
	if (line->item && line->item->has_generation)
		text_printf(text, ",\"generation\":%" PRIu32, line->item->generation);
	if (line->item && line->item->monotonic_ns)
		text_printf(text, ",\"monotonic_ns\":%" PRIu64, line->item->monotonic_ns);
	if (line->item && line->item->has_sequence)
		text_printf(text, ",\"sequence\":%" PRIu64, line->item->sequence);
	if (line->item && line->item->trace_id[0]) {
		text_add(text, ",\"trace_id\":");
		text_add_json(text, line->item->trace_id, strlen(line->item->trace_id));
	}
	if (line->item && line->item->scope)
		text_printf(text, ",\"scope\":%" PRIu64, line->item->scope);
	text_add(text, ",\"message\":");
	text_add_json(text, line->message, strlen(line->message));
	text_add_char(text, '}');
}

/* No value has a mark in it: names and numbers, and a trace id is printable. */
static void add_fields(const struct log_line *line, struct text *text)
{
	text_add_char(text, JOURNAL_MARK);
	if (line->pipeline)
		text_printf(text, "WEIR_PIPELINE=%s%c", line->pipeline, JOURNAL_SEPARATOR);
	if (line->stage)
		text_printf(text, "WEIR_STAGE=%s%c", line->stage, JOURNAL_SEPARATOR);
	if (line->stage && line->worker >= 0)
		text_printf(text, "WEIR_SLOT=%d%c", line->worker, JOURNAL_SEPARATOR);
	if (line->pid > 0)
		text_printf(text, "WEIR_PID=%d%c", (int)line->pid, JOURNAL_SEPARATOR);
	if (line->item && line->item->has_sequence)
		text_printf(text, "WEIR_ITEM=%" PRIu64 "%c", line->item->sequence, JOURNAL_SEPARATOR);
	if (line->item && line->item->trace_id[0])
		text_printf(text, "WEIR_TRACE_ID=%s%c", line->item->trace_id, JOURNAL_SEPARATOR);
	if (line->item && line->item->scope)
		text_printf(text, "WEIR_SCOPE=%" PRIu64 "%c", line->item->scope, JOURNAL_SEPARATOR);
	text_add_char(text, JOURNAL_MARK);
}

void log_line_format(const struct log_line *line, const struct log_style *style, struct text *text)
{
	if (style->journal)
		text_printf(text, "<%d>", (int)line->level);
	if (style->fields)
		add_fields(line, text);
	if (style->format == LOG_JSON)
		format_json(line, text);
	else if (style->format == LOG_LOGFMT)
		format_logfmt(line, style, text);
	else
		format_text(line, style, text);
	text_add_char(text, '\n');
}

bool log_is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &st) == 0 &&
	       (unsigned long long)st.st_dev == device && (unsigned long long)st.st_ino == inode;
}
