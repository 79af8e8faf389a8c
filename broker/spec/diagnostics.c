/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings and how they are shown. Everything that comes from the file is shown without its control characters: a spec
 * must not be able to repaint the terminal of the person who checks it.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/source.h"
#include "broker/spec/spec.h"

#define DIAGNOSTICS_KEPT_MAX 1000u /* the rest is only counted */
#define EXCERPT_MAX 120u           /* characters of a line that are shown */
#define EXCERPT_BEFORE 60u         /* of them before the caret, in a long line */

void diagnostics_deinit(struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->n; i++) {
		free(diagnostics->list[i].message);
		free(diagnostics->list[i].hint);
	}
	for (size_t i = 0; i < diagnostics->n_settings; i++)
		free(diagnostics->settings[i]);
	free(diagnostics->settings);
	free(diagnostics->list);
	free(diagnostics->path);
	free(diagnostics->source);
	*diagnostics = (struct diagnostics)DIAGNOSTICS_NULL;
}

static bool position_after(struct spec_position a, struct spec_position b)
{
	return a.line != b.line ? a.line > b.line : a.column > b.column;
}

void diagnostics_add(struct diagnostics *diagnostics, enum diagnostic_level level, struct spec_position position,
		     const char *hint, const char *format, ...)
{
	struct text message = TEXT_NULL;
	size_t at = diagnostics->n;
	va_list arguments;

	diagnostics->n_errors += level == DIAGNOSTIC_ERROR;
	if (diagnostics->n >= DIAGNOSTICS_KEPT_MAX) {
		diagnostics->n_dropped++;
		return;
	}
	va_start(arguments, format);
	text_vprintf(&message, format, arguments);
	va_end(arguments);
	diagnostics->list = spec_grow(diagnostics->list, diagnostics->n, sizeof(*diagnostics->list));
	while (at > 0 && position_after(diagnostics->list[at - 1].position, position))
		at--;
	memmove(&diagnostics->list[at + 1], &diagnostics->list[at], (diagnostics->n - at) * sizeof(*diagnostics->list));
	diagnostics->list[at] =
		(struct diagnostic){ level, position, text_steal(&message), hint ? spec_strdup(hint) : NULL };
	diagnostics->n++;
}

/* Characters as they are, but control characters (C0, DEL, C1) as '?'; bytes that are no UTF-8 too. */
static void add_visible(struct text *text, const char *bytes, size_t n, bool keep_tabs)
{
	for (size_t i = 0, length; i < n; i += length ? length : 1) {
		unsigned char c = (unsigned char)bytes[i];

		length = source_character(bytes + i, n - i);
		if (!length || (c < 0x20 && !(keep_tabs && c == '\t')) || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)bytes[i + 1] < 0xa0))
			text_add_char(text, '?');
		else
			text_add_bytes(text, bytes + i, length);
	}
}

/* The bytes of a line of the source, without its end. Returns NULL if there is no such line. */
static const char *find_line(const struct diagnostics *diagnostics, uint32_t line, size_t *ret_size)
{
	const char *at = diagnostics->source, *end = at ? at + diagnostics->source_size : NULL, *stop;

	if (!at || !line)
		return NULL;
	for (uint32_t i = 1; i < line; i++) {
		while (at < end && *at != '\n' && *at != '\r')
			at++;
		if (at >= end)
			return NULL;
		at += at[0] == '\r' && at[1] == '\n' ? 2 : 1;
	}
	for (stop = at; stop < end && *stop != '\n' && *stop != '\r'; stop++)
		;
	*ret_size = (size_t)(stop - at);
	return at;
}

/* Columns that a terminal gives to a character: two for East Asian wide ones and pictures. */
static unsigned character_width(const char *s, size_t length)
{
	static const uint32_t wide[][2] = {
		{ 0x1100, 0x115f }, { 0x2e80, 0xa4cf }, { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
		{ 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0x1f300, 0x1faff }, { 0x20000, 0x3fffd },
	};
	uint32_t code = (unsigned char)s[0];

	if (length < 3)
		return 1;
	code &= length == 3 ? 0x0f : 0x07;
	for (size_t i = 1; i < length; i++)
		code = code << 6 | ((unsigned char)s[i] & 0x3f);
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (code >= wide[i][0] && code <= wide[i][1])
			return 2;
	return 1;
}

/* n characters further, or the end. */
static const char *skip_characters(const char *at, const char *end, size_t n)
{
	for (; n && at < end; n--) {
		size_t length = source_character(at, (size_t)(end - at));

		at += length ? length : 1;
	}
	return at;
}

static void add_excerpt(const struct diagnostics *diagnostics, struct spec_position position, bool color,
			struct text *text)
{
	size_t size, before = position.column ? position.column - 1 : 0;
	const char *line = find_line(diagnostics, position.line, &size), *from, *end, *caret;

	if (!line)
		return;
	end = line + size;
	from = before > EXCERPT_BEFORE && skip_characters(line, end, EXCERPT_MAX) < end ?
		       skip_characters(line, end, before - EXCERPT_BEFORE) :
		       line;
	caret = skip_characters(line, end, before);
	end = skip_characters(from, end, EXCERPT_MAX);
	text_printf(text, "%6u | %s", position.line, from > line ? "..." : "");
	add_visible(text, from, (size_t)(end - from), true);
	text_printf(text, "%s\n       | %s", end < line + size ? "..." : "", from > line ? "   " : "");
	for (const char *at = from; at < caret;) {
		size_t length = source_character(at, (size_t)(caret - at));

		text_add(text, *at == '\t' ? "\t" : character_width(at, length) == 2 ? "  " : " ");
		at += length ? length : 1;
	}
	text_printf(text, "%s^%s\n", color ? "\033[1;32m" : "", color ? "\033[0m" : "");
}

static void add_place(const struct diagnostics *diagnostics, struct spec_position position, struct text *text)
{
	const char *path = diagnostics->path ? diagnostics->path : "spec";

	if (!position.line && position.column && position.column <= diagnostics->n_settings) {
		const char *setting = diagnostics->settings[position.column - 1];

		text_add(text, "--set ");
		add_visible(text, setting, strlen(setting), false);
		return;
	}
	add_visible(text, path, strlen(path), false);
	if (position.line)
		text_printf(text, ":%u:%u", position.line, position.column);
}

static void add_one(const struct diagnostics *diagnostics, const struct diagnostic *one, bool color, struct text *text)
{
	bool error = one->level == DIAGNOSTIC_ERROR;

	text_add(text, color ? "\033[1m" : "");
	add_place(diagnostics, one->position, text);
	text_printf(text, ": %s%s:%s ", color ? (error ? "\033[31m" : "\033[35m") : "", error ? "error" : "warning",
		    color ? "\033[0m" : "");
	add_visible(text, one->message, strlen(one->message), false);
	text_add_char(text, '\n');
	add_excerpt(diagnostics, one->position, color, text);
	if (one->hint) {
		text_add(text, "         ");
		add_visible(text, one->hint, strlen(one->hint), false);
		text_add_char(text, '\n');
	}
}

void diagnostics_format(const struct diagnostics *diagnostics, bool color, struct text *ret_text)
{
	for (size_t i = 0; i < diagnostics->n; i++)
		add_one(diagnostics, &diagnostics->list[i], color, ret_text);
	if (diagnostics->n_dropped)
		text_printf(ret_text, "... and %zu more\n", diagnostics->n_dropped);
}

void diagnostics_format_first(const struct diagnostics *diagnostics, struct text *ret_text)
{
	const struct diagnostic *one = diagnostics->list, *end = one + diagnostics->n;

	while (one < end && one->level != DIAGNOSTIC_ERROR)
		one++;
	if (one == end)
		return;
	add_place(diagnostics, one->position, ret_text);
	text_add(ret_text, ": ");
	add_visible(ret_text, one->message, strlen(one->message), false);
	if (one->hint) {
		text_add(ret_text, " (");
		add_visible(ret_text, one->hint, strlen(one->hint), false);
		text_add_char(ret_text, ')');
	}
	if (diagnostics->n_errors > 1)
		text_printf(ret_text, "; and %zu more error%s", diagnostics->n_errors - 1,
			    diagnostics->n_errors == 2 ? "" : "s");
}

void diagnostics_format_json(const struct diagnostics *diagnostics, struct text *ret_text)
{
	text_add_char(ret_text, '[');
	for (size_t i = 0; i < diagnostics->n; i++) {
		const struct diagnostic *one = &diagnostics->list[i];
		_cleanup_(text_deinit) struct text place = TEXT_NULL;
		struct spec_position file = { 0, one->position.line ? 0 : one->position.column };

		add_place(diagnostics, file, &place);
		text_printf(ret_text, "%s{\"level\":\"%s\",\"place\":", i ? "," : "",
			    one->level == DIAGNOSTIC_ERROR ? "error" : "warning");
		text_add_json(ret_text, text_get(&place), place.length);
		if (one->position.line)
			text_printf(ret_text, ",\"line\":%u,\"column\":%u", one->position.line, one->position.column);
		text_add(ret_text, ",\"message\":");
		text_add_json(ret_text, one->message, strlen(one->message));
		if (one->hint) {
			text_add(ret_text, ",\"hint\":");
			text_add_json(ret_text, one->hint, strlen(one->hint));
		}
		text_add_char(ret_text, '}');
	}
	text_add_char(ret_text, ']');
}
