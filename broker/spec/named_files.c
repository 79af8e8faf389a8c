/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a spec names what it runs:
 *
 *      plugin: ./libcheck.so                     the plugin
 *      exec: [python3, price.py, --fast]         price.py: a word that is a file; python3 is found by PATH, and --fast is no file
 *      exec: ./resize.sh                         a string is for the shell: nobody but the shell knows which of its words are files
 *      lua: {file: rules.lua}                    the script
 *
 * What is found by PATH belongs to the system and changes with its updates: it is named as unseen, as is what a shell is told.
 */
#include "broker/spec/named_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/spec/memory.h"
#include "broker/spec/reading.h"

/* Options of built-in kinds whose value is the path of a script. */
static const struct {
	const char *kind, *option;
} scripts[] = { { "lua", "file" } };

static void add(struct named_files *files, const struct named_file *file)
{
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->list[i].path, file->path) == 0)
			return;
	files->list = reallocarray(files->list, files->n + 1, sizeof(*files->list));
	must(files->list);
	files->list[files->n] = *file;
	files->list[files->n++].path = spec_strdup(file->path);
}

static struct spec_position place(const struct plan_stage *stage, const struct heritage_option *option)
{
	return option->line ? (struct spec_position){ option->line, option->column } : stage->kind_position;
}

/* The program starts in its stage's `cwd`: there its relative paths begin. */
static void add_word(struct named_files *files, const struct plan_stage *stage, const struct heritage_option *command,
		     uint32_t number)
{
	const struct heritage_option *folder = plan_option(stage, "cwd");
	const char *word = command->list[number];
	_cleanup_(text_deinit) struct text path = TEXT_NULL;
	struct stat status;

	if (!*word || (number == 0 && !strchr(word, '/')))
		return;
	if (*word != '/' && folder && folder->string && *folder->string)
		text_printf(&path, "%s/", folder->string);
	text_add(&path, word);
	if (number > 0 && (stat(text_get(&path), &status) != 0 || !S_ISREG(status.st_mode)))
		return;
	add(files, &(struct named_file){ .path = path.data,
					 .what = number == 0 ? "program" : "file",
					 .stage = stage->name,
					 .position = place(stage, command) });
}

static bool is_for_the_shell(const struct heritage_option *command)
{
	return command->n_list == 3 && strcmp(command->list[0], "sh") == 0 && strcmp(command->list[1], "-c") == 0;
}

static void add_command(struct named_files *files, const struct plan_stage *stage,
			const struct heritage_option *command)
{
	if (!command->n_list)
		return;
	if (is_for_the_shell(command)) {
		text_printf(&files->unseen, "stage '%s': what its shell command runs\n", stage->name);
		return;
	}
	if (!strchr(command->list[0], '/'))
		text_printf(&files->unseen, "stage '%s': the program '%s', which is found by PATH\n", stage->name,
			    command->list[0]);
	for (uint32_t i = 0; i < command->n_list; i++)
		add_word(files, stage, command, i);
}

static void add_scripts(struct named_files *files, const struct plan_stage *stage)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		const struct heritage_option *option =
			strcmp(stage->kind, scripts[i].kind) == 0 ? plan_option(stage, scripts[i].option) : NULL;

		if (option && option->string)
			add(files, &(struct named_file){ .path = option->string,
							 .what = "script",
							 .stage = stage->name,
							 .position = place(stage, option) });
	}
}

void named_files_of(const struct plan *plan, struct named_files *ret_files)
{
	*ret_files = (struct named_files)NAMED_FILES_NULL;
	add(ret_files, &(struct named_file){ .path = plan->spec_path, .what = "spec" });
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		const struct plan_stage *stage = &plan->stages[i];
		const struct heritage_option *command = stage->plugin ? NULL : plan_option(stage, "command");

		if (stage->plugin) {
			add(ret_files, &(struct named_file){ .path = stage->plugin,
							     .what = "plugin",
							     .stage = stage->name,
							     .position = stage->kind_position });
			continue;
		}
		if (command)
			add_command(ret_files, stage, command);
		add_scripts(ret_files, stage);
	}
}

void named_files_deinit(struct named_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->list[i].path);
	free(files->list);
	text_deinit(&files->unseen);
	*files = (struct named_files)NAMED_FILES_NULL;
}
