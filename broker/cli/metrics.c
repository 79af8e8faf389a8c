/* SPDX-License-Identifier: Apache-2.0 */
/* weir metrics: the numbers of a running pipeline, for Prometheus or as JSON. What they mean stands in docs/metrics.md. */
#include <stdio.h>

#include "broker/cli/command.h"
#include "broker/cli/metrics_text.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/verbs.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/must.h"

static int print_answer(const char *name, const char *json, bool as_json)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	if (metrics_format_text(json, &text) != 0) {
		fprintf(stderr, "weir: pipeline '%s' answered something else; is it of another version?\n", name);
		return EXIT_TRY_AGAIN;
	}
	printf("%s%s", as_json ? json : text_get(&text), as_json ? "\n" : "");
	return EXIT_DONE;
}

int metrics_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	const char *name;
	bool json = false;
	int id, r;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON);
		json = true;
	}
	if (id < 0)
		return command_exit(id);
	name = argv[parser.first];
	if (!pipeline_name_valid(name))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", name);
	r = pipeline_ask(name, "metrics", NULL, 0, &body);
	return r ? r : print_answer(name, text_get(&body), json);
}
