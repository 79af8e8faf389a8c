/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields with types: what a text format calls "12" becomes the number 12, if somebody says that it is one. What becomes of every kind of
 * bad input stands in docs/parse.md.
 */
#pragma once

#include <stdbool.h>

#include "common/record/moment.h"
#include "common/record/record.h"

enum typed_type { TYPED_TEXT, TYPED_INT, TYPED_FLOAT, TYPED_BOOL, TYPED_TIME };

struct typed_field {
	const char *name; /* borrowed */
	size_t name_bytes;
	enum typed_type type;
	struct moment_form form; /* TIME */
};

/* Zero: none, and nothing is to be done. */
struct typed {
	struct typed_field *fields; /* owned */
	uint32_t n;
	struct record_scratch long_text;
};
void typed_deinit(struct typed *typed);

/*
 * One more field, which is not there yet: `text`, `int`, `float`, `bool`, `time`, `time(FORMAT)`. The name must live on. Returns 0;
 * RECORD_E_BAD and why.
 */
int typed_add(struct typed *typed, const char *name, const char *type, struct record_fault *fault);

/* Room for the map that is made of one of so many bytes. */
static inline size_t typed_bound(const struct typed *typed, size_t size_bytes)
{
	return size_bytes + (size_t)typed->n * 64 + 16;
}

/*
 * A map whose names stand in it once, of strings and whatever has no type here, into `room`, typed_bound() bytes large. Wait-free but for
 * the scratch growing. Returns 0 and its size; RECORD_E_BAD and why: a string is no such thing.
 */
int typed_write(struct typed *typed, const void *map, size_t size_bytes, void *room, size_t *ret_size_bytes,
		struct record_fault *fault);
