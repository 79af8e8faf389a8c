/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program does not inherit what happens to stand in the environment of who started weir: a secret there is not every child's business,
 * and what works in a shell would fail under systemd. It gets a few variables that are everybody's (common/stage/exec_surroundings.c),
 * those that the spec names, and WEIR_STAGE and WEIR_WORKER, which say who it is.
 */
#include "worker/exec/surroundings.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/stage.h>

#include "common/base/error.h"
#include "common/base/text.h"
#include "worker/exec/options.h"

extern char **environ;

/* "NAME=value" becomes the caller's. */
static int add(struct surroundings *surroundings, char *variable)
{
	char **grown;

	if (!variable)
		return error_origin(-ENOMEM);
	grown = reallocarray(surroundings->environment, surroundings->n_environment + 2, sizeof(*grown));
	if (!grown) {
		free(variable);
		return error_origin(-ENOMEM);
	}
	surroundings->environment = grown;
	grown[surroundings->n_environment++] = variable;
	grown[surroundings->n_environment] = NULL;
	return 0;
}

/* The place of a variable of that name; NULL: none. */
static char **find(const struct surroundings *surroundings, const char *name, size_t n)
{
	for (size_t i = 0; i < surroundings->n_environment; i++)
		if (!strncmp(surroundings->environment[i], name, n) && surroundings->environment[i][n] == '=')
			return &surroundings->environment[i];
	return NULL;
}

/* "NAME=value": the last word on a name counts. */
static int put(struct surroundings *surroundings, const char *variable)
{
	char **there = find(surroundings, variable, strcspn(variable, "="));
	char *copy = strdup(variable);

	if (!there)
		return add(surroundings, copy);
	if (!copy)
		return error_origin(-ENOMEM);
	free(*there);
	*there = copy;
	return 0;
}

int surroundings_set(struct surroundings *surroundings, const char *name, const char *value)
{
	_cleanup_(text_deinit) struct text variable = TEXT_NULL;

	text_printf(&variable, "%s=%s", name, value);
	return put(surroundings, text_get(&variable));
}

static int pass_everybodys(struct surroundings *surroundings)
{
	int r = 0;

	for (char **variable = environ; r == 0 && variable && *variable; variable++)
		if (exec_environment_is_everybodys(*variable))
			r = put(surroundings, *variable);
	return r;
}

/* What the spec adds: NAME is weir's own, NAME=value is said. */
static int pass_named(struct surroundings *surroundings, const char *const *names)
{
	int r = 0;

	for (; r == 0 && names && *names; names++) {
		const char *value = strchr(*names, '=') ? NULL : getenv(*names);

		if (strchr(*names, '='))
			r = put(surroundings, *names);
		else if (value)
			r = surroundings_set(surroundings, *names, value);
	}
	return r;
}

static int read_environment(struct surroundings *surroundings, const struct weir_context *context)
{
	char worker[16];
	int r = pass_everybodys(surroundings);

	snprintf(worker, sizeof(worker), "%u", weir_worker_index(context));
	if (r == 0)
		r = surroundings_set(surroundings, "WEIR_STAGE", weir_stage_name(context));
	if (r == 0)
		r = surroundings_set(surroundings, "WEIR_WORKER", worker);
	return r ? r : pass_named(surroundings, weir_option_list(context, "env"));
}

static int read_limits(struct surroundings *surroundings, const struct weir_context *context, struct text *why)
{
	const char *const *limit = weir_option_list(context, "limits");

	for (; limit && *limit; limit++) {
		if (surroundings->n_limits == EXEC_LIMITS_MAX) {
			text_printf(why, "limits: more than %u of them", EXEC_LIMITS_MAX);
			return SURROUNDINGS_E_BAD;
		}
		if (exec_limit_parse(*limit, &surroundings->limits[surroundings->n_limits++], why) != 0)
			return SURROUNDINGS_E_BAD;
	}
	return 0;
}

int surroundings_init(struct surroundings *surroundings, const struct weir_context *context, struct text *why)
{
	const char *user = weir_option_string(context, "user");
	int r;

	*surroundings = (struct surroundings)SURROUNDINGS_NULL;
	surroundings->folder = weir_option_string(context, "cwd");
	surroundings->nice = weir_option_given(context, "nice") ? (int)weir_option_integer(context, "nice") : 0;
	r = read_environment(surroundings, context);
	if (r)
		return r;
	if (user && exec_user_find(user, &surroundings->user, why) != 0)
		return SURROUNDINGS_E_BAD;
	return read_limits(surroundings, context, why);
}

void surroundings_deinit(struct surroundings *surroundings)
{
	for (size_t i = 0; i < surroundings->n_environment; i++)
		free(surroundings->environment[i]);
	free(surroundings->environment);
	*surroundings = (struct surroundings)SURROUNDINGS_NULL;
}

/* ---- in the child ---- */

static bool enter_user(const struct exec_user *user)
{
	if (user->uid == geteuid() && user->gid == getegid())
		return true;
	return setgroups(user->n_groups, user->groups) == 0 && setgid(user->gid) == 0 && setuid(user->uid) == 0;
}

/* What needs privilege comes before they are given up, and the folder after it: it is the program that has to be let in. */
const char *surroundings_enter(const struct surroundings *surroundings)
{
	if (surroundings->nice && setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + surroundings->nice))
		return "nice";
	for (size_t i = 0; i < surroundings->n_limits; i++) {
		const struct exec_limit *limit = &surroundings->limits[i];
		struct rlimit both = { limit->value, limit->value };

		if (setrlimit((__rlimit_resource_t)limit->resource, &both))
			return "limits";
	}
	if (surroundings->user.given && !enter_user(&surroundings->user))
		return "user";
	if (surroundings->folder && chdir(surroundings->folder))
		return "cwd";
	return NULL;
}
