/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/table.h"
#include "common/base/must.h"

#define COLUMN_GAP 2u
#define COLUMNS_MAX 16u

void table_init(struct table *table, const struct table_column *columns, size_t n_columns, size_t n_rows)
{
	must(n_columns && n_columns <= COLUMNS_MAX);
	table->columns = columns;
	table->n_columns = n_columns;
	table->n_rows = n_rows;
	table->cells = calloc(n_rows ? n_rows * n_columns : 1, sizeof(*table->cells));
	must(table->cells);
}

void table_deinit(struct table *table)
{
	for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
		free(table->cells[i].text);
	free(table->cells);
	*table = (struct table)TABLE_NULL;
}

static struct table_cell *table_at(const struct table *table, size_t row, size_t column)
{
	must(row < table->n_rows && column < table->n_columns);
	return &table->cells[row * table->n_columns + column];
}

void table_set(struct table *table, size_t row, size_t column, enum cell_style style, const char *format, ...)
{
	struct table_cell *cell = table_at(table, row, column);
	struct text text = TEXT_NULL;
	va_list arguments;

	va_start(arguments, format);
	text_vprintf(&text, format, arguments);
	va_end(arguments);
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			text.data[i] = '?';
	free(cell->text);
	cell->text = text_steal(&text);
	cell->style = style;
}

/* Bytes of the ANSI sequence at s (CSI ... final byte), 0 if there is none. */
static size_t escape_length(const char *s, size_t n)
{
	size_t i = 2;

	if (n < 2 || s[0] != '\033' || s[1] != '[')
		return 0;
	while (i < n && !((unsigned char)s[i] >= 0x40 && (unsigned char)s[i] <= 0x7e))
		i++;
	return i < n ? i + 1 : n;
}

size_t table_text_width(const char *text, size_t size_bytes)
{
	size_t width = 0;

	for (size_t i = 0; i < size_bytes;) {
		size_t escape = escape_length(text + i, size_bytes - i);

		if (escape) {
			i += escape;
			continue;
		}
		/* Every byte but a continuation begins a code point. */
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
		i++;
	}
	return width;
}

void table_add_cut(struct text *text, const char *string, size_t width)
{
	size_t size_bytes = strlen(string), end = 0, n = 0;

	if (table_text_width(string, size_bytes) <= width) {
		text_add(text, string);
		return;
	}
	if (!width)
		return;
	while (n < width - 1) {
		end++;
		while (((unsigned char)string[end] & 0xc0) == 0x80)
			end++;
		n++;
	}
	text_add_bytes(text, string, end);
	text_add_char(text, '~');
}

void table_add_wrapped(struct text *text, const char *string, size_t width, size_t used)
{
	static const char indent[] = "  ";
	bool first = true;

	while (*string) {
		size_t size_bytes = strcspn(string, " "), columns = table_text_width(string, size_bytes);

		if (!first && width && used + 1 + columns >= width) {
			text_printf(text, "\n%s", indent);
			used = sizeof(indent) - 1;
		} else if (!first) {
			text_add_char(text, ' ');
			used++;
		}
		text_add_bytes(text, string, size_bytes);
		used += columns;
		string += size_bytes + (string[size_bytes] == ' ');
		first = false;
	}
}

void table_add_styled(struct text *text, enum cell_style style, bool color, const char *string)
{
	static const char *const codes[] = {
		[CELL_PLAIN] = NULL, [CELL_DIM] = "2",      [CELL_BOLD] = "1",
		[CELL_GOOD] = "32",  [CELL_WARNING] = "33", [CELL_BAD] = "31",
	};

	if (color && codes[style] && *string)
		text_printf(text, "\033[%sm%s\033[0m", codes[style], string);
	else
		text_add(text, string);
}

static size_t cell_width(const struct table_cell *cell)
{
	return cell->text ? table_text_width(cell->text, strlen(cell->text)) : 0;
}

/* Width of each column; 0 for one without content. */
static void measure(const struct table *table, bool header, size_t *widths)
{
	for (size_t column = 0; column < table->n_columns; column++) {
		size_t widest = 0, title = strlen(table->columns[column].header);

		for (size_t row = 0; row < table->n_rows; row++) {
			size_t width = cell_width(table_at(table, row, column));

			widest = width > widest ? width : widest;
		}
		widths[column] = widest && header && title > widest ? title : widest;
	}
}

static size_t total_width(const struct table *table, const size_t *widths)
{
	size_t total = 0;

	for (size_t column = 0; column < table->n_columns; column++)
		if (widths[column])
			total += widths[column] + (total ? COLUMN_GAP : 0);
	return total;
}

/* Takes columns away until the rest fits; at last cuts the first one. */
static void fit(const struct table *table, size_t width, size_t *widths)
{
	while (total_width(table, widths) > width) {
		size_t victim = 0;

		for (size_t column = 1; column < table->n_columns; column++)
			if (widths[column] && (!victim || table->columns[column].keep < table->columns[victim].keep))
				victim = column;
		if (!victim) {
			widths[0] = width;
			return;
		}
		widths[victim] = 0;
	}
}

static void add_padding(struct text *text, size_t n)
{
	while (n--)
		text_add_char(text, ' ');
}

/* One line; strings[column] may be NULL. Nothing is padded behind the last column that has something in this line. */
static void format_line(const struct table *table, const size_t *widths, const struct table_cell *cells, bool color,
			struct text *text)
{
	size_t pending = 0;
	bool begun = false;

	for (size_t column = 0; column < table->n_columns; column++) {
		_cleanup_(text_deinit) struct text cut = TEXT_NULL;
		size_t used;

		if (!widths[column])
			continue;
		pending += begun ? COLUMN_GAP : 0;
		begun = true;
		if (cells[column].text)
			table_add_cut(&cut, cells[column].text, widths[column]);
		used = table_text_width(text_get(&cut), cut.length);
		if (!used) {
			pending += widths[column];
			continue;
		}
		add_padding(text, pending + (table->columns[column].right ? widths[column] - used : 0));
		table_add_styled(text, cells[column].style, color, text_get(&cut));
		pending = table->columns[column].right ? 0 : widths[column] - used;
	}
	text_add_char(text, '\n');
}

size_t table_format(const struct table *table, size_t width, bool header, bool color, struct text *text)
{
	size_t widths[COLUMNS_MAX];

	measure(table, header, widths);
	fit(table, width ? width : SIZE_MAX, widths);
	if (header) {
		struct table_cell cells[COLUMNS_MAX] = { 0 };

		for (size_t column = 0; column < table->n_columns; column++) {
			/* A cell's text is its own; the headers are only read. */
			cells[column].text = (char *)(uintptr_t)table->columns[column].header;
			cells[column].style = CELL_DIM;
		}
		format_line(table, widths, cells, color, text);
	}
	for (size_t row = 0; row < table->n_rows; row++)
		format_line(table, widths, &table->cells[row * table->n_columns], color, text);
	return table->n_rows + header;
}
