/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sinks/postgres_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"

#define NO_CELL SIZE_MAX

void postgres_rows_init(struct postgres_rows *rows, uint32_t capacity, uint32_t n_columns)
{
	*rows = (struct postgres_rows){ .capacity = capacity, .n_columns = n_columns };
	rows->rows = calloc(capacity, sizeof(*rows->rows));
	rows->offsets = calloc((size_t)capacity * n_columns, sizeof(*rows->offsets));
	rows->cells = calloc(n_columns, sizeof(*rows->cells));
	must(rows->rows && rows->offsets && rows->cells);
}

void postgres_rows_clear(struct postgres_rows *rows)
{
	for (uint32_t i = 0; i < rows->n; i++)
		free(rows->rows[i].refused);
	rows->n = 0;
	text_clear(&rows->bytes);
}

void postgres_rows_deinit(struct postgres_rows *rows)
{
	postgres_rows_clear(rows);
	text_deinit(&rows->bytes);
	free(rows->rows);
	free(rows->offsets);
	free(rows->cells);
	*rows = (struct postgres_rows){ 0 };
}

static void add_bytes(struct text *bytes, const struct cell *cell)
{
	text_add(bytes, "\\x");
	for (size_t i = 0; i < cell->size_bytes; i++) {
		text_add_char(bytes, "0123456789abcdef"[(unsigned char)cell->data[i] >> 4]);
		text_add_char(bytes, "0123456789abcdef"[cell->data[i] & 15]);
	}
}

/* The server knows the column's type, and reads each from its text. */
static void add_cell(struct text *bytes, const struct cell *cell)
{
	switch (cell->type) {
	case CELL_NULL:
		break;
	case CELL_BOOLEAN:
		text_add(bytes, cell->integer ? "true" : "false");
		break;
	case CELL_INTEGER:
		text_printf(bytes, "%" PRId64, cell->integer);
		break;
	case CELL_UNSIGNED:
		text_printf(bytes, "%" PRIu64, (uint64_t)cell->integer);
		break;
	case CELL_REAL:
		if (isinf(cell->real))
			text_add(bytes, cell->real < 0 ? "-Infinity" : "Infinity");
		else
			text_printf(bytes, "%.17g", cell->real);
		break;
	case CELL_TEXT:
		text_add_bytes(bytes, cell->data, cell->size_bytes);
		break;
	case CELL_BYTES:
		add_bytes(bytes, cell);
		break;
	}
	text_add_char(bytes, '\0');
}

void postgres_rows_add(struct postgres_rows *rows, const struct columns *columns, uint64_t token,
		       const struct weir_identity *identity)
{
	size_t *offsets = rows->offsets + (size_t)rows->n * rows->n_columns;

	must(rows->n < rows->capacity);
	for (uint32_t i = 0; i < columns->n; i++) {
		offsets[i] = columns->cells[i].type == CELL_NULL ? NO_CELL : rows->bytes.length;
		add_cell(&rows->bytes, &columns->cells[i]);
	}
	rows->rows[rows->n++] = (struct postgres_row){ .token = token, .identity = *identity };
}

const char *const *postgres_rows_cells(struct postgres_rows *rows, uint32_t i)
{
	const size_t *offsets = rows->offsets + (size_t)i * rows->n_columns;

	for (uint32_t j = 0; j < rows->n_columns; j++)
		rows->cells[j] = offsets[j] == NO_CELL ? NULL : rows->bytes.data + offsets[j];
	return rows->cells;
}

static void add_escaped(struct text *text, const char *cell)
{
	for (; *cell; cell++)
		switch (*cell) {
		case '\\':
			text_add(text, "\\\\");
			break;
		case '\n':
			text_add(text, "\\n");
			break;
		case '\r':
			text_add(text, "\\r");
			break;
		case '\t':
			text_add(text, "\\t");
			break;
		default:
			text_add_char(text, *cell);
		}
}

void postgres_rows_copy(struct postgres_rows *rows, uint32_t i, struct text *text)
{
	const char *const *cells = postgres_rows_cells(rows, i);

	for (uint32_t j = 0; j < rows->n_columns; j++) {
		text_add(text, j ? "\t" : "");
		if (cells[j])
			add_escaped(text, cells[j]);
		else
			text_add(text, "\\N");
	}
	text_add_char(text, '\n');
}

void postgres_rows_refuse(struct postgres_rows *rows, uint32_t i, const char *why)
{
	free(rows->rows[i].refused);
	rows->rows[i].refused = strdup(why);
	must(rows->rows[i].refused);
}
