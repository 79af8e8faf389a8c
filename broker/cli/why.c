/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir why: what keeps a pipeline from moving, in the words of the supervisor, who looks for that all the time; and if nothing does, who
 * holds it back: for that it is looked at for a while from here (why_look.c).
 */
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/stack.h"
#include "broker/cli/verbs.h"
#include "broker/cli/why_look.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define EXIT_STUCK 1
#define EXIT_HELD_BACK 4 /* it moves */
#define WINDOW_NS_FALLBACK NS_PER_S
#define WINDOW_NS_MIN (100 * NS_PER_MS)
#define WINDOW_NS_MAX (3600 * NS_PER_S)

struct answer {
	const char *name;
	int result;       /* EXIT_DONE, EXIT_STUCK; another exit code: there is no answer */
	struct text body; /* the supervisor's */
	struct why_look look;
	bool looked; /* nothing is stuck, and it was looked at */
};

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

/* ---- asking ---- */

/* Returns EXIT_DONE, EXIT_STUCK, or an exit code after a line on stderr. */
static int ask(struct answer *answer)
{
	struct fy_document *document;
	const char *stuck;
	int r = pipeline_ask(answer->name, "why", NULL, 0, &answer->body);

	if (r)
		return r;
	document = json_parse(text_get(&answer->body));
	stuck = json_string(document ? fy_document_root(document) : NULL, "stuck");
	r = strcmp(stuck, "true") == 0 ? EXIT_STUCK : EXIT_DONE;
	if (!*stuck) {
		fprintf(stderr, "weir: pipeline '%s' answered something else; is it of another version?\n",
			answer->name);
		r = EXIT_TRY_AGAIN;
	}
	fy_document_destroy(document);
	return r;
}

/* All that are not stuck are looked at, side by side. */
static void look_at(struct answer *answers, size_t n, uint64_t window_ns)
{
	struct why_look *looks = calloc(n + 1, sizeof(*looks));
	size_t n_looks = 0;

	must(looks);
	for (size_t i = 0; i < n; i++) {
		answers[i].looked = window_ns && answers[i].result == EXIT_DONE;
		if (answers[i].looked)
			looks[n_looks++].name = answers[i].name;
	}
	if (n_looks)
		why_look(looks, n_looks, window_ns);
	for (size_t i = 0, j = 0; i < n; i++)
		if (answers[i].looked)
			answers[i].look = looks[j++];
	free(looks);
}

static bool is_held_back(const struct why_look *look)
{
	for (size_t i = 0; i < look->n_findings; i++)
		if (!pace_kind_lines[look->findings[i].kind].by_design)
			return true;
	return false;
}

/* ---- saying ---- */

static void print_pace(const struct answer *answer)
{
	const struct why_look *look = &answer->look;

	for (size_t i = 0; i < look->n_findings; i++) {
		const struct pace_finding *finding = &look->findings[i];
		_cleanup_(text_deinit) struct text sentence = TEXT_NULL, advice = TEXT_NULL;

		pace_describe(observer_catalog(look->observer), finding, &sentence);
		pace_advise(observer_catalog(look->observer), finding, answer->name, &advice);
		printf("%s: %s: %s\n  %s: %s\n", answer->name, pace_kind_lines[finding->kind].name, text_get(&sentence),
		       pace_kind_lines[finding->kind].by_design ? "as the spec asks; what to do" : "what to do",
		       text_get(&advice));
	}
	if (look->running && !look->over && !is_held_back(look))
		printf("%s: nothing holds it back, as seen for %.1f s\n", answer->name, look->seconds);
}

/* The supervisor's object, and what was seen beside it. */
static void print_json(const struct answer *answer)
{
	const struct why_look *look = &answer->look;
	_cleanup_(text_deinit) struct text list = TEXT_NULL;
	size_t length = answer->body.length;

	while (length && text_get(&answer->body)[length - 1] != '}')
		length--;
	for (size_t i = 0; i < look->n_findings; i++) {
		if (i)
			text_add_char(&list, ',');
		pace_format_json(observer_catalog(look->observer), &look->findings[i], answer->name, &list);
	}
	printf("%.*s", length ? (int)length - 1 : 0, text_get(&answer->body));
	if (answer->looked && look->running && !look->over)
		printf(",\"seen_seconds\":%.3f,\"held_back\":%s,\"pace\":[%s]}", look->seconds,
		       is_held_back(look) ? "true" : "false", text_get(&list));
	else
		printf(",\"seen_seconds\":null,\"held_back\":false,\"pace\":[]}");
}

static void print_words(const struct answer *answer)
{
	struct fy_document *document = json_parse(text_get(&answer->body));
	struct fy_node *root = document ? fy_document_root(document) : NULL;

	print_findings(answer->name, json_get(root, "findings"));
	if (answer->looked)
		print_pace(answer);
	print_waits(json_get(root, "waits"));
	fy_document_destroy(document);
}

/* Returns the exit code. */
static int print_answer(const struct answer *answer, bool json)
{
	const struct why_look *look = &answer->look;

	if (answer->result > EXIT_STUCK)
		return answer->result;
	if (json)
		print_json(answer);
	else
		print_words(answer);
	if (answer->result == EXIT_STUCK || !answer->looked)
		return answer->result;
	if (look->over) {
		fprintf(stderr, "weir: pipeline '%s': %s\n", answer->name, text_get(&look->trouble));
		return EXIT_TRY_AGAIN;
	}
	return is_held_back(look) ? EXIT_HELD_BACK : EXIT_DONE;
}

static void drop(struct answer *answers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		text_deinit(&answers[i].body);
		why_look_deinit(&answers[i].look);
	}
}

/* ---- the verb ---- */

static int why(const char *name, uint64_t window_ns, bool json)
{
	struct answer answer = { .name = name, .body = TEXT_NULL };
	int r;

	answer.result = ask(&answer);
	look_at(&answer, 1, window_ns);
	r = print_answer(&answer, json);
	drop(&answer, 1);
	if (json && answer.result <= EXIT_STUCK)
		putchar('\n');
	return r;
}

/* Stuck is worse than slow, and no answer is worse than both. */
static int worse(int a, int b)
{
	static const int order[] = { EXIT_DONE, EXIT_HELD_BACK, EXIT_STUCK };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (a == order[i])
			return b;
		if (b == order[i])
			return a;
	}
	return a > b ? a : b;
}

/* A pipeline that has ended meanwhile is not stuck. */
static int answer_all(struct answer *answers, size_t n, uint64_t window_ns, bool json)
{
	int worst = EXIT_DONE;

	for (size_t i = 0; i < n; i++)
		answers[i].result = ask(&answers[i]);
	look_at(answers, n, window_ns);
	for (size_t i = 0; i < n; i++) {
		int r;

		if (json && i)
			printf(",\n");
		r = print_answer(&answers[i], json);
		if (json && answers[i].result > EXIT_STUCK)
			printf("null");
		worst = r != EXIT_NOT_RUNNING ? worse(worst, r) : worst;
	}
	return worst;
}

static int why_all(uint64_t window_ns, bool json)
{
	struct answer *answers;
	char **names = NULL;
	size_t n = 0;
	int r = run_dir_list(&names, &n);

	if (r < 0) {
		fprintf(stderr, "weir: can not read the run folder: %s; set WEIR_RUN_DIR to a folder of yours\n",
			strerror(-r));
		return EXIT_TRY_AGAIN;
	}
	answers = calloc(n + 1, sizeof(*answers));
	must(answers);
	for (size_t i = 0; i < n; i++)
		answers[i].name = names[i];
	if (!n && !json)
		printf("no pipeline is running\n");
	if (json)
		putchar('[');
	r = answer_all(answers, n, window_ns, json);
	if (json)
		printf("]\n");
	drop(answers, n);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(answers);
	free(names);
	return r;
}

/* Returns 0, or an exit code after a line on stderr. */
static int read_window(const struct command_parser *parser, uint64_t *ret_window_ns)
{
	int64_t ns;

	if (quantity_duration(parser->value, &ns) != 0 ||
	    (ns && (ns < (int64_t)WINDOW_NS_MIN || ns > (int64_t)WINDOW_NS_MAX)))
		return command_usage_error(parser->command, "--window '%s' is no time from 100ms to 1h, nor 0",
					   parser->value);
	*ret_window_ns = (uint64_t)ns;
	return 0;
}

int why_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	uint64_t window_ns = WINDOW_NS_FALLBACK;
	const char *stage = NULL;
	bool json = false;
	int id;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON || id == OPTION_STAGE || id == OPTION_WINDOW);
		if (id == OPTION_JSON)
			json = true;
		else if (id == OPTION_STAGE)
			stage = parser.value;
		else if (read_window(&parser, &window_ns) != 0)
			return EXIT_USAGE;
	}
	if (id < 0)
		return command_exit(id);
	if (parser.first == argc && stage)
		return command_usage_error(parser.command, "--stack is about one pipeline: name it");
	if (parser.first == argc)
		return why_all(window_ns, json);
	if (!pipeline_name_valid(argv[parser.first]))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", argv[parser.first]);
	return stage ? stack_show(argv[parser.first], stage, json) : why(argv[parser.first], window_ns, json);
}
