/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of `weir`, declared once in commands.c: help, usage errors, `weir help VERB` and the parser are derived from it.
 * A verb's function is called with argv[0] = the verb and reads its options with command_next().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/base/text.h"

/* Every option has one id over all verbs, so that the same word means the same thing everywhere. */
enum command_option_id {
	OPTION_HELP = 1,
	OPTION_JSON,
	OPTION_SET, /* repeatable; KEY=VALUE */
	OPTION_FORMAT,
	OPTION_DOT,
	OPTION_MERMAID,
	OPTION_PROGRESS,
	OPTION_QUIET,
	OPTION_VERBOSE,
	OPTION_LOG_FORMAT,
	OPTION_TIMEOUT,
	OPTION_NO_WAIT,
	OPTION_CAUSE,
	OPTION_SCOPE,
	OPTION_KILL,
	OPTION_PAUSE,
	OPTION_DELAY,
	OPTION_REFUSE,
	OPTION_FILL,
	OPTION_HOLD,
	OPTION_DISK,
	OPTION_STAGE,
	OPTION_FOR,
	OPTION_COUNT,
	OPTION_SEED,
	OPTION_ALL,
	OPTION_AGAIN,
	OPTION_RAW,
	OPTION_LOCKED,
	OPTION_KEEP,
	OPTION_KEEP_FOR,
	OPTION_DIFF,
	OPTION_OPENING,
	OPTION_PROBATION,
	OPTION_NAMES,
	OPTION_LISTEN,
	OPTION_HOST, /* repeatable */
	OPTION_WAIT,
	OPTION_ONCE,
	OPTION_INTERVAL,
	OPTION_SORT,
	OPTION_REVERSE,
	OPTION_BACKTRACE,
	OPTION_OUTPUT,
	OPTION_FOLLOW,
	OPTION_PERFETTO,
	OPTION_FOLDED,
	OPTION_RATE,
	OPTION_FILTER,
	OPTION_REDACT, /* repeatable */
	OPTION_HEX,
	OPTION_MAX_BYTES,
	OPTION_WINDOW,
	OPTION_PPROF,
	OPTION_OTLP,
	OPTION_SAMPLE,
};

struct command_option {
	enum command_option_id id;
	const char *name;     /* long name, without the dashes */
	char letter;          /* short name; 0: none */
	const char *argument; /* what it takes, for help: "KEY=VALUE", "text|json"; NULL: nothing */
	const char *summary;  /* one line */
};

#define COMMAND_OPTIONS_MAX 14

struct command {
	const char *name;
	const char *arguments; /* "SPEC", "[NAME]", "" */
	unsigned min_arguments, max_arguments;
	const char *summary;     /* one line */
	const char *description; /* paragraphs for `weir help VERB` */
	int (*run)(int argc, char **argv);
	struct command_option options[COMMAND_OPTIONS_MAX + 1]; /* ended by id 0 */
};

/* All verbs in the order of the help; static. */
extern const struct command commands[];
extern const size_t n_commands;

/* The verb of that name, NULL if there is none; the nearest one to a misspelled word, NULL if none is near. */
const struct command *command_find(const char *name);
const struct command *command_nearest(const char *name);

/* Reads the arguments of one call of a verb. */
struct command_parser {
	const struct command *command;
	int argc;
	char **argv;
	const char *value; /* of the option just returned */
	int first;         /* argv[first] ... argv[argc - 1]: what is not an option, once command_next() said 0 */
};

/*
 * argv[0] must be a verb's name. Usage:
 *
 *     struct command_parser parser = COMMAND_PARSER(argc, argv);
 *     int id;
 *
 *     while ((id = command_next(&parser)) > 0)
 *             switch (id) { case OPTION_JSON: ... }
 *     if (id < 0)
 *             return command_exit(id);
 *
 * Returns the option's id; 0 at the end, when the number of arguments is right too; negative when the verb should return
 * command_exit(id): its usage was wrong (one line is on stderr) or help was asked for (it is on stdout).
 */
#define COMMAND_PARSER(argc_, argv_)                                \
	{                                                           \
		command_find((argv_)[0]), (argc_), (argv_), NULL, 0 \
	}
int command_next(struct command_parser *parser);
enum { COMMAND_E_USAGE = -1, COMMAND_E_HELP = -2 };
int command_exit(int id);

/* A value of an option, or an argument, is wrong: one line and the way to help on stderr. Returns EXIT_USAGE. */
int command_usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* There is no such verb: one line on stderr, with the nearest one. Returns EXIT_USAGE. */
int command_unknown(const char *verb);

/* The text of `weir help` and of `weir help VERB`. */
void command_help_all(struct text *text);
void command_help(const struct command *command, struct text *text);
