/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that may not be there yet stand for the nearest folder above them that is: what they will be made in.
 */
#include "worker/sandbox/needs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/store/store_folder.h"
#include "worker/sandbox/files.h"

enum how { HOLDS_READ, HOLDS_WRITE, ITSELF_READ, ITSELF_WRITE, ADDRESS };

static const struct {
	enum weir_role role;
	const char *kind, *option;
	enum how how;
} of_options[] = {
#define NEED_OPTION(role_, kind_, option_, how_) { role_, kind_, option_, how_ },
#include "worker/sandbox/needs.def"
};

static const struct {
	enum weir_role role;
	const char *kind;
} of_network[] = {
#define NEED_NETWORK(role_, kind_) { role_, kind_ },
#include "worker/sandbox/needs.def"
};

static const struct {
	const char *path;
	enum files_access access;
} of_system[] = {
#define NEED_SYSTEM(path_) { path_, FILES_READ },
#define NEED_DEVICE(path_) { path_, FILES_WRITE },
#include "worker/sandbox/needs.def"
};

#define IPC "ipc://"

static bool is_kind(const struct heritage *heritage, enum weir_role role, const char *kind)
{
	return !heritage->plugin && heritage->role == role && strcmp(heritage->kind, kind) == 0;
}

bool needs_network(const struct heritage *heritage)
{
	for (size_t i = 0; i < sizeof(of_network) / sizeof(of_network[0]); i++)
		if (is_kind(heritage, of_network[i].role, of_network[i].kind))
			return true;
	return false;
}

bool needs_processes(const struct heritage *heritage)
{
	return !heritage->plugin && strcmp(heritage->kind, "exec") == 0;
}

/* Cuts the last word off: "a/b" to "a", "a" to ".", "/a" to "/". Returns false if there is nothing to cut. */
static bool go_up(char **path)
{
	char *slash = strrchr(*path, '/'), *here;

	if (strcmp(*path, "/") == 0 || strcmp(*path, ".") == 0)
		return false;
	if (slash) {
		slash[slash == *path] = 0;
		return true;
	}
	here = strdup(".");
	free(*path);
	*path = here;
	return here != NULL;
}

/* Itself, or the nearest folder above that is there. Takes the path. */
static int allow_nearest(int ruleset_fd, char *path, enum files_access access)
{
	int r = -ENOENT;

	while (path && (r = files_allow(ruleset_fd, path, access)) == -ENOENT && go_up(&path))
		;
	free(path);
	return r;
}

/* The folder that holds what the pattern stands for. Takes the path. */
static int allow_holder(int ruleset_fd, char *path, enum files_access access)
{
	if (path)
		path[strcspn(path, "*?[{")] = 0;
	if (path && path[0] && path[strlen(path) - 1] == '/' && path[1])
		path[strlen(path) - 1] = 0; /* the pattern was the whole of the last word */
	else if (path)
		(void)go_up(&path);
	return allow_nearest(ruleset_fd, path, access);
}

static int allow_value(int ruleset_fd, const char *value, enum how how)
{
	enum files_access access = how == HOLDS_READ || how == ITSELF_READ ? FILES_READ : FILES_WRITE;

	switch (how) {
	case HOLDS_READ:
	case HOLDS_WRITE:
		return allow_holder(ruleset_fd, strdup(value), access);
	case ADDRESS:
		if (strncmp(value, IPC, strlen(IPC)) != 0)
			return 0;
		return allow_holder(ruleset_fd, strdup(value + strlen(IPC)), access);
	default:
		return allow_nearest(ruleset_fd, strdup(value), access);
	}
}

static int allow_option(int ruleset_fd, const struct heritage_option *option, enum how how)
{
	int r = option->string ? allow_value(ruleset_fd, option->string, how) : 0;

	for (uint32_t i = 0; r == 0 && i < option->n_list; i++)
		r = allow_value(ruleset_fd, option->list[i], how);
	return r;
}

static const struct heritage_option *find_option(const struct heritage *heritage, const char *name)
{
	for (uint32_t i = 0; i < heritage->n_options; i++)
		if (strcmp(heritage->options[i].name, name) == 0)
			return &heritage->options[i];
	return NULL;
}

static int allow_options(const struct heritage *heritage, int ruleset_fd)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(of_options) / sizeof(of_options[0]); i++) {
		const struct heritage_option *option = find_option(heritage, of_options[i].option);

		if (option && is_kind(heritage, of_options[i].role, of_options[i].kind))
			r = allow_option(ruleset_fd, option, of_options[i].how);
	}
	return r;
}

static int allow_system(int ruleset_fd)
{
	for (size_t i = 0; i < sizeof(of_system) / sizeof(of_system[0]); i++) {
		int r = files_allow(ruleset_fd, of_system[i].path, of_system[i].access);

		if (r < 0 && r != -ENOENT && r != -EACCES)
			return r;
	}
	return 0;
}

/* A program and what it reads lie, as a rule, where it is started, or where its path says. */
static int allow_program(const struct heritage *heritage, int ruleset_fd)
{
	const struct heritage_option *command = find_option(heritage, "command");
	int r = find_option(heritage, "cwd") ? 0 : files_allow(ruleset_fd, ".", FILES_READ);

	if (r == 0 && command && command->n_list && strchr(command->list[0], '/'))
		r = allow_holder(ruleset_fd, strdup(command->list[0]), FILES_READ);
	return r;
}

/* A store of weir's own is made now: inside, only somebody who may write above it could. */
static int allow_store(int ruleset_fd, const char *path)
{
	int r = store_folder_make(path);

	return r < 0 ? r : files_allow(ruleset_fd, path, FILES_WRITE);
}

/* What weir itself keeps in files for this worker; and where those listen who wait for replies. */
static int allow_own(const struct heritage *heritage, int ruleset_fd)
{
	int r = files_allow(ruleset_fd, "/proc/self/exe", FILES_READ); /* whose symbols a backtrace names */

	if (r == 0 && heritage->dead_letter_path)
		r = allow_holder(ruleset_fd, strdup(heritage->dead_letter_path), FILES_WRITE);
	if (r == 0 && heritage->dead_letter_store)
		r = allow_store(ruleset_fd, heritage->dead_letter_store);
	if (r == 0 && heritage->state_path)
		r = allow_store(ruleset_fd, heritage->state_path);
	if (r == 0 && heritage->plugin)
		r = allow_holder(ruleset_fd, strdup(heritage->plugin), FILES_READ);
	if (r == 0 && !heritage->plugin && strcmp(heritage->kind, "zmq") == 0)
		r = allow_value(ruleset_fd, heritage->control_endpoint, ADDRESS);
	return r;
}

int needs_files(const struct heritage *heritage, int ruleset_fd)
{
	int r = allow_system(ruleset_fd);

	if (r == 0)
		r = allow_own(heritage, ruleset_fd);
	if (r == 0)
		r = allow_options(heritage, ruleset_fd);
	if (r == 0 && needs_processes(heritage))
		r = allow_program(heritage, ruleset_fd);
	return error_trace(r);
}
