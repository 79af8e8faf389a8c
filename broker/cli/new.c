/* SPDX-License-Identifier: Apache-2.0 */
/* weir new: a project that builds and runs, to be changed into what is wanted. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/scaffold.h"
#include "broker/cli/spec_request.h"
#include "broker/cli/verbs.h"
#include "broker/supervise/supervisor.h"

static bool is_project(const char *word)
{
	for (size_t i = 0; i < n_scaffold_files; i++)
		if (strcmp(scaffold_files[i].project, word) == 0)
			return true;
	return false;
}

/* A pipeline is called so, or a kind of stage, which begins with a letter. */
static int check_name(const struct command *command, const char *project, const char *name)
{
	if (!pipeline_name_valid(name))
		return command_usage_error(command, "'%s' can't be a name: up to %d of a-z, 0-9, - and _", name,
					   PIPELINE_NAME_MAX);
	if (strcmp(project, "plugin") == 0 && (!islower((unsigned char)name[0]) || strlen(name) == PIPELINE_NAME_MAX))
		return command_usage_error(
			command, "'%s' can't be a plugin's name: it begins with a letter, and has fewer than %d", name,
			PIPELINE_NAME_MAX);
	return 0;
}

static int report(const char *project, const char *path, const char *name)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	for (size_t i = 0; i < n_scaffold_files; i++)
		if (strcmp(scaffold_files[i].project, project) == 0) {
			text_printf(&text, "%s/", path);
			scaffold_name(&scaffold_files[i], name, &text);
			text_add_char(&text, '\n');
		}
	text_printf(&text, "next: cd %s; %s\n", path, strcmp(project, "plugin") == 0 ? "make test" : "./test");
	return spec_request_print(&text);
}

int new_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const char *project, *name;
	char *path, *slash;
	int r = command_next(&parser);

	if (r)
		return command_exit(r);
	project = argv[parser.first];
	path = argv[parser.first + 1];
	if (!is_project(project))
		return command_usage_error(parser.command, "'%s' is neither pipeline nor plugin", project);
	while ((slash = strrchr(path, '/')) && slash != path && !slash[1])
		*slash = '\0'; /* "orders/", as shells complete it */
	name = slash ? slash + 1 : path;
	r = check_name(parser.command, project, name);
	if (r)
		return r;
	r = scaffold_write(project, path, name, &why);
	if (r == SCAFFOLD_E_TAKEN)
		return command_usage_error(parser.command, "there is '%s' already, and nothing was written", path);
	if (r < 0) {
		fprintf(stderr, "weir: %s\n", text_get(&why));
		return EXIT_TRY_AGAIN;
	}
	return report(project, path, name);
}
