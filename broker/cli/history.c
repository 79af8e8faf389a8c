/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir history: first what the state folder has, then what the running pipeline knows beyond that; with --follow again and again, until it
 * has ended. Events of one supervisor are numbered: what was printed is not printed twice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/cli/command.h"
#include "broker/cli/history_file.h"
#include "broker/cli/json_read.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/verbs.h"
#include "broker/control/client.h"
#include "broker/control/state_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"

#define LOOK_NS (300 * NS_PER_MS)

struct history_command {
	const char *name;
	bool json, follow, all;
	uint64_t run;                /* only this one; 0: all */
	uint64_t supervisor, number; /* of the last event that was printed */
	uint64_t n_printed;
	bool again; /* the disk is read for the second time: only what is new of that supervisor */
};

static uint64_t number_of(struct fy_node *event, const char *key)
{
	return strtoull(json_string(event, key), NULL, 10);
}

/* ---- one event ---- */

/* Sentences may have been said by a plugin. */
static void print_harmless(const char *string)
{
	for (; *string; string++)
		putchar((unsigned char)*string < 0x20 || *string == 0x7f ? '?' : *string);
}

static void print_event(struct fy_node *event)
{
	double time_s = strtod(json_string(event, "time"), NULL);
	time_t seconds = (time_t)time_s;
	char when[32] = "?";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	printf("%s.%03d  ", when, (int)((time_s - (double)seconds) * 1000));
	if (strcmp(json_string(event, "stage"), "null") == 0)
		printf("-");
	else
		print_harmless(json_string(event, "stage"));
	if (strcmp(json_string(event, "worker"), "null") != 0)
		printf("#%s generation %s", json_string(event, "worker"), json_string(event, "generation"));
	printf("  %s", json_string(event, "event"));
	if (strcmp(json_string(event, "cause"), "null") != 0) {
		printf(" (");
		print_harmless(json_string(event, "cause"));
		printf(")");
	}
	if (strcmp(json_string(event, "text"), "null") != 0) {
		printf("  ");
		print_harmless(json_string(event, "text"));
	}
	printf("\n");
}

static void print_json(struct fy_node *event)
{
	char *line = fy_emit_node_to_string(event, FYECF_MODE_JSON_ONELINE | FYECF_NO_ENDING_NEWLINE);

	if (line)
		printf("%s\n", line);
	free(line);
}

static void take_event(struct history_command *history, struct fy_node *event)
{
	uint64_t supervisor = number_of(event, "supervisor"), number = number_of(event, "number");

	if (!*json_string(event, "event") || (history->run && number_of(event, "run") != history->run))
		return;
	/* Clocks are set back: which supervisor came later is told by the order of lines alone. */
	if (supervisor == history->supervisor ? number <= history->number : history->again)
		return;
	history->supervisor = supervisor;
	history->number = number;
	history->n_printed++;
	if (history->json)
		print_json(event);
	else
		print_event(event);
}

/* ---- from the disk ---- */

typedef void event_fn(struct history_command *history, struct fy_node *event);

/* A line that makes no sense (the disk was full, the host has died) is left out. */
static void each_line(struct history_command *history, const struct text *lines, event_fn *take)
{
	const char *line = text_get(lines);

	for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
		_cleanup_(text_deinit) struct text one = TEXT_NULL;
		struct fy_document *document;

		text_add_bytes(&one, line, (size_t)(end - line));
		document = json_parse(text_get(&one));
		if (document)
			take(history, fy_document_root(document));
		fy_document_destroy(document);
	}
}

static void take_run(struct history_command *history, struct fy_node *event)
{
	if (number_of(event, "run"))
		history->run = number_of(event, "run"); /* the last line's */
}

/* Returns an exit code. */
static int from_disk(struct history_command *history)
{
	_cleanup_(free) char *path = state_dir_history(history->name);
	_cleanup_(text_deinit) struct text lines = TEXT_NULL;
	int r = history_file_read(path, &lines);

	if (r < 0) {
		fprintf(stderr, "weir: can not read %s: %s\n", path, strerror(-r));
		return EXIT_TRY_AGAIN;
	}
	if (!history->again && !history->all)
		each_line(history, &lines, take_run);
	each_line(history, &lines, take_event);
	return EXIT_DONE;
}

/* ---- from the supervisor ---- */

/* Another run than the one that the disk knows: that is the last one then. */
static void take_answer(struct history_command *history, struct fy_node *root)
{
	struct fy_node *events = json_get(root, "events"), *event;
	void *at = NULL;

	while (events && fy_node_is_sequence(events) && (event = fy_node_sequence_iterate(events, &at))) {
		if (!history->all)
			history->run = number_of(event, "run");
		take_event(history, event);
	}
}

/* Returns 0; CONTROL_E_*; -errno. All that the supervisor remembers is asked for: it is little, and says of itself what is new. */
static int from_supervisor(struct history_command *history)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	struct fy_document *document;
	int status, r = pipeline_try(history->name, "history", NULL, 0, &status, &body);

	if (r || status)
		return r;
	document = json_parse(text_get(&body));
	take_answer(history, document ? fy_document_root(document) : NULL);
	fy_document_destroy(document);
	return 0;
}

/* What it has written between our last question and its end. */
static void last_words(struct history_command *history)
{
	history->again = history->n_printed > 0;
	(void)from_disk(history);
}

static int show(struct history_command *history)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	int r = from_disk(history), asked;

	if (r)
		return r;
	for (;;) {
		asked = from_supervisor(history);
		if (fflush(stdout) != 0)
			return EXIT_DONE; /* whoever reads has gone */
		if (!history->follow || asked == CONTROL_E_NOT_RUNNING)
			break;
		nanosleep(&pause, NULL);
	}
	if (asked == CONTROL_E_NOT_RUNNING && history->follow)
		last_words(history);
	if (asked == CONTROL_E_NOT_RUNNING && !history->n_printed) {
		fprintf(stderr, "weir: no pipeline '%s' is running, and nothing of its history is kept\n",
			history->name);
		return EXIT_NOT_RUNNING;
	}
	if (asked != 0 && asked != CONTROL_E_NOT_RUNNING)
		return pipeline_explain(history->name, "history", asked, 0, "");
	return EXIT_DONE;
}

int history_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	struct history_command history = { 0 };
	int id;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON || id == OPTION_FOLLOW || id == OPTION_ALL);
		*(id == OPTION_JSON ? &history.json : id == OPTION_ALL ? &history.all : &history.follow) = true;
	}
	if (id < 0)
		return command_exit(id);
	history.name = argv[parser.first];
	if (!pipeline_name_valid(history.name))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", history.name);
	return show(&history);
}
