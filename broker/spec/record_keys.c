/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `decode` and `encode` of a stage: a word, or a map. They travel to the worker as options of the stage, with names that no spec can write:
 * decode, decode.bad, decode.header, decode.columns, decode.separator.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/nearest.h"
#include "broker/spec/reading.h"

/* The two tables have the same keys in the same order. */
enum {
	KEY_FORMAT = DECODE_KEY_FORMAT,
	KEY_BAD = DECODE_KEY_BAD,
	KEY_HEADER = DECODE_KEY_HEADER,
	KEY_COLUMNS = DECODE_KEY_COLUMNS,
	KEY_SEPARATOR = DECODE_KEY_SEPARATOR
};
#define SAME(id_) ((int)DECODE_KEY_##id_ == (int)ENCODE_KEY_##id_)
_Static_assert(SAME(COUNT) && SAME(FORMAT) && SAME(BAD) && SAME(HEADER) && SAME(COLUMNS) && SAME(SEPARATOR),
	       "read by one function");

struct record_reading {
	struct reading *reading;
	struct plan_stage *planned;
	const struct key_table *table;
	const struct yaml_node *map; /* NULL: it is a word */
	struct spec_value values[KEYS_MAX];
};

static bool is_csv(const struct record_reading *record)
{
	return strcmp(record->values[KEY_FORMAT].option.string, "csv") == 0;
}

/* Keys that only CSV has. */
static void check_keys(const struct record_reading *record)
{
	static const int keys[] = { KEY_HEADER, KEY_COLUMNS, KEY_SEPARATOR };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !is_csv(record); i++)
		if (record->values[keys[i]].key)
			reading_error(record->reading, record->values[keys[i]].key->position, NULL,
				      "'%s' in %s is for csv, and the format is %s", record->table->keys[keys[i]].name,
				      record->table->owner, record->values[KEY_FORMAT].option.string);
}

static void check_separator(const struct record_reading *record)
{
	struct spec_value *value = (struct spec_value *)&record->values[KEY_SEPARATOR];
	char *string = value->option.string;

	if (!string)
		return;
	if (strcmp(string, "\\t") == 0)
		memcpy(string, "\t", 2);
	if (strlen(string) == 1 && (unsigned char)*string < 0x80 && !isalnum((unsigned char)*string) &&
	    !strchr("\"\r\n", *string))
		return;
	reading_error(record->reading, value_position(value, record->planned->position), NULL,
		      "separator '%s' is wrong: expected one byte such as ';', or '\\t', and no quote, letter or digit",
		      value->node ? value->node->value : string);
}

/* Columns that are missing because the word is misspelled, which was reported. */
static bool is_misspelled(const struct record_reading *record)
{
	const struct yaml_node *map = record->map;

	for (uint32_t i = 0; map && i < map->n; i++)
		if (key_find(record->table, map->pairs[i].key->value) < 0 &&
		    nearest_is(map->pairs[i].key->value, record->table->keys[KEY_COLUMNS].name))
			return true;
	return false;
}

static void check_columns(const struct record_reading *record)
{
	const struct spec_value *value = &record->values[KEY_COLUMNS];
	const struct heritage_option *columns = &value->option;

	for (uint32_t i = 0; columns->name && i < columns->n_list; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(columns->list[i], columns->list[j]) == 0) {
				const struct yaml_node *node = value->node;

				reading_error(record->reading,
					      node->kind == YAML_LIST ? node->items[i]->position : node->position, NULL,
					      "column '%s' is there twice", columns->list[i]);
			}
	if (record->table == &keys_encode && is_csv(record) && !columns->name && !value->wrong &&
	    !is_misspelled(record))
		reading_error(record->reading, value_position(&record->values[KEY_FORMAT], record->planned->position),
			      "encode: {format: csv, columns: [id, name]}",
			      "encode: csv needs columns: which parts of an item are written, and in which order");
}

/* Into the plan, under a name of its own. */
static void keep(struct record_reading *record, int key)
{
	struct heritage_option *option = &record->values[key].option;
	char name[64];

	if (!option->name)
		return;
	snprintf(name, sizeof(name), key == KEY_FORMAT ? "%s" : "%s.%s", record->table->owner,
		 record->table->keys[key].name);
	free(option->name);
	option->name = spec_strdup(name);
	plan_add_option(record->planned, option);
}

/* True unless columns say the names; and what it says has to be remembered over a kill. */
static void settle_header(struct record_reading *record)
{
	struct heritage_option *header = &record->values[KEY_HEADER].option;

	if (!header->name)
		*header = (struct heritage_option){ .name = spec_strdup("header"),
						    .type = HERITAGE_NUMBER,
						    .number = !record->values[KEY_COLUMNS].option.name };
	if (header->number)
		record->planned->n_spools++;
}

static void read_word(struct record_reading *record, const struct yaml_node *key, const struct yaml_node *node)
{
	struct spec_value *format = &record->values[KEY_FORMAT];

	format->key = key;
	format->node = node;
	format->wrong = !value_read(record->reading, &record->table->keys[KEY_FORMAT], node, &format->option);
	for (size_t i = 0; i < record->table->n; i++)
		if (i != (size_t)KEY_FORMAT)
			(void)value_default(&record->table->keys[i], &record->values[i].option);
}

static void read_record(struct reading *reading, struct plan_stage *planned, const struct key_table *table,
			const struct spec_value *value)
{
	struct record_reading record = { .reading = reading, .planned = planned, .table = table };

	if (!value->node || value->node->wrong)
		return;
	if (value->node->kind == YAML_LIST) {
		reading_error(
			reading, value->node->position, NULL,
			"%s wants a format such as json, or a map such as {format: csv, separator: ';'}, found a list",
			table->owner);
		return;
	}
	record.map = value->node->kind == YAML_MAP ? value->node : NULL;
	if (record.map)
		values_read(reading, table, value->node, NULL, false, record.values);
	else
		read_word(&record, value->key, value->node);
	if (record.values[KEY_FORMAT].option.name) {
		check_keys(&record);
		check_separator(&record);
		check_columns(&record);
		if (is_csv(&record) && table == &keys_decode)
			settle_header(&record);
		for (int key = 0; key < (int)table->n; key++)
			keep(&record, key);
	}
	values_deinit(record.values, table->n);
}

void reading_records(struct reading *reading, const struct stage_reading *stage, struct plan_stage *planned)
{
	read_record(reading, planned, &keys_decode, &stage->values[STAGE_KEY_DECODE]);
	read_record(reading, planned, &keys_encode, &stage->values[STAGE_KEY_ENCODE]);
}
