/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir console: becomes weir-console, a program of its own, so that an HTTP server is loaded by nobody who does not serve. It is found
 * beside weir.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/verbs.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/must.h"

#define HOSTS_MAX 8u

struct console_arguments {
	const char *where;
	const char *hosts[HOSTS_MAX];
	unsigned n_hosts;
	bool waits;
};

/* WEIR_CONSOLE, or weir-console beside this program. The caller frees. */
static char *console_program(void)
{
	const char *wanted = getenv("WEIR_CONSOLE");
	struct text path = TEXT_NULL;
	char self[PATH_MAX];
	ssize_t n;

	if (wanted && *wanted) {
		text_add(&path, wanted);
		return text_steal(&path);
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	text_printf(&path, "%s/weir-console", self);
	return text_steal(&path);
}

static int become(const char *name, const struct console_arguments *arguments)
{
	_cleanup_(free) char *program = console_program(), *run_dir = run_dir_path(name);
	_cleanup_(text_deinit) struct text own = TEXT_NULL;
	const char *argv[4 + HOSTS_MAX + 1] = { "weir-console", name, arguments->where,
						arguments->waits ? "wait" : "once" };

	text_printf(&own, "unix:%s/console", run_dir);
	if (!argv[2])
		argv[2] = text_get(&own);
	memcpy(&argv[4], arguments->hosts, arguments->n_hosts * sizeof(argv[0]));
	execv(program, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "weir: there is no program '%s'; install it beside weir, or set WEIR_CONSOLE to its path\n",
		program);
	return EXIT_TRY_AGAIN;
}

int console_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	struct console_arguments arguments = { NULL };
	int id;

	while ((id = command_next(&parser)) > 0) {
		if (id == OPTION_LISTEN)
			arguments.where = parser.value;
		else if (id == OPTION_WAIT)
			arguments.waits = true;
		else if (arguments.n_hosts < HOSTS_MAX)
			arguments.hosts[arguments.n_hosts++] = parser.value;
		else
			return command_usage_error(parser.command, "--host can be given %u times", HOSTS_MAX);
	}
	if (id < 0)
		return command_exit(id);
	if (!pipeline_name_valid(argv[parser.first]))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", argv[parser.first]);
	if (arguments.waits && !arguments.where)
		return command_usage_error(parser.command,
					   "--wait needs --listen: the run folder is there only with the run");
	return become(argv[parser.first], &arguments);
}
