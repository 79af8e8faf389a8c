/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/spec_request.h"
#include "broker/cli/terminal.h"
#include "broker/spec/lock.h"
#include "broker/supervise/supervisor.h"
#include "common/base/must.h"

static bool add_override(struct spec_request *request, char *argument)
{
	char *equals = strchr(argument, '=');

	if (!equals || equals == argument || request->n_overrides == SPEC_REQUEST_SETTINGS_MAX)
		return false;
	*equals = '\0';
	request->overrides[request->n_overrides++] = (struct spec_override){ argument, equals + 1 };
	return true;
}

int spec_request_parse(struct spec_request *request, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id;

	while ((id = command_next(&parser)) > 0) {
		switch (id) {
		case OPTION_SET:
			if (!add_override(request, (char *)(uintptr_t)parser.value))
				return command_usage_error(parser.command,
							   "--set takes KEY=VALUE (at most %u times), not '%s'",
							   SPEC_REQUEST_SETTINGS_MAX, parser.value);
			break;
		case OPTION_JSON:
			request->json = true;
			break;
		case OPTION_LOCKED:
			request->locked = true;
			break;
		case OPTION_FORMAT:
			request->format = parser.value;
			break;
		case OPTION_DOT:
			request->format = "dot";
			break;
		case OPTION_MERMAID:
			request->format = "mermaid";
			break;
		default:
			unreachable_because("the table of verbs has no such option");
		}
	}
	if (id < 0)
		return command_exit(id);
	request->path = argv[parser.first];
	return -1;
}

int spec_request_load(struct spec_request *request)
{
	int r = spec_load(request->path, request->overrides, request->n_overrides, &request->plan,
			  &request->diagnostics);
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct terminal terminal;

	if (r == 0 && request->locked)
		r = lock_check(request->plan, &request->diagnostics);
	if (r < 0) {
		fprintf(stderr, "weir: %s can not be read: %s\n", request->path, strerror(-r));
		return EXIT_TRY_AGAIN;
	}
	if (!request->json) {
		terminal_detect(STDERR_FILENO, &terminal);
		diagnostics_format(&request->diagnostics, terminal.color, &text);
		fputs(text_get(&text), stderr);
	}
	if (r == SPEC_E_INVALID) { /* also one that has been planned, but is not what was locked */
		plan_free(request->plan);
		request->plan = NULL;
	}
	return r == SPEC_E_INVALID ? EXIT_SPEC_INVALID : 0;
}

void spec_request_deinit(struct spec_request *request)
{
	plan_free(request->plan);
	diagnostics_deinit(&request->diagnostics);
	*request = (struct spec_request)SPEC_REQUEST_NULL;
}

int spec_request_print(const struct text *text)
{
	if (fwrite(text_get(text), 1, text->length, stdout) == text->length && fflush(stdout) == 0)
		return 0;
	perror("weir: standard output");
	return EXIT_TRY_AGAIN;
}
