/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/run_arguments.h"

#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/display.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

static int word_index(const char *word, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

/* "stages.awk.workers=4" becomes two strings; the argument vector is ours to cut. */
static int add_override(struct run_arguments *arguments, char *argument)
{
	char *equals = strchr(argument, '=');

	if (!equals || equals == argument || arguments->n_overrides == RUN_OVERRIDES_MAX)
		return -1;
	*equals = '\0';
	arguments->overrides[arguments->n_overrides++] =
		(struct spec_override){ .path = argument, .value = equals + 1 };
	return 0;
}

int run_arguments_parse(struct run_arguments *arguments, int argc, char **argv, struct display_settings *settings)
{
	static const char *const progress_words[] = { "auto", "always", "never", "json", NULL };
	static const char *const format_words[] = { "auto", "text", "logfmt", "json", NULL };
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id, word;

	while ((id = command_next(&parser)) > 0) {
		switch (id) {
		case OPTION_SET:
			if (add_override(arguments, (char *)(uintptr_t)parser.value) < 0)
				return command_usage_error(parser.command,
							   "--set takes KEY=VALUE (at most %d times), not '%s'",
							   RUN_OVERRIDES_MAX, parser.value);
			break;
		case OPTION_LOCKED:
			arguments->locked = true;
			break;
		case OPTION_PROGRESS:
			word = word_index(parser.value, progress_words);
			if (word < 0)
				return command_usage_error(parser.command,
							   "--progress is auto, always, never or json, not '%s'",
							   parser.value);
			settings->progress = (enum progress)word;
			break;
		case OPTION_LOG_FORMAT:
			word = word_index(parser.value, format_words);
			if (word < 0)
				return command_usage_error(
					parser.command, "--log-format is text, logfmt or json, not '%s'", parser.value);
			settings->log_format = (enum display_log_format)word;
			break;
		case OPTION_QUIET:
			settings->quiet = true;
			break;
		case OPTION_VERBOSE:
			settings->verbose = true;
			break;
		case OPTION_JSON:
			settings->json = true;
			break;
		case OPTION_KEEP:
			arguments->keep = parser.value;
			break;
		case OPTION_KEEP_FOR:
			if (quantity_duration(parser.value, &arguments->keep_for_ns) != 0 ||
			    arguments->keep_for_ns <= 0)
				return command_usage_error(parser.command,
							   "--keep-for takes a duration such as 10m, not '%s'",
							   parser.value);
			break;
		default:
			unreachable_because("the table of verbs has no such option for run");
		}
	}
	if (id < 0)
		return command_exit(id);
	arguments->spec = argv[parser.first];
	return -1;
}
