/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parser, help and usage errors of the verbs, all read off the one table in commands.c. An option that is not in the
 * table does not exist; one that is in the table is in the help.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/supervise/supervisor.h"
#include "common/base/must.h"

enum { LONG_BASE = 256 };       /* getopt's value of a long option: LONG_BASE + id; below it: a letter */
enum { NEAR_DISTANCE_MAX = 2 }; /* edits at which a word is still taken for a misspelling */

static const struct command_option option_help = { OPTION_HELP, "help", 'h', NULL, "show this help" };

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const struct command *command_nearest(const char *name)
{
	const struct command *nearest = NULL;
	unsigned best = NEAR_DISTANCE_MAX + 1;

	for (size_t i = 0; i < n_commands; i++) {
		unsigned distance = text_distance(name, commands[i].name);

		/* "xy" is two edits away from every word of two letters. */
		if (distance < best && distance < strlen(name)) {
			best = distance;
			nearest = &commands[i];
		}
	}
	return nearest;
}

static const struct command_option *option_nearest(const struct command *command, const char *name)
{
	const struct command_option *nearest = NULL;
	unsigned best = NEAR_DISTANCE_MAX + 1;

	for (const struct command_option *option = command->options; option->id; option++) {
		unsigned distance = text_distance(name, option->name);

		if (distance < best && distance < strlen(name)) {
			best = distance;
			nearest = option;
		}
	}
	return nearest;
}

static const struct command_option *option_by_id(const struct command *command, int id)
{
	for (const struct command_option *option = command->options; option->id; option++)
		if ((int)option->id == id)
			return option;
	return id == OPTION_HELP ? &option_help : NULL;
}

static const struct command_option *option_by_letter(const struct command *command, int letter)
{
	for (const struct command_option *option = command->options; option->id; option++)
		if (option->letter && option->letter == letter)
			return option;
	return letter == option_help.letter ? &option_help : NULL;
}

/* "... did you mean 'run'? see" but "... takes no value; see" */
static const char *end_mark(const struct text *text)
{
	return text->length && text->data[text->length - 1] == '?' ? "" : ";";
}

int command_usage_error(const struct command *command, const char *format, ...)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	va_list arguments;

	va_start(arguments, format);
	text_vprintf(&text, format, arguments);
	va_end(arguments);
	if (command)
		fprintf(stderr, "weir %s: %s%s see 'weir help %s'\n", command->name, text_get(&text), end_mark(&text),
			command->name);
	else
		fprintf(stderr, "weir: %s%s see 'weir help'\n", text_get(&text), end_mark(&text));
	return EXIT_USAGE;
}

int command_unknown(const char *verb)
{
	const struct command *nearest = command_nearest(verb);

	if (nearest)
		return command_usage_error(NULL, "there is no verb '%s', did you mean '%s'?", verb, nearest->name);
	return command_usage_error(NULL, "there is no verb '%s'", verb);
}

static void unknown_long(const struct command *command, const char *word)
{
	char name[64];
	const struct command_option *nearest;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	nearest = option_nearest(command, name);
	if (nearest)
		command_usage_error(command, "there is no option --%s, did you mean --%s?", name, nearest->name);
	else
		command_usage_error(command, "there is no option --%s", name);
}

/* getopt said '?': which of its reasons was it? */
static void option_error(const struct command_parser *parser)
{
	const struct command_option *option;

	if (optopt >= LONG_BASE) {
		option = option_by_id(parser->command, optopt - LONG_BASE);
		must(option);
		command_usage_error(parser->command, "option --%s takes no value", option->name);
	} else if (optopt) {
		command_usage_error(parser->command, "there is no option -%c", optopt);
	} else {
		unknown_long(parser->command, parser->argv[optind - 1]);
	}
}

static int missing_value(const struct command_parser *parser)
{
	const struct command_option *option = optopt >= LONG_BASE ? option_by_id(parser->command, optopt - LONG_BASE) :
								    option_by_letter(parser->command, optopt);

	must(option);
	command_usage_error(parser->command, "option --%s needs a value: --%s %s", option->name, option->name,
			    option->argument);
	return COMMAND_E_USAGE;
}

/* getopt's two tables, built from ours. */
static void build_tables(const struct command *command, struct option *longs, char *letters)
{
	*letters++ = ':';
	for (const struct command_option *option = command->options; option->id; option++, longs++) {
		*longs = (struct option){ option->name, option->argument ? required_argument : no_argument, NULL,
					  LONG_BASE + (int)option->id };
		if (!option->letter)
			continue;
		*letters++ = option->letter;
		if (option->argument)
			*letters++ = ':';
	}
	*longs = (struct option){ option_help.name, no_argument, NULL, LONG_BASE + OPTION_HELP };
	*letters++ = option_help.letter;
	*letters = '\0';
}

static int check_arguments(struct command_parser *parser)
{
	const struct command *command = parser->command;
	unsigned n = (unsigned)(parser->argc - optind);

	parser->first = optind;
	if (n < command->min_arguments) {
		command_usage_error(command, "missing argument: weir %s %s", command->name, command->arguments);
		return COMMAND_E_USAGE;
	}
	if (n > command->max_arguments) {
		command_usage_error(command, "unexpected argument '%s'",
				    parser->argv[optind + (int)command->max_arguments]);
		return COMMAND_E_USAGE;
	}
	return 0;
}

int command_next(struct command_parser *parser)
{
	struct option longs[COMMAND_OPTIONS_MAX + 2] = { 0 };
	char letters[2 * COMMAND_OPTIONS_MAX + 4];
	const struct command_option *option;
	int r;

	must(parser->command);
	build_tables(parser->command, longs, letters);
	if (!parser->first) {
		optind = 0; /* glibc: starts afresh */
		parser->first = 1;
	}
	opterr = 0;
	r = getopt_long(parser->argc, parser->argv, letters, longs, NULL);
	if (r == -1)
		return check_arguments(parser);
	if (r == ':')
		return missing_value(parser);
	if (r == '?') {
		option_error(parser);
		return COMMAND_E_USAGE;
	}
	option = r >= LONG_BASE ? option_by_id(parser->command, r - LONG_BASE) : option_by_letter(parser->command, r);
	must(option);
	parser->value = optarg;
	if (option->id == OPTION_HELP) {
		_cleanup_(text_deinit) struct text help = TEXT_NULL;

		command_help(parser->command, &help);
		fputs(text_get(&help), stdout);
		return COMMAND_E_HELP;
	}
	return (int)option->id;
}

int command_exit(int id)
{
	return id == COMMAND_E_HELP ? EXIT_DONE : EXIT_USAGE;
}

void command_help_all(struct text *text)
{
	int width = 0;

	for (size_t i = 0; i < n_commands; i++) {
		int length = (int)(strlen(commands[i].name) + strlen(commands[i].arguments) + 1);

		width = length > width ? length : width;
	}
	text_add(
		text,
		"weir runs a pipeline as a tree of processes on one Linux host.\n\nUsage: weir VERB [OPTIONS] [ARGUMENTS]\n\n");
	for (size_t i = 0; i < n_commands; i++) {
		char call[64];

		snprintf(call, sizeof(call), "%s %s", commands[i].name, commands[i].arguments);
		text_printf(text, "  %-*s  %s\n", width, call, commands[i].summary);
	}
	text_add(text, "\n'weir help VERB' shows a verb's options. Begin with: weir run configs/hello.yaml\n");
}

static void help_option(const struct command_option *option, struct text *text)
{
	char call[64], letter[4] = "";

	if (option->letter)
		snprintf(letter, sizeof(letter), "-%c,", option->letter);
	snprintf(call, sizeof(call), "--%s%s%s", option->name, option->argument ? " " : "",
		 option->argument ? option->argument : "");
	text_printf(text, "  %-3s %-34s %s\n", letter, call, option->summary);
}

void command_help(const struct command *command, struct text *text)
{
	text_printf(text, "weir %s: %s\n\nUsage: weir %s%s%s%s\n", command->name, command->summary, command->name,
		    command->options[0].id ? " [OPTIONS]" : "", *command->arguments ? " " : "", command->arguments);
	if (command->description)
		text_printf(text, "\n%s\n", command->description);
	text_add(text, "\nOptions:\n");
	for (const struct command_option *option = command->options; option->id; option++)
		help_option(option, text);
	help_option(&option_help, text);
}
