/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sandbox` travels as options with names that no spec can write (broker/spec/sandbox_keys.c): sandbox, sandbox.network ...
 *
 *      heritage -> files: what its kind and options need, what the spec adds -> Landlock
 *               -> system calls: the list, less what network and processes leave out, more what the spec adds -> seccomp
 *
 * Files come first: the filter lets nobody make a ruleset. It is the only thread so far, so nothing has to be brought to others: libzmq's
 * and the stage's begin inside.
 */
#include "worker/sandbox/sandbox.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/landlock.h"
#include "worker/sandbox/files.h"
#include "worker/sandbox/needs.h"
#include "worker/sandbox/system_calls.h"

struct entering {
	const struct heritage *heritage;
	struct sandbox_said *said;
	struct text *why;
	bool network, processes, required;
};

static const struct heritage_option *find(const struct heritage *heritage, const char *name)
{
	for (uint32_t i = 0; i < heritage->n_options; i++)
		if (strcmp(heritage->options[i].name, name) == 0)
			return &heritage->options[i];
	return NULL;
}

static bool is_set(const struct heritage *heritage, const char *name, bool otherwise)
{
	const struct heritage_option *option = find(heritage, name);

	return option ? option->number : otherwise;
}

static int refuse(struct entering *entering, const char *option)
{
	snprintf(entering->said->option, sizeof(entering->said->option), "%s", option);
	return SANDBOX_E_REFUSED;
}

/* What the kernel can't do: a refusal, or a word of warning. */
static int do_without(struct entering *entering, const char *what)
{
	if (entering->required) {
		text_printf(entering->why, "%s; sandbox: {required: false} does without", what);
		return refuse(entering, "sandbox");
	}
	text_printf(&entering->said->missing, "%s%s", entering->said->missing.length ? "; " : "", what);
	return 0;
}

static int allow_paths(struct entering *entering, int ruleset_fd, const char *name, enum files_access access)
{
	const struct heritage_option *paths = find(entering->heritage, name);

	for (uint32_t i = 0; paths && i < paths->n_list; i++) {
		int r = files_allow(ruleset_fd, paths->list[i], access);

		if (r < 0) {
			text_printf(entering->why, "%s: '%s': %s", strchr(name, '.') + 1, paths->list[i], strerror(-r));
			return refuse(entering, name);
		}
	}
	return 0;
}

static int enter_files(struct entering *entering)
{
	_cleanup_(close) int ruleset_fd = -1;
	int abi = landlock_abi(), r;

	if (abi == 0)
		return do_without(
			entering,
			"this kernel can't restrict files: it has no Landlock, or it is switched off, or forbidden here");
	ruleset_fd = files_begin(entering->network);
	r = ruleset_fd < 0 ? ruleset_fd : needs_files(entering->heritage, ruleset_fd);
	if (r == 0)
		r = allow_paths(entering, ruleset_fd, "sandbox.read_only_paths", FILES_READ);
	if (r == 0)
		r = allow_paths(entering, ruleset_fd, "sandbox.read_write_paths", FILES_WRITE);
	if (r == 0)
		r = files_restrict(ruleset_fd);
	if (r == 0)
		text_printf(&entering->said->in_force, "files by Landlock (ABI %d)", abi);
	return r;
}

static int enter_system_calls(struct entering *entering)
{
	const struct heritage_option *more = find(entering->heritage, "sandbox.system_calls");
	const struct system_calls allowed = {
		.network = entering->network,
		.processes = entering->processes,
		.users = find(entering->heritage, "user") && needs_processes(entering->heritage),
		.more = more ? (const char *const *)more->list : NULL,
	};
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int r = system_calls_restrict(&allowed, &why);

	if (r == SYSTEM_CALLS_E_MISSING)
		return do_without(entering, text_get(&why));
	if (r == SYSTEM_CALLS_E_BAD) {
		text_add(entering->why, text_get(&why));
		return refuse(entering, "sandbox.system_calls");
	}
	if (r == 0)
		text_printf(&entering->said->in_force, "%ssystem calls by seccomp, network: %s, processes: %s",
			    entering->said->in_force.length ? ", " : "", allowed.network ? "yes" : "no",
			    allowed.processes ? "yes" : "no");
	return r;
}

int sandbox_enter(const struct heritage *heritage, struct sandbox_said *ret_said, struct text *why)
{
	struct entering entering = { .heritage = heritage, .said = ret_said, .why = why };
	int r;

	*ret_said = (struct sandbox_said){ .in_force = TEXT_NULL, .missing = TEXT_NULL };
	if (!find(heritage, "sandbox"))
		return 0;
	entering.network = is_set(heritage, "sandbox.network", needs_network(heritage));
	entering.processes = is_set(heritage, "sandbox.processes", needs_processes(heritage));
	entering.required = is_set(heritage, "sandbox.required", true);
	r = enter_files(&entering);
	if (r == 0)
		r = enter_system_calls(&entering);
	if (r < 0)
		text_printf(why, "the sandbox can't be entered: %s", strerror(-r));
	return r;
}

void sandbox_said_deinit(struct sandbox_said *said)
{
	text_deinit(&said->in_force);
	text_deinit(&said->missing);
}
