/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/spec/manual.h"

#include <string.h>

#include "broker/spec/keys.h"
#include "common/stage/registry.h"

/* Free text on lines of its own: nothing in it may be taken for a request or an escape, and what is to be typed keeps its dashes. */
static void add_prose(struct text *text, const char *prose)
{
	bool begins = true;

	for (; *prose; prose++) {
		if (begins && (*prose == '.' || *prose == '\''))
			text_add(text, "\\&");
		if (*prose == '\\')
			text_add(text, "\\e");
		else if (*prose == '-')
			text_add(text, "\\-");
		else
			text_add_char(text, *prose);
		begins = *prose == '\n';
	}
}

static void add_line(struct text *text, const char *before, const char *prose, const char *after)
{
	add_prose(text, before);
	add_prose(text, prose);
	text_printf(text, "%s\n", after);
}

static void add_values(struct text *text, const struct weir_option *option)
{
	_cleanup_(text_deinit) struct text values = TEXT_NULL;

	if (option->choices)
		for (const char *at = option->choices; *at; at++)
			text_printf(&values, *at == '|' ? " | " : "%c", *at);
	else
		text_add(&values, key_type_name((int)option->type));
	if (option->minimum || option->maximum) {
		text_add(&values, ", ");
		stage_option_bounds(option, &values);
	}
	if (option->required)
		text_add(&values, "; required");
	else if (option->fallback)
		text_printf(&values, "; default: %s", option->fallback);
	add_line(text, "", text_get(&values), "");
}

static void add_entry(struct text *text, const char *name, const struct weir_option *option)
{
	text_printf(text, ".It Cm %s\n", name);
	add_values(text, option);
	text_add(text, ".br\n");
	add_line(text, "", option->summary, ".");
	if (!option->example)
		return;
	text_add(text, ".br\n");
	add_line(text, "For instance ", name, ":");
	add_line(text, "", option->example, "");
}

static void add_table(struct text *text, const struct key_section *section)
{
	const struct key_table *table = section->table;

	text_add(text, ".Ss ");
	for (const char *at = section->title; *at; at++)
		if (*at != '`')
			text_add_char(text, *at);
	text_add(text, "\n.Bl -tag -width Ds\n");
	for (size_t i = 0; i < table->n; i++)
		add_entry(text, table->keys[i].name, &table->keys[i]);
	text_add(text, ".El\n");
}

void manual_keys(struct text *text)
{
	for (size_t i = 0; i < n_key_sections; i++)
		add_table(text, &key_sections[i]);
}

static void add_kind(struct text *text, const struct weir_stage *stage)
{
	bool is_exec = stage->role == WEIR_OPERATOR && strcmp(stage->name, "exec") == 0;

	if (is_exec)
		text_printf(text, ".Ss %s: COMMAND\n", stage->name);
	else
		text_printf(text, ".Ss %s: %s\n", stage_role_name(stage->role), stage->name);
	add_line(text, "", stage->summary, ".");
	text_add(text, ".Pp\n");
	add_line(text, "", stage->description, "");
	if (!stage->n_options)
		return;
	text_add(text, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < stage->n_options; i++) {
		bool is_key = is_exec && strcmp(stage->options[i].name, "command") == 0;

		add_entry(text, is_key ? stage->name : stage->options[i].name, &stage->options[i]);
	}
	text_add(text, ".El\n");
}

void manual_kinds(struct text *text)
{
	static const struct {
		enum weir_role role;
		const char *title;
	} parts[] = { { WEIR_SOURCE, "SOURCES" }, { WEIR_OPERATOR, "OPERATORS" }, { WEIR_SINK, "SINKS" } };

	for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++) {
		text_printf(text, ".Sh %s\n", parts[part].title);
		for (size_t i = 0; i < n_stage_descriptors; i++)
			if (stage_descriptors[i]->role == parts[part].role)
				add_kind(text, stage_descriptors[i]);
	}
}
