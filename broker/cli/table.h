/* SPDX-License-Identifier: Apache-2.0 */
/* Tables on a terminal: columns that fit, the less important ones dropped first. Pure: numbers and words in, text out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/text.h"

enum cell_style { CELL_PLAIN, CELL_DIM, CELL_BOLD, CELL_GOOD, CELL_WARNING, CELL_BAD };

struct table_column {
	const char *header;
	bool right;    /* numbers */
	unsigned keep; /* the column with the lowest number is dropped first; the first column never */
};

struct table_cell {
	char *text; /* NULL: empty; owned */
	enum cell_style style;
};

struct table {
	const struct table_column *columns; /* borrowed, static */
	size_t n_columns, n_rows;
	struct table_cell *cells;
};
#define TABLE_NULL \
	{          \
		0  \
	}

void table_init(struct table *table, const struct table_column *columns, size_t n_columns, size_t n_rows);
void table_deinit(struct table *table);
static inline void table_deinit_cleanup(struct table *table)
{
	table_deinit(table);
}

/* Sets one cell. Bytes that would move the cursor become '?'; UTF-8 is kept and counted as one column a code point. */
void table_set(struct table *table, size_t row, size_t column, enum cell_style style, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * Appends the rows, each a line with '\n'. No line is wider than width columns (0: no limit). Columns without any content are left
 * out. header: a first line with the columns' names. Returns the number of lines.
 */
size_t table_format(const struct table *table, size_t width, bool header, bool color, struct text *text);

/* Columns that text takes on the screen: code points, ANSI sequences not counted. */
size_t table_text_width(const char *text, size_t size_bytes);
/* Appends at most width columns of text; what is cut away ends in '~'. */
void table_add_cut(struct text *text, const char *string, size_t width);
/*
 * Appends text, broken between words after at most width columns (0: never), of which `used` are taken already; further
 * lines are indented.
 */
void table_add_wrapped(struct text *text, const char *string, size_t width, size_t used);
/* Appends text in the style. */
void table_add_styled(struct text *text, enum cell_style style, bool color, const char *string);
