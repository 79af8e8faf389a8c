/* SPDX-License-Identifier: Apache-2.0 */
/* weir: picks the verb. Everything else is in broker/cli/. */
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/output.h"
#include "broker/supervise/supervisor.h"

/* "weir --help" is "weir help", "weir --version" is "weir version". */
static const char *verb_of(const char *word)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return "help";
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		return "version";
	return word;
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *verb;
	int r;

	if (output_hold_standard() < 0)
		return EXIT_TRY_AGAIN;
	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C"); /* numbers are read and written as in the spec and in JSON */
	if (argc < 2) {
		_cleanup_(text_deinit) struct text help = TEXT_NULL;

		command_help_all(&help);
		fputs(text_get(&help), stderr);
		return EXIT_USAGE;
	}
	verb = verb_of(argv[1]);
	command = command_find(verb);
	if (!command)
		return command_unknown(verb);
	argv[1] = (char *)(uintptr_t)verb;
	r = command->run(argc - 1, argv + 1);
	if (fflush(stdout) != 0 && r == EXIT_DONE) {
		fprintf(stderr, "weir: can not write to standard output\n");
		return EXIT_LOSSES;
	}
	return r;
}
