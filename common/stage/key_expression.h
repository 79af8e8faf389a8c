/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `balance: key(EXPR)` names: the part of an item that decides which worker gets it; and where `expires: at(EXPR)` finds a
 * deadline. The broker parses it to check it, the worker
 * to find keys by it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"

#define KEY_PATH_SEGMENTS_MAX 32u
#define KEY_FIELD_BLANKS (-1) /* fields are parted by runs of blanks and tabs, as awk does */

enum key_kind { KEY_KIND_ITEM, KEY_KIND_BYTES, KEY_KIND_FIELD, KEY_KIND_PATH };

/* One step into a JSON text: a name of an object, or an index of an array. */
struct key_segment {
	char *name; /* owned; NULL: an index */
	int32_t index;
};

struct key_expression {
	enum key_kind kind;
	uint64_t offset_bytes, size_bytes; /* KEY_KIND_BYTES */
	uint32_t field;                    /* KEY_KIND_FIELD: from 1 */
	int separator;                     /* KEY_KIND_FIELD: a byte, or KEY_FIELD_BLANKS */
	struct key_segment *segments;      /* KEY_KIND_PATH; owned */
	uint32_t n_segments;
};

#define KEY_EXPRESSION_NULL \
	{                   \
		0           \
	}

enum { KEY_EXPRESSION_E_BAD = 1 };

/*
 * Parses what stands between the parentheses of key(...). Any process; may allocate. Returns 0 and the expression, which
 * key_expression_deinit() frees; KEY_EXPRESSION_E_BAD and in `why` what is wrong and what was expected, to be read behind "balance '...' ".
 */
int key_expression_parse(const char *source, struct key_expression *ret, struct text *why);
void key_expression_deinit(struct key_expression *expression);

/*
 * The part of `key(EXPR)` between the parentheses. Returns 0 and it (the caller frees), or KEY_EXPRESSION_E_BAD and why, as above,
 * when the value is not closed.
 */
int key_expression_unwrap(const char *value, char **ret_source, struct text *why);
