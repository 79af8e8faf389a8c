/* SPDX-License-Identifier: Apache-2.0 */
/* weir why: what keeps a pipeline from moving. The words are the supervisor's, who looks; here they are only laid out. */
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/stack.h"
#include "broker/cli/verbs.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/must.h"

#define EXIT_STUCK 1

static int count(struct fy_node *list)
{
	return list && fy_node_is_sequence(list) ? fy_node_sequence_item_count(list) : 0;
}

static void print_findings(const char *name, struct fy_node *findings)
{
	if (!count(findings))
		printf("%s: nothing is stuck\n", name);
	for (int i = 0; i < count(findings); i++) {
		struct fy_node *finding = fy_node_sequence_get_by_index(findings, i);

		printf("%s: %s: %s\n", name,
		       strcmp(json_string(finding, "deadlock"), "true") == 0 ? "deadlock" : "stall",
		       json_string(finding, "sentence"));
		printf("  what to do: %s\n", json_string(finding, "advice"));
	}
}

static void print_waits(struct fy_node *waits)
{
	for (int i = 0; i < count(waits); i++) {
		struct fy_node *wait = fy_node_sequence_get_by_index(waits, i);

		printf("  %s, %s s\n", json_string(wait, "sentence"), json_string(wait, "seconds"));
	}
}

/* Returns EXIT_DONE, EXIT_STUCK, or EXIT_TRY_AGAIN after a line on stderr. */
static int print_answer(const char *name, const char *json, bool as_json)
{
	struct fy_document *document = json_parse(json);
	struct fy_node *root = document ? fy_document_root(document) : NULL;
	const char *stuck = json_string(root, "stuck");
	int r = strcmp(stuck, "true") == 0 ? EXIT_STUCK : EXIT_DONE;

	if (!*stuck) {
		fprintf(stderr, "weir: pipeline '%s' answered something else; is it of another version?\n", name);
		r = EXIT_TRY_AGAIN;
	} else if (as_json) {
		printf("%s", json);
	} else {
		print_findings(name, json_get(root, "findings"));
		print_waits(json_get(root, "waits"));
	}
	fy_document_destroy(document);
	return r;
}

static int why(const char *name, bool json)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int r = pipeline_ask(name, "why", NULL, 0, &body);

	return r ? r : print_answer(name, text_get(&body), json);
}

/* Of several answers the worst counts. A pipeline that has ended meanwhile is not stuck. */
static int why_all(bool json)
{
	char **names = NULL;
	size_t n = 0;
	int r = run_dir_list(&names, &n), worst = EXIT_DONE;

	if (r < 0) {
		fprintf(stderr, "weir: can not read the run folder: %s; set WEIR_RUN_DIR to a folder of yours\n",
			strerror(-r));
		return EXIT_TRY_AGAIN;
	}
	if (json)
		putchar('[');
	else if (!n)
		printf("no pipeline is running\n");
	for (size_t i = 0; i < n; i++) {
		if (json && i)
			printf(",\n");
		r = why(names[i], json);
		if (json && r > EXIT_STUCK)
			printf("null");
		worst = r != EXIT_NOT_RUNNING && r > worst ? r : worst;
		free(names[i]);
	}
	if (json)
		printf("]\n");
	free(names);
	return worst;
}

int why_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	const char *stage = NULL;
	bool json = false;
	int id, r;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON || id == OPTION_STAGE);
		if (id == OPTION_JSON)
			json = true;
		else
			stage = parser.value;
	}
	if (id < 0)
		return command_exit(id);
	if (parser.first == argc && stage)
		return command_usage_error(parser.command, "--stack is about one pipeline: name it");
	if (parser.first == argc)
		return why_all(json);
	if (!pipeline_name_valid(argv[parser.first]))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", argv[parser.first]);
	if (stage)
		return stack_show(argv[parser.first], stage, json);
	r = why(argv[parser.first], json);
	if (json && r <= EXIT_STUCK)
		putchar('\n');
	return r;
}
