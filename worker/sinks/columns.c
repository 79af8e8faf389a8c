/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an item to the cells of a row.
 *
 *      columns: {id: .order.id, who: .name, tags: .tags, doc: .}
 *
 *      {"order": {"id": 7}, "tags": ["a"]}  ->  7, NULL, '["a"]', '{"order":{"id":7},"tags":["a"]}'
 *
 * A number stays a number, a string a string, and an array or map becomes its JSON. What an item does not have is NULL, as nil
 * is. An item that
 * nobody has decoded has one part only, all of it: text, or bytes if it is no UTF-8. What a database would bend in silence (NaN to
 * NULL, a text that is cut off at U+0000) makes the item bad, with a reason, before it gets there.
 */
#include "worker/sinks/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "common/record/json.h"
#include "common/record/msgpack_format.h"
#include "common/record/value.h"
#include "common/stage/structured.h"

static bool is_whole_item(const char *path)
{
	return !strcmp(path, ".");
}

/* ---- the options ---- */

static const char *const *list_of(const struct weir_context *context, const char *name)
{
	static const char *const none[] = { NULL };
	const char *const *list = weir_option_list(context, name);

	return list ? list : none;
}

static bool is_mode(const struct weir_context *context, const char *mode)
{
	const char *given = weir_option_string(context, "mode");

	return given && !strcmp(given, mode);
}

static bool is_key(const struct weir_context *context, const char *name)
{
	for (const char *const *key = list_of(context, "key"); *key; key++)
		if (!strcmp(*key, name))
			return true;
	return false;
}

static bool is_column(const struct weir_context *context, const char *name)
{
	for (const char *const *at = list_of(context, "columns"); *at; at += 2)
		if (!strcmp(*at, name))
			return true;
	return false;
}

static int parse_path(const char *path, struct key_expression *ret, struct text *why)
{
	if (is_whole_item(path))
		return 0;
	if (*path != '.') {
		text_add(why, "is no path: expected . (the whole item), or one such as .order.id");
		return WEIR_FAILED;
	}
	return key_expression_parse(path, ret, why) ? WEIR_FAILED : 0;
}

static int check_paths(struct weir_context *context)
{
	bool encoded =
		weir_option_given(context, "encode") && strcmp(weir_option_string(context, "encode"), "raw") != 0;
	char option[160];
	int r = 0;

	for (const char *const *at = list_of(context, "columns"); *at; at += 2) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;
		struct key_expression expression = KEY_EXPRESSION_NULL;

		snprintf(option, sizeof(option), "columns.%s", at[0]);
		if (parse_path(at[1], &expression, &why) != 0) {
			weir_complain(context, option, 0, "'%s' %s", at[1], text_get(&why));
			r = WEIR_FAILED;
		} else if (encoded && !is_whole_item(at[1])) {
			weir_complain(
				context, option, 0,
				"'%s' looks into items, and encode makes text of them: drop encode, or use . for all of it",
				at[1]);
			r = WEIR_FAILED;
		}
		key_expression_deinit(&expression);
	}
	return r;
}

static int check_key(struct weir_context *context)
{
	bool has_key = *list_of(context, "key");
	int r = 0;

	if (is_mode(context, "upsert") && !has_key) {
		weir_complain(context, "mode", 0,
			      "upsert needs 'key', the columns by which a row is found, as in key: [id]");
		return WEIR_FAILED;
	}
	if (has_key && !is_mode(context, "upsert")) {
		weir_complain(
			context, "key", 0,
			"it is for mode: upsert, the columns by which a row is found: drop it, or say mode: upsert");
		return WEIR_FAILED;
	}
	for (const char *const *key = list_of(context, "key"); *key; key++)
		if (!is_column(context, *key)) {
			weir_complain(context, "key", 0, "'%s' is none of the columns", *key);
			r = WEIR_FAILED;
		}
	return r;
}

int columns_check(struct weir_context *context)
{
	int paths = check_paths(context), key = check_key(context);

	if (!*list_of(context, "columns")) {
		weir_complain(context, "columns", 0, "no columns: say at least one, as in columns: {line: .}");
		return WEIR_FAILED;
	}
	return paths ? paths : key;
}

int columns_init(struct columns *columns, struct weir_context *context)
{
	const char *const *list = list_of(context, "columns");
	int r = 0;

	*columns = (struct columns){ .form = weir_form(context) };
	while (list[2 * columns->n])
		columns->n++;
	columns->columns = calloc(columns->n ? columns->n : 1, sizeof(*columns->columns));
	columns->cells = calloc(columns->n ? columns->n : 1, sizeof(*columns->cells));
	must(columns->columns && columns->cells);
	for (uint32_t i = 0; i < columns->n && r == 0; i++) {
		_cleanup_(text_deinit) struct text why = TEXT_NULL;
		struct column *column = &columns->columns[i];

		*column = (struct column){ .name = list[2 * i],
					   .path = list[2 * i + 1],
					   .is_key = is_key(context, list[2 * i]) };
		r = parse_path(column->path, &column->expression, &why);
		if (r != 0)
			weir_fail(context, "column '%s': '%s' %s", column->name, column->path, text_get(&why));
		if (r == 0 && columns->form == WEIR_FORM_TEXT && !is_whole_item(column->path)) {
			weir_fail(
				context,
				"column '%s' looks into items (%s), and what comes here is text: say at the source what its "
				"records are, as in decode: json",
				column->name, column->path);
			r = WEIR_FAILED;
		}
	}
	return r;
}

void columns_deinit(struct columns *columns)
{
	for (uint32_t i = 0; i < columns->n; i++) {
		key_expression_deinit(&columns->columns[i].expression);
		record_scratch_deinit(&columns->columns[i].scratch);
	}
	free(columns->columns);
	free(columns->cells);
	*columns = (struct columns){ 0 };
}

/* ---- an item ---- */

static int read_string(const char *data, size_t size_bytes, struct cell *cell, struct record_fault *fault)
{
	if (memchr(data, '\0', size_bytes))
		return record_fault(fault, "a string with U+0000 in it, which no text of a database holds");
	if (!text_is_utf8(data, size_bytes))
		return record_fault(fault, "a string that is no UTF-8");
	*cell = (struct cell){ .type = CELL_TEXT, .data = data, .size_bytes = size_bytes };
	return 0;
}

static int read_json(struct column *column, const void *data, size_t size_bytes, struct cell *cell,
		     struct record_fault *fault)
{
	char *text = record_scratch_get(&column->scratch, json_encode_bound(size_bytes));

	*cell = (struct cell){ .type = CELL_TEXT, .data = text };
	return json_encode(data, size_bytes, text, &cell->size_bytes, fault);
}

/* The value there. Behind it `at` stands anywhere. */
static int read_value(struct column *column, struct value_reader *at, struct cell *cell, struct record_fault *fault)
{
	const unsigned char *from = at->next;
	struct value value;

	if (value_next(at, &value) != 0)
		return record_fault(fault, "no msgpack");
	switch (value.type) {
	case VALUE_NIL:
		*cell = (struct cell){ .type = CELL_NULL };
		return 0;
	case VALUE_BOOLEAN:
		*cell = (struct cell){ .type = CELL_BOOLEAN, .integer = (int64_t)value.number };
		return 0;
	case VALUE_UNSIGNED:
	case VALUE_NEGATIVE:
		*cell = (struct cell){ .type = value.type == VALUE_UNSIGNED && value.number > INT64_MAX ?
						       CELL_UNSIGNED :
						       CELL_INTEGER,
				       .integer = (int64_t)value.number };
		return 0;
	case VALUE_DOUBLE:
		*cell = (struct cell){ .type = CELL_REAL, .real = value.real };
		return isnan(value.real) ?
			       record_fault(fault, "not a number (NaN), which a database takes for nothing") :
			       0;
	case VALUE_STRING:
		return read_string(value.data, value.n, cell, fault);
	case VALUE_BINARY:
		*cell = (struct cell){ .type = CELL_BYTES, .data = value.data, .size_bytes = value.n };
		return 0;
	case VALUE_EXTENSION:
		return record_fault(fault, "an extension type of msgpack, which a database does not have");
	case VALUE_ARRAY:
	case VALUE_MAP:
		break;
	}
	at->next = from;
	if (value_skip(at) != 0)
		return record_fault(fault, "no msgpack");
	return read_json(column, from, (size_t)(at->next - from), cell, fault);
}

/* Text, or bytes. */
static void read_raw(const struct weir_item *item, struct cell *cell)
{
	bool is_text = text_is_utf8(item->data, item->size_bytes) && !memchr(item->data, '\0', item->size_bytes);

	*cell = (struct cell){ .type = is_text ? CELL_TEXT : CELL_BYTES,
			       .data = item->data,
			       .size_bytes = item->size_bytes };
}

static bool is_structured(const struct columns *columns, const struct weir_item *item)
{
	struct record_fault fault;

	if (columns->form != WEIR_FORM_UNKNOWN)
		return columns->form == WEIR_FORM_STRUCTURED;
	return structured_is(item->data, item->size_bytes) &&
	       msgpack_format_check(item->data, item->size_bytes, &fault) == 0;
}

static int read_cell(struct column *column, const struct weir_item *item, bool structured, struct cell *cell,
		     struct record_fault *fault)
{
	struct value_reader at;

	if (!structured && !is_whole_item(column->path))
		return record_fault(
			fault,
			"the item is not structured: say at its source what its records are, as in decode: json");
	if (!structured) {
		read_raw(item, cell);
		return 0;
	}
	value_reader_init(&at, item->data, item->size_bytes);
	if (is_whole_item(column->path))
		return read_value(column, &at, cell, fault);
	if (structured_find(&column->expression, item->data, item->size_bytes, &at))
		return read_value(column, &at, cell, fault);
	*cell = (struct cell){ .type = CELL_NULL };
	return 0;
}

int columns_read(struct columns *columns, const struct weir_item *item, struct record_fault *fault)
{
	bool structured = is_structured(columns, item);

	for (uint32_t i = 0; i < columns->n; i++) {
		struct record_fault why;

		if (read_cell(&columns->columns[i], item, structured, &columns->cells[i], &why) != 0)
			return record_fault(fault, "column '%s': %s", columns->columns[i].name, why.why);
	}
	return 0;
}

/* ---- SQL ---- */

void columns_add_name(struct text *sql, const char *name, size_t n)
{
	text_add_char(sql, '"');
	for (size_t i = 0; i < n; i++) {
		if (name[i] == '"')
			text_add_char(sql, '"');
		text_add_char(sql, name[i]);
	}
	text_add_char(sql, '"');
}

static void add_name(struct text *sql, const char *name)
{
	columns_add_name(sql, name, strlen(name));
}

void columns_add_names(const struct columns *columns, struct text *sql)
{
	for (uint32_t i = 0; i < columns->n; i++) {
		text_add(sql, i ? ", " : "");
		add_name(sql, columns->columns[i].name);
	}
}

void columns_add_conflict(const struct columns *columns, const struct weir_context *context, struct text *sql)
{
	const char *parting = "";

	if (!is_mode(context, "upsert"))
		return;
	text_add(sql, " ON CONFLICT (");
	for (uint32_t i = 0; i < columns->n; i++)
		if (columns->columns[i].is_key) {
			text_add(sql, parting);
			add_name(sql, columns->columns[i].name);
			parting = ", ";
		}
	parting = ") DO UPDATE SET ";
	for (uint32_t i = 0; i < columns->n; i++)
		if (!columns->columns[i].is_key) {
			text_add(sql, parting);
			add_name(sql, columns->columns[i].name);
			text_add(sql, " = excluded.");
			add_name(sql, columns->columns[i].name);
			parting = ", ";
		}
	if (parting[0] == ')')
		text_add(sql, ") DO NOTHING");
}
