/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir dump: what every worker does, or waits for, stuck or not. A stage at a time: that is as much as the supervisor asks the kernel about
 * without being away for long; so stages are seen at slightly different moments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/stack.h"
#include "broker/cli/terminal.h"
#include "broker/cli/top_rows.h"
#include "broker/cli/top_worker.h"
#include "broker/cli/verbs.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/must.h"

#define EXIT_NO_ANSWER 1

struct dump {
	const char *name;
	bool json, backtrace;
	struct view_copy copy;
};

static void print_stage(const struct dump *dump, const struct view_stage *stage, const char *answer, size_t width)
{
	struct fy_document *document = json_parse(answer);
	const struct top_rates no_rates = TOP_RATES_NULL;
	const struct top_picture picture = { .pipeline = dump->name,
					     .view = &dump->copy.view,
					     .rates = &no_rates,
					     .dump = document ? fy_document_root(document) : NULL };
	struct top_row *rows;
	size_t n = top_rows_workers(picture.view, stage, &no_rates, NULL, TOP_SORT_ORDER, false, &rows);

	for (size_t i = 0; i < n; i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		top_worker_format(&picture, &rows[i], width, &text);
		printf("%s\n", text_get(&text));
	}
	free(rows);
	fy_document_destroy(document);
}

/* Returns EXIT_DONE, EXIT_NO_ANSWER: of a worker; or another exit code after a line on stderr. */
static int dump_stage(const struct dump *dump, const struct view_stage *stage, size_t width)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int r = pipeline_ask(dump->name, "dump", stage->name, 0, &body);

	if (r)
		return r;
	if (dump->json)
		printf("%s", text_get(&body));
	else
		print_stage(dump, stage, text_get(&body), width);
	return EXIT_DONE;
}

/* Returns the worse one; what keeps an answer from being whole ends it. */
static int dump_stages(const struct dump *dump, size_t width)
{
	const struct view *view = &dump->copy.view;
	int worst = EXIT_DONE, r;

	for (uint32_t i = 0; i < view->n_stages; i++) {
		if (dump->json && i)
			printf(",\n");
		r = dump_stage(dump, &view->stages[i], width);
		if (r)
			return r;
		if (dump->json || !dump->backtrace)
			continue;
		r = stack_show(dump->name, view->stages[i].name, false);
		if (r > EXIT_NO_ANSWER)
			return r;
		printf("\n");
		worst = r > worst ? r : worst;
	}
	return worst;
}

static int dump_json(const struct dump *dump)
{
	const struct view *view = &dump->copy.view;
	int worst, r;

	printf("{\"pipeline\":\"%s\",\"stages\":[", dump->name);
	worst = dump_stages(dump, 0);
	if (worst)
		return worst; /* nobody takes half an answer for a whole one */
	printf("],\"backtraces\":%s", dump->backtrace ? "[" : "null");
	for (uint32_t i = 0; dump->backtrace && i < view->n_stages; i++) {
		printf("%s", i ? "," : "");
		r = stack_show(dump->name, view->stages[i].name, true);
		if (r > EXIT_NO_ANSWER)
			return r;
		worst = r > worst ? r : worst;
	}
	printf("%s}\n", dump->backtrace ? "]" : "");
	return worst;
}

static int parse_arguments(struct dump *dump, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON || id == OPTION_BACKTRACE);
		*(id == OPTION_JSON ? &dump->json : &dump->backtrace) = true;
	}
	if (id < 0)
		return command_exit(id);
	dump->name = argv[parser.first];
	if (!pipeline_name_valid(dump->name))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", dump->name);
	return -1;
}

int dump_command(int argc, char **argv)
{
	struct dump dump = { 0 };
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	struct terminal terminal;
	int r = parse_arguments(&dump, argc, argv);

	if (r >= 0)
		return r;
	r = pipeline_view(dump.name, &dump.copy, &body);
	if (r)
		return r;
	terminal_detect(STDOUT_FILENO, &terminal);
	r = dump.json ? dump_json(&dump) : dump_stages(&dump, terminal.is_tty ? terminal.columns : 0);
	view_copy_deinit(&dump.copy);
	return r;
}
