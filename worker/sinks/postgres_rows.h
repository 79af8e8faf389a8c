/* SPDX-License-Identifier: Apache-2.0 */
/* Items that are put aside until the next transaction, and their rows as the server wants them: text. */
#pragma once

#include "common/base/text.h"
#include "worker/sinks/columns.h"
#include "worker/sinks/stored.h"

struct postgres_row {
	uint64_t token;
	struct weir_identity identity;
	bool is_known; /* the database has it already */
	char *refused; /* owned; why it has no row; NULL: it has */
};

struct postgres_rows {
	struct postgres_row *rows; /* owned; `capacity` of them */
	uint32_t n, capacity, n_columns;
	struct text bytes;  /* the cells, each with a NUL behind it */
	size_t *offsets;    /* owned; into them, n_columns for each row; NO_CELL: NULL */
	const char **cells; /* owned; of one row */
};

/* For so many at a time. Aborts the process when memory is out. */
void postgres_rows_init(struct postgres_rows *rows, uint32_t capacity, uint32_t n_columns);
void postgres_rows_deinit(struct postgres_rows *rows);
/* Adds the item whose cells the columns have read. */
void postgres_rows_add(struct postgres_rows *rows, const struct columns *columns, uint64_t token,
		       const struct weir_identity *identity);
void postgres_rows_clear(struct postgres_rows *rows);

/* The cells of a row; static until the next call. NULL: null. */
const char *const *postgres_rows_cells(struct postgres_rows *rows, uint32_t i);
/* Appends a row as COPY wants it. */
void postgres_rows_copy(struct postgres_rows *rows, uint32_t i, struct text *text);
void postgres_rows_refuse(struct postgres_rows *rows, uint32_t i, const char *why);
