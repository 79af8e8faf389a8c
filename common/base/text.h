/* SPDX-License-Identifier: Apache-2.0 */
/* A growing piece of text, for messages and generated output. Never on the hot path. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/cleanup.h"

struct text {
	char *data; /* NUL-terminated once anything was added; owned */
	size_t length;
	size_t capacity;
};

#define TEXT_NULL \
	{         \
		0 \
	}

/* Frees and empties; fine on TEXT_NULL and twice. */
void text_deinit(struct text *text);
static inline void text_deinit_cleanup(struct text *text)
{
	text_deinit(text);
}

/* Append. They abort the process when memory is out: a message can't be worth an error path of its own. */
void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t n);
void text_add_char(struct text *text, char c);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list arguments);
/* Appends a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void text_add_json(struct text *text, const char *bytes, size_t n);
/* Appends any bytes so that no terminal obeys them: control characters (C0, DEL, C1), marks of direction and no UTF-8 become \xHH. */
void text_add_visible(struct text *text, const void *bytes, size_t size_bytes);
/*
 * Appends JSON that stands on one line so that no terminal obeys it: the same characters become \uHHHH, which in its strings is the
 * same.
 */
void text_add_json_visible(struct text *text, const char *json, size_t size_bytes);
/* Bytes of the valid UTF-8 sequence (RFC 3629) that starts at s, n > 0 bytes long; 0 if there is none. Pure. */
size_t text_utf8_length(const unsigned char *s, size_t n);
/* True if all n bytes are valid UTF-8 (RFC 3629). */
bool text_is_utf8(const char *bytes, size_t n);
/* Empties, keeps the memory. */
void text_clear(struct text *text);
/* The text, "" when nothing was added; owned by text. */
const char *text_get(const struct text *text);
/* Hands the memory to the caller, who frees it; never NULL. */
char *text_steal(struct text *text);

/* Edit distance (insert, delete, replace, swap of neighbours) of two short words; words over 64 bytes are far apart. */
unsigned text_distance(const char *a, const char *b);
