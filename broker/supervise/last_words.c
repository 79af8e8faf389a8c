/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "broker/supervise/last_words.h"
#include "common/observe/backtrace_line.h"

static void words_keep(struct last_words *words, const char *line)
{
	char **place = &words->kept[words->next];

	free(*place);
	*place = strdup(line); /* NULL when memory is out: then it is not kept */
	words->next = (words->next + 1) % WORDS_KEPT;
}

static enum weir_log_level words_level(char digit)
{
	enum weir_log_level level = (enum weir_log_level)(digit - '0');

	return level < WEIR_LOG_ERROR ? WEIR_LOG_ERROR : level;
}

/* A terminal must not be driven by what a stage's program prints. UTF-8 passes: its bytes are all 0x80 and above. */
static void words_make_safe(char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			line[i] = '?';
}

/* What stands behind the trace id, each behind its separator; what is not there is none. */
static void words_read_numbers(struct log_item *item, const char *at)
{
	char *end;

	item->scope = strtoull(at + 1, &end, 10);
	if (*end != LOG_ITEM_SEPARATOR)
		return;
	at = end + 1;
	item->has_sequence = *at >= '0' && *at <= '9';
	end = (char *)(uintptr_t)at;
	if (item->has_sequence)
		item->sequence = strtoull(at, &end, 10);
	if (*end == LOG_ITEM_SEPARATOR)
		item->monotonic_ns = strtoull(end + 1, NULL, 10);
}

/* "RS trace-id US scope US sequence US time RS message": takes the head into words->item. Returns its length, 0 if that is no head. */
static size_t words_take_item(struct last_words *words, const char *line)
{
	const char *separator, *end;
	size_t length;

	words->item = (struct log_item){ 0 };
	if (*line != LOG_ITEM_MARK || !(end = strchr(line + 1, LOG_ITEM_MARK)))
		return 0;
	separator = memchr(line, LOG_ITEM_SEPARATOR, (size_t)(end - line));
	length = separator ? (size_t)(separator - line - 1) : 0;
	if (!separator || length >= sizeof(words->item.trace_id))
		return 0;
	memcpy(words->item.trace_id, line + 1, length);
	words_make_safe(words->item.trace_id, length);
	words_read_numbers(&words->item, separator);
	return (size_t)(end + 1 - line);
}

static void words_finish_line(struct last_words *words, last_words_line_fn *handler, void *data)
{
	enum weir_log_level level = WEIR_LOG_NOTICE;
	char *line = words->line;
	bool is_backtrace;

	words->line[words->length] = '\0';
	if (words->length >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>') {
		level = words_level(line[1]);
		line += 3;
	}
	is_backtrace = *line == BACKTRACE_MARK;
	line += is_backtrace;
	line += words_take_item(words, line);
	words_make_safe(line, words->length - (size_t)(line - words->line));
	words->length = 0;
	if (!*line)
		return;
	if (is_backtrace) {
		if (words->on_backtrace)
			words->on_backtrace(data, level, line);
		return;
	}
	words_keep(words, line);
	handler(data, level, line);
}

void last_words_feed(struct last_words *words, const char *bytes, size_t n, last_words_line_fn *handler, void *data)
{
	while (n > 0) {
		const char *newline = memchr(bytes, '\n', n);
		size_t piece = newline ? (size_t)(newline - bytes) : n, room = WORDS_LINE_MAX - words->length;
		size_t taken = piece < room ? piece : room;

		memcpy(words->line + words->length, bytes, taken);
		words->length += taken;
		bytes += piece;
		n -= piece;
		if (!newline)
			return;
		bytes++;
		n--;
		if (words->length > 0 && words->line[words->length - 1] == '\r')
			words->length--;
		words_finish_line(words, handler, data);
	}
}

void last_words_end(struct last_words *words, last_words_line_fn *handler, void *data)
{
	if (words->length > 0)
		words_finish_line(words, handler, data);
}

void last_words_format(const struct last_words *words, size_t line_max, struct text *text)
{
	const char *between = "";

	for (uint32_t i = 0; i < WORDS_KEPT; i++) {
		const char *line = words->kept[(words->next + i) % WORDS_KEPT];
		size_t length = line ? strlen(line) : 0;

		if (!line)
			continue;
		text_printf(text, "%s\"%.*s%s\"", between, (int)(length < line_max ? length : line_max), line,
			    length > line_max ? "..." : "");
		between = " / ";
	}
}

void last_words_clear(struct last_words *words)
{
	for (uint32_t i = 0; i < WORDS_KEPT; i++)
		free(words->kept[i]);
	*words = (struct last_words){ 0 };
}

bool line_limit_pass(struct line_limit *limit, uint64_t now_ns)
{
	if (!limit->window_start_ns || now_ns - limit->window_start_ns >= limit->window_ns) {
		limit->window_start_ns = now_ns;
		limit->n = 0;
	}
	if (limit->n < limit->max) {
		limit->n++;
		return true;
	}
	limit->suppressed++;
	return false;
}

uint64_t line_limit_report_ns(const struct line_limit *limit)
{
	return limit->suppressed ? limit->window_start_ns + limit->window_ns : 0;
}

uint64_t line_limit_take(struct line_limit *limit)
{
	uint64_t suppressed = limit->suppressed;

	limit->suppressed = 0;
	return suppressed;
}
