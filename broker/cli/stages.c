/* SPDX-License-Identifier: Apache-2.0 */
/* weir stages: the kinds and their options, read off the tables that the spec is checked by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/spec_request.h"
#include "broker/cli/stages.h"
#include "broker/cli/table.h"
#include "broker/cli/terminal.h"
#include "broker/spec/keys.h"
#include "broker/spec/nearest.h"
#include "broker/spec/probe.h"
#include "broker/supervise/supervisor.h"
#include "common/base/must.h"
#include "common/stage/describe.h"
#include "common/stage/registry.h"

#define PROSE_WIDTH 100u

/* An operator whose key in the spec is its own name, for it stands for a program. */
static bool is_exec(const struct weir_stage *stage)
{
	return stage->role == WEIR_OPERATOR && strcmp(stage->name, "exec") == 0;
}

/* The key that says which kind a stage is, as in a spec. */
static void add_usage(const struct weir_stage *stage, bool plugin, struct text *text)
{
	if (plugin)
		text_add(text, "plugin: PATH");
	else if (is_exec(stage))
		text_printf(text, "%s: COMMAND", stage->name);
	else
		text_printf(text, "%s: %s", stage_role_name(stage->role), stage->name);
}

/* The option `command` of an operator is the value of the key that names the kind. */
static bool is_kind_key(const struct weir_stage *stage, const struct weir_option *option, bool plugin)
{
	return !plugin && is_exec(stage) && strcmp(option->name, "command") == 0;
}

/* The shortest stage of this kind that a spec may have. */
static void add_example(const struct weir_stage *stage, bool plugin, struct text *text)
{
	text_add(text, "- {name: NAME, ");
	add_usage(stage, plugin, text);
	for (size_t i = 0; i < stage->n_options; i++)
		if (stage->options[i].required && !is_kind_key(stage, &stage->options[i], plugin))
			text_printf(text, ", %s: %s", stage->options[i].name,
				    stage->options[i].example ? stage->options[i].example : "...");
	text_add_char(text, '}');
}

static void add_string(struct text *text, const char *name, const char *value)
{
	text_printf(text, ",\"%s\":", name);
	if (value)
		text_add_json(text, value, strlen(value));
	else
		text_add(text, "null");
}

static void option_json(const struct weir_option *option, struct text *text)
{
	text_add(text, "{\"name\":");
	text_add_json(text, option->name, strlen(option->name));
	add_string(text, "type", stage_option_type_name(option->type));
	text_printf(text, ",\"required\":%s", option->required ? "true" : "false");
	add_string(text, "default", option->fallback);
	if (option->choices)
		add_string(text, "choices", option->choices);
	if (option->minimum || option->maximum)
		text_printf(text, ",\"minimum\":%lld,\"maximum\":%lld", (long long)option->minimum,
			    (long long)option->maximum);
	add_string(text, "summary", option->summary);
	add_string(text, "example", option->example);
	text_add_char(text, '}');
}

static void stage_json(const struct weir_stage *stage, struct text *text)
{
	text_add(text, "{\"role\":");
	text_add_json(text, stage_role_name(stage->role), strlen(stage_role_name(stage->role)));
	add_string(text, "kind", stage->name);
	add_string(text, "summary", stage->summary);
	add_string(text, "description", stage->description);
	text_add(text, ",\"options\":[");
	for (size_t i = 0; i < stage->n_options; i++) {
		if (i)
			text_add_char(text, ',');
		option_json(&stage->options[i], text);
	}
	text_add(text, "]}");
}

static void list_text(struct text *text)
{
	static const struct table_column columns[] = { { "in a spec", false, 3 }, { "what it is", false, 2 } };
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	struct terminal terminal;

	table_init(&table, columns, 2, n_stage_descriptors + 1);
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		_cleanup_(text_deinit) struct text usage = TEXT_NULL;

		add_usage(stage_descriptors[i], false, &usage);
		table_set(&table, i, 0, CELL_BOLD, "%s", text_get(&usage));
		table_set(&table, i, 1, CELL_PLAIN, "%s", stage_descriptors[i]->summary);
	}
	table_set(&table, n_stage_descriptors, 0, CELL_BOLD, "plugin: PATH");
	table_set(&table, n_stage_descriptors, 1, CELL_PLAIN, "a stage written in C, in a shared object");
	terminal_detect(STDOUT_FILENO, &terminal);
	table_format(&table, 0, true, terminal.color, text);
	text_add(text, "\n'weir stages KIND' shows a kind's options, e.g. 'weir stages source file'.\n");
}

static void add_prose(const char *prose, struct text *text)
{
	size_t column = 0;

	for (const char *at = prose; *at;) {
		size_t n = strcspn(at, " ");

		if (column && column + 1 + n > PROSE_WIDTH) {
			text_add_char(text, '\n');
			column = 0;
		}
		text_printf(text, "%s%.*s", column ? " " : "", (int)n, at);
		column += n + (column ? 1 : 0);
		at += n;
		at += strspn(at, " ");
	}
	text_add_char(text, '\n');
}

static void option_values(const struct weir_option *option, struct text *text)
{
	if (option->type == WEIR_TYPE_CHOICE) {
		text_add(text, option->choices);
		return;
	}
	text_add(text, stage_option_type_name(option->type));
	if (option->minimum || option->maximum) {
		text_add(text, ", ");
		stage_option_bounds(option, text);
	}
}

static void options_text(const struct weir_stage *stage, bool plugin, bool color, struct text *text)
{
	static const struct table_column columns[] = {
		{ "option", false, 9 },  { "value", false, 8 },        { "default", false, 7 },
		{ "example", false, 6 }, { "what it does", false, 5 },
	};
	_cleanup_(table_deinit) struct table table = TABLE_NULL;

	table_init(&table, columns, 5, stage->n_options);
	for (size_t i = 0; i < stage->n_options; i++) {
		const struct weir_option *option = &stage->options[i];
		_cleanup_(text_deinit) struct text values = TEXT_NULL;

		option_values(option, &values);
		table_set(&table, i, 0, CELL_BOLD, "%s",
			  is_kind_key(stage, option, plugin) ? stage->name : option->name);
		table_set(&table, i, 1, CELL_PLAIN, "%s", text_get(&values));
		table_set(&table, i, 2, CELL_PLAIN, "%s",
			  option->required ? "(required)" :
			  option->fallback ? option->fallback :
					     "-");
		table_set(&table, i, 3, CELL_DIM, "%s", option->example ? option->example : "");
		table_set(&table, i, 4, CELL_PLAIN, "%s", option->summary);
	}
	table_format(&table, 0, true, color, text);
}

/* What every source, or every sink, takes besides. */
static void add_record_key(const struct weir_stage *stage, struct text *text)
{
	_cleanup_(text_deinit) struct text prose = TEXT_NULL;
	const struct weir_option *key =
		&keys_stage.keys[stage->role == WEIR_SINK ? STAGE_KEY_ENCODE : STAGE_KEY_DECODE];

	if (stage->role == WEIR_OPERATOR)
		return;
	text_printf(&prose, "Like every %s it takes %s: %s. For instance %s: %s; docs/formats.md has all of it.",
		    stage_role_name(stage->role), key->name, key->summary, key->name, key->example);
	text_add_char(text, '\n');
	add_prose(text_get(&prose), text);
}

static void stage_text(const struct weir_stage *stage, bool plugin, struct text *text)
{
	struct terminal terminal;

	terminal_detect(STDOUT_FILENO, &terminal);
	text_printf(text, "%s %s: %s\n\n", stage_role_name(stage->role), stage->name, stage->summary);
	add_prose(stage->description, text);
	text_add(text, "\nin a spec:  ");
	add_example(stage, plugin, text);
	text_add(text, "\n\n");
	if (stage->n_options)
		options_text(stage, plugin, terminal.color, text);
	else
		text_add(text, "It has no options of its own.\n");
	add_record_key(stage, text);
	text_add_char(text, '\n');
}

/* "file", "source file", "source: file": does this kind answer to it? */
static bool answers_to(const struct weir_stage *stage, const char *word)
{
	const char *role = stage_role_name(stage->role);
	size_t n = strlen(role);

	if (strcmp(word, stage->name) == 0 || (strcmp(word, role) == 0))
		return true;
	if (strncmp(word, role, n) != 0 || !strchr(": ", word[n]) || !word[n])
		return false;
	return strcmp(word + n + strspn(word + n, ": "), stage->name) == 0;
}

static int unknown_kind(const char *word)
{
	_cleanup_(text_deinit) struct text hint = TEXT_NULL;
	struct nearest nearest = NEAREST(word);

	for (size_t i = 0; i < n_stage_descriptors; i++)
		nearest_offer(&nearest, stage_descriptors[i]->name);
	nearest_hint(&nearest, &hint);
	return command_usage_error(command_find("stages"), "there is no kind of stage '%s'%s%s", word,
				   hint.length ? ", " : "", text_get(&hint));
}

static int show_kind(const char *word, bool json, struct text *text)
{
	unsigned n = 0;

	if (json)
		text_add_char(text, '[');
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		if (!answers_to(stage_descriptors[i], word))
			continue;
		if (json)
			text_add(text, n ? "," : "");
		(json ? stage_json(stage_descriptors[i], text) : stage_text(stage_descriptors[i], false, text));
		n++;
	}
	if (json)
		text_add(text, "]\n");
	return n ? 0 : unknown_kind(word);
}

static int show_plugin(const char *path, bool json, struct text *text)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct stage_description *description;
	int r = probe_describe(path, &description, &why);

	if (r != 0) {
		fprintf(stderr, "weir stages: %s\n", text_get(&why));
		return r < 0 ? EXIT_TRY_AGAIN : EXIT_SPEC_INVALID;
	}
	if (json) {
		text_add_char(text, '[');
		stage_json(&description->stage, text);
		text_add(text, "]\n");
	} else {
		stage_text(&description->stage, true, text);
	}
	stage_description_free(description);
	return 0;
}

static void list_json(struct text *text)
{
	text_add_char(text, '[');
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		text_add(text, i ? "," : "");
		stage_json(stage_descriptors[i], text);
	}
	text_add(text, "]\n");
}

int stages_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	_cleanup_(text_deinit) struct text text = TEXT_NULL, word = TEXT_NULL;
	bool json = false;
	int id, r = 0;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON);
		json = true;
	}
	if (id < 0)
		return command_exit(id);
	for (int i = parser.first; i < argc; i++)
		text_printf(&word, "%s%s", word.length ? " " : "", argv[i]);
	if (!word.length)
		(json ? list_json(&text) : list_text(&text));
	else if (strchr(text_get(&word), '/') || strstr(text_get(&word), ".so"))
		r = show_plugin(text_get(&word), json, &text);
	else
		r = show_kind(text_get(&word), json, &text);
	return r ? r : spec_request_print(&text);
}
