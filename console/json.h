/* SPDX-License-Identifier: Apache-2.0 */
/* Members of JSON objects, with the comma before them unless they are the first. */
#pragma once

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/text.h"

static inline void json_key(struct text *text, const char *key)
{
	char last = text->length ? text->data[text->length - 1] : '{';

	text_printf(text, last == '{' ? "\"%s\":" : ",\"%s\":", key);
}

static inline void json_add_string(struct text *text, const char *key, const char *value)
{
	json_key(text, key);
	text_add_json(text, value, strlen(value));
}

static inline void json_add_number(struct text *text, const char *key, uint64_t value)
{
	json_key(text, key);
	text_printf(text, "%" PRIu64, value);
}

static inline void json_add_flag(struct text *text, const char *key, bool value)
{
	json_key(text, key);
	text_add(text, value ? "true" : "false");
}

static inline void json_add_seconds(struct text *text, const char *key, uint64_t ns)
{
	json_key(text, key);
	text_printf(text, "%.3f", (double)ns / (double)NS_PER_S);
}

/* Between the elements of an array. */
static inline void json_next(struct text *text, uint32_t i)
{
	if (i)
		text_add_char(text, ',');
}
