/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "broker/cli/command.h"
#include "broker/cli/verbs.h"
#include "broker/supervise/supervisor.h"

int help_command(int argc, char **argv)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	const struct command *command;
	int id = command_next(&parser);

	if (id)
		return command_exit(id);
	if (parser.first == argc) {
		command_help_all(&text);
	} else {
		command = command_find(argv[parser.first]);
		if (!command)
			return command_unknown(argv[parser.first]);
		command_help(command, &text);
	}
	fputs(text_get(&text), stdout);
	return EXIT_DONE;
}
