/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "broker/spec/keys.h"
#include "broker/spec/reference.h"
#include "common/stage/registry.h"

/* A table's cell must not end early. */
static void add_cell(struct text *text, const char *string)
{
	for (; *string; string++)
		text_printf(text, "%s%c", *string == '|' ? "\\" : "", *string);
}

static void add_choices(struct text *text, const char *choices)
{
	for (const char *at = choices; *at; at += strcspn(at, "|"), at += *at == '|')
		text_printf(text, "%s`%.*s`", at == choices ? "" : ", ", (int)strcspn(at, "|"), at);
}

static void add_row(struct text *text, const char *name, const struct weir_option *option)
{
	text_printf(text, "| `%s` | ", name);
	if (option->type == WEIR_TYPE_CHOICE || (int)option->type == KEY_TYPE_BALANCE) {
		add_choices(text, option->choices);
	} else {
		text_add(text, key_type_name((int)option->type));
		if (option->minimum || option->maximum) {
			text_add(text, ", ");
			stage_option_bounds(option, text);
		}
	}
	text_add(text, " | ");
	if (option->required)
		text_add(text, "required");
	else if (option->fallback)
		text_printf(text, "`%s`", option->fallback);
	text_add(text, " | ");
	add_cell(text, option->summary);
	text_add(text, " | ");
	if (option->example) {
		text_add_char(text, '`');
		add_cell(text, option->example);
		text_add_char(text, '`');
	}
	text_add(text, " |\n");
}

static void add_head(struct text *text, const char *title)
{
	text_printf(text, "### %s\n\n| key | value | default | meaning | example |\n|---|---|---|---|---|\n", title);
}

static void add_table(struct text *text, const char *title, const struct key_table *table)
{
	add_head(text, title);
	for (size_t i = 0; i < table->n; i++)
		add_row(text, table->keys[i].name, &table->keys[i]);
	text_add_char(text, '\n');
}

static void add_kind(struct text *text, const struct weir_stage *stage)
{
	_cleanup_(text_deinit) struct text title = TEXT_NULL;
	bool is_exec = stage->role == WEIR_OPERATOR && strcmp(stage->name, "exec") == 0;

	if (is_exec)
		text_printf(&title, "`%s: COMMAND`: %s", stage->name, stage->summary);
	else
		text_printf(&title, "`%s: %s`: %s", stage_role_name(stage->role), stage->name, stage->summary);
	if (!stage->n_options) {
		text_printf(text, "### %s\n\n%s It has no options of its own.\n\n", text_get(&title),
			    stage->description);
		return;
	}
	add_head(text, text_get(&title));
	for (size_t i = 0; i < stage->n_options; i++) {
		bool is_key = is_exec && strcmp(stage->options[i].name, "command") == 0;

		add_row(text, is_key ? stage->name : stage->options[i].name, &stage->options[i]);
	}
	text_printf(text, "\n%s\n\n", stage->description);
}

void spec_reference(struct text *text)
{
	for (size_t i = 0; i < n_key_sections; i++)
		add_table(text, key_sections[i].title, key_sections[i].table);
	for (size_t i = 0; i < n_stage_descriptors; i++)
		add_kind(text, stage_descriptors[i]);
}
