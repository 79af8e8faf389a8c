/* SPDX-License-Identifier: Apache-2.0 */
/* What a row of a table is made of: the options that all database sinks have, and the cells of an item. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <weir/record.h>
#include <weir/stage.h>

#include "common/base/text.h"
#include "common/record/record.h"
#include "common/stage/key_expression.h"

enum cell_type {
	CELL_NULL,
	CELL_BOOLEAN,  /* integer */
	CELL_INTEGER,  /* integer */
	CELL_UNSIGNED, /* integer, as uint64_t: above INT64_MAX */
	CELL_REAL,     /* real */
	CELL_TEXT,     /* data: valid UTF-8 without U+0000 */
	CELL_BYTES,    /* data */
};

struct cell {
	enum cell_type type;
	int64_t integer;
	double real;
	const char *data; /* in the item, or in the column's scratch: lives as long as the item, or until the next */
	size_t size_bytes;
};

struct column {
	const char *name; /* as in the spec; the option's */
	const char *path; /* "." is the whole item */
	struct key_expression expression;
	bool is_key;
	struct record_scratch scratch; /* JSON of what is no single value */
};

struct columns {
	struct column *columns; /* owned */
	struct cell *cells;     /* owned; of the item read last */
	uint32_t n;
	enum weir_form form;
};

/* check(): complains of what is wrong with `columns`, `key` and `mode`. Returns 0, WEIR_FAILED. */
int columns_check(struct weir_context *context);

/* From the options, which have been checked. Returns 0; WEIR_FAILED after weir_fail(). columns_deinit() is for both. */
int columns_init(struct columns *columns, struct weir_context *context);
void columns_deinit(struct columns *columns);

/* The cells of an item. Returns 0; RECORD_E_BAD and why: it has no row. Allocates only for items larger than any before. */
int columns_read(struct columns *columns, const struct weir_item *item, struct record_fault *fault);

/* Appends a name as SQL has it: in double quotes, so that it may be any. */
void columns_add_name(struct text *sql, const char *name, size_t n);
/* Appends `"a", "b"`. */
void columns_add_names(const struct columns *columns, struct text *sql);
/* Appends ` ON CONFLICT ("key") DO UPDATE SET ...` for mode: upsert, else nothing. */
void columns_add_conflict(const struct columns *columns, const struct weir_context *context, struct text *sql);
