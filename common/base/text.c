/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "common/base/text.h"

void text_deinit(struct text *text)
{
	free(text->data);
	*text = (struct text)TEXT_NULL;
}

static void text_grow(struct text *text, size_t more)
{
	size_t wanted = text->length + more + 1, capacity = text->capacity ? text->capacity : 64;
	char *data;

	if (wanted <= text->capacity)
		return;
	while (capacity < wanted)
		capacity *= 2;
	data = realloc(text->data, capacity);
	must(data);
	text->data = data;
	text->capacity = capacity;
}

void text_add_bytes(struct text *text, const void *bytes, size_t n)
{
	text_grow(text, n);
	if (n)
		memcpy(text->data + text->length, bytes, n);
	text->length += n;
	text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

void text_add_char(struct text *text, char c)
{
	text_add_bytes(text, &c, 1);
}

void text_vprintf(struct text *text, const char *format, va_list arguments)
{
	va_list again;
	int n;

	va_copy(again, arguments);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	must(n >= 0);
	text_grow(text, (size_t)n);
	vsnprintf(text->data + text->length, (size_t)n + 1, format, arguments);
	text->length += (size_t)n;
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_vprintf(text, format, arguments);
	va_end(arguments);
}

size_t text_utf8_length(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80                  ? 1 :
			s[0] >= 0xc2 && s[0] <= 0xdf ? 2 :
			(s[0] & 0xf0) == 0xe0        ? 3 :
			s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 :
						       0;

	if (!length || length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

bool text_is_utf8(const char *bytes, size_t n)
{
	const unsigned char *s = (const unsigned char *)bytes;

	for (size_t i = 0, length; i < n; i += length) {
		length = text_utf8_length(s + i, n - i);
		if (!length)
			return false;
	}
	return true;
}

void text_add_json(struct text *text, const char *bytes, size_t n)
{
	const unsigned char *s = (const unsigned char *)bytes;

	text_add_char(text, '"');
	for (size_t i = 0; i < n;) {
		size_t length = text_utf8_length(s + i, n - i);

		if (!length)
			text_add(text, "\\ufffd");
		else if (s[i] == '"' || s[i] == '\\')
			text_printf(text, "\\%c", s[i]);
		else if (s[i] == '\n')
			text_add(text, "\\n");
		else if (s[i] == '\t')
			text_add(text, "\\t");
		else if (s[i] < 0x20 || s[i] == 0x7f)
			text_printf(text, "\\u%04x", s[i]);
		else
			text_add_bytes(text, s + i, length);
		i += length ? length : 1;
	}
	text_add_char(text, '"');
}

/* U+0080..9F; U+061C, 200E, 200F, 202A..202E, 2066..2069, which turn what stands beside them round; U+2028, 2029, which end lines. */
static bool is_obeyed(const unsigned char *s, size_t n)
{
	if (n == 1)
		return *s < 0x20 || *s == 0x7f;
	if (n == 2)
		return (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
	if (n != 3 || s[0] != 0xe2)
		return false;
	if (s[1] == 0x80)
		return s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae);
	return s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9;
}

void text_add_visible(struct text *text, const void *bytes, size_t size_bytes)
{
	const unsigned char *s = bytes, *end = s + size_bytes;

	while (s < end) {
		size_t n = text_utf8_length(s, (size_t)(end - s));

		if (n && !is_obeyed(s, n)) {
			text_add_bytes(text, s, n);
			s += n;
		} else {
			text_printf(text, "\\x%02x", *s++);
		}
	}
}

void text_add_json_visible(struct text *text, const char *json, size_t size_bytes)
{
	const unsigned char *s = (const unsigned char *)json, *end = s + size_bytes;

	while (s < end) {
		size_t n = text_utf8_length(s, (size_t)(end - s));

		if (!n)
			text_add(text, "\\ufffd");
		else if (!is_obeyed(s, n))
			text_add_bytes(text, s, n);
		else
			text_printf(text, "\\u%04x",
				    n == 1 ? *s :
				    n == 2 ? (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu) :
					     (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu));
		s += n ? n : 1;
	}
}

void text_clear(struct text *text)
{
	text->length = 0;
	if (text->data)
		text->data[0] = '\0';
}

const char *text_get(const struct text *text)
{
	return text->data ? text->data : "";
}

char *text_steal(struct text *text)
{
	char *data;

	text_grow(text, 0);
	text->data[text->length] = '\0';
	data = text->data;
	*text = (struct text)TEXT_NULL;
	return data;
}

unsigned text_distance(const char *a, const char *b)
{
	unsigned rows[3][66];
	size_t n_a = strlen(a), n_b = strlen(b);

	if (n_a > 64 || n_b > 64)
		return 65;
	for (size_t j = 0; j <= n_b; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *second = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && second[j - 2] + 1 < best)
				best = second[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n_a % 3][n_b];
}
