/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/exec/program.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/stage.h>

#include "common/base/error.h"
#include "common/base/quantity.h"

#define PATH_FALLBACK "/usr/local/bin:/usr/bin:/bin"

static void program_set_title(struct program *program)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	size_t length;

	if (program->shell) {
		text_add(&text, program->argv[2]);
	} else {
		for (size_t i = 0; program->argv[i]; i++) {
			if (i)
				text_add_char(&text, ' ');
			text_add(&text, program->argv[i]);
		}
	}
	length = strlen(text_get(&text));
	strncpy(program->title, text_get(&text), sizeof(program->title) - 1);
	if (length >= sizeof(program->title))
		memcpy(program->title + sizeof(program->title) - 4, "...", 4);
	for (char *c = program->title; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
}

/* 0, or the errno that keeps it from being run. */
static int look_at(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return errno;
	if (!S_ISREG(status.st_mode))
		return EISDIR;
	return access(path, X_OK) ? errno : 0;
}

/* As execvp(3) looks, but before anything is started, so that the answer comes at the start of the pipeline. */
static int find_in_path(const char *name, char **ret_path)
{
	const char *path = getenv("PATH"), *end;
	int error = ENOENT;

	for (path = path && *path ? path : PATH_FALLBACK;; path = end + 1) {
		_cleanup_(text_deinit) struct text candidate = TEXT_NULL;
		int found;

		end = strchrnul(path, ':');
		if (end == path)
			text_add_char(&candidate, '.');
		else
			text_add_bytes(&candidate, path, (size_t)(end - path));
		text_add_char(&candidate, '/');
		text_add(&candidate, name);
		found = look_at(text_get(&candidate));
		if (!found) {
			*ret_path = text_steal(&candidate);
			return 0;
		}
		if (found == EACCES)
			error = EACCES;
		if (!*end)
			return error;
	}
}

static int program_find(struct program *program, struct text *why)
{
	const char *name = program->argv[0];
	int error;

	if (strchr(name, '/')) {
		error = look_at(name);
		if (!error)
			program->path = strdup(name);
	} else {
		error = *name ? find_in_path(name, &program->path) : ENOENT;
	}
	if (!error)
		return program->path ? 0 : error_origin(-ENOMEM);
	if (error == ENOENT && !strchr(name, '/'))
		text_printf(why, "program '%s' is not in PATH; install it, or give its path", name);
	else if (error == EACCES)
		text_printf(
			why,
			"program '%s' may not be run: make it executable (chmod +x), or name its interpreter, as in [sh, %s]",
			name, name);
	else if (error == EISDIR)
		text_printf(why, "'%s' is not a program but a folder or a special file; give the path of the program",
			    name);
	else
		text_printf(
			why,
			"program '%s' can't be run: %s; check the path, it is taken from the folder weir was started in",
			name, strerror(error));
	return PROGRAM_E_BAD;
}

static int program_read_ok_exit(struct program *program, const char *const *list, struct text *why)
{
	if (!list) {
		program->ok_exit[0] = 1;
		return 0;
	}
	for (; *list; list++) {
		int64_t status;

		if (quantity_integer(*list, &status) || status < 0 || status > 255) {
			text_printf(why, "ok_exit: '%s' is no exit status; give numbers from 0 to 255, as in [0, 1]",
				    *list);
			return PROGRAM_E_BAD;
		}
		program->ok_exit[status / 8] |= (uint8_t)(1u << (status % 8));
	}
	return 0;
}

static int program_make_script_argv(struct program *program)
{
	size_t n = 0;

	while (program->argv[n])
		n++;
	program->script_argv = calloc(n + 2, sizeof(char *));
	if (!program->script_argv)
		return error_origin(-ENOMEM);
	program->script_argv[0] = (char *)(uintptr_t) "sh";
	program->script_argv[1] = program->path;
	for (size_t i = 1; i < n; i++)
		program->script_argv[i + 1] = (char *)(uintptr_t)program->argv[i];
	return 0;
}

/* It is looked for from weir's folder, and started in its own. */
static int program_make_path_absolute(struct program *program)
{
	char *absolute;

	if (program->path[0] == '/')
		return 0;
	absolute = realpath(program->path, NULL);
	if (!absolute)
		return error_origin(-errno);
	free(program->path);
	program->path = absolute;
	return 0;
}

int program_init(struct program *program, struct weir_context *context, struct text *why)
{
	int r;

	*program = (struct program)PROGRAM_NULL;
	program->argv = weir_option_list(context, "command");
	if (!program->argv || !program->argv[0]) {
		text_add(why, "the command is empty; give a program and its arguments, as in [sort, -u]");
		return PROGRAM_E_BAD;
	}
	program->shell = !strcmp(program->argv[0], "sh") && program->argv[1] && !strcmp(program->argv[1], "-c") &&
			 program->argv[2];
	program_set_title(program);
	r = program_read_ok_exit(program, weir_option_list(context, "ok_exit"), why);
	if (!r)
		r = surroundings_init(&program->surroundings, context, why);
	if (!r)
		r = program_find(program, why);
	if (!r && program->surroundings.folder)
		r = program_make_path_absolute(program);
	if (!r)
		r = program_make_script_argv(program);
	return r;
}

void program_deinit(struct program *program)
{
	free(program->path);
	free(program->script_argv);
	surroundings_deinit(&program->surroundings);
	*program = (struct program)PROGRAM_NULL;
}

bool program_end_is_ok(const struct program *program, const struct program_end *end)
{
	return !end->signaled && end->code >= 0 && end->code <= 255 &&
	       (program->ok_exit[end->code / 8] >> (end->code % 8) & 1);
}

void program_end_describe(const struct program_end *end, struct text *text)
{
	const char *name = end->signaled ? sigabbrev_np(end->code) : NULL;

	if (!end->signaled)
		text_printf(text, "exit status %d", end->code);
	else
		text_printf(text, "killed by signal %d (%s)", end->code, name ? name : "?");
}

void program_end_advise(const struct program *program, const struct program_end *end, bool may_be_ok, struct text *text)
{
	if (end->signaled && end->code == SIGKILL) {
		text_add(text, ": was memory short, or did somebody kill it?");
		return;
	}
	if (!end->signaled && end->code == 127 && program->shell) {
		text_add(text, ": the shell did not find a program that the command names");
		return;
	}
	if (!end->signaled && end->code == 126 && program->shell) {
		text_add(text, ": the shell was not allowed to run a program that the command names");
		return;
	}
	text_add(text, ": see what it wrote to stderr");
	if (end->signaled || !may_be_ok)
		return;
	if (end->code == 1)
		text_add(
			text,
			"; if exit status 1 is no failure for this program (grep says 1 for 'no match'), add ok_exit: [0, 1]");
	else
		text_printf(text, "; if exit status %d is no failure for this program, add it to ok_exit", end->code);
}
