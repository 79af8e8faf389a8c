/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/live.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/table.h"
#include "broker/cli/terminal.h"
#include "broker/cli/verbs.h"
#include "broker/control/run_dir.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

enum {
	COLUMN_NAME,
	COLUMN_PID,
	COLUMN_PHASE,
	COLUMN_UPTIME,
	COLUMN_WORKERS,
	COLUMN_ACCEPTED,
	COLUMN_DELIVERED,
	COLUMN_IN_FLIGHT,
	COLUMN_RESTARTS,
	N_COLUMNS
};

static const struct table_column columns[N_COLUMNS] = {
	[COLUMN_NAME] = { "NAME", false, 9 },          [COLUMN_PID] = { "PID", true, 7 },
	[COLUMN_PHASE] = { "PHASE", false, 8 },        [COLUMN_UPTIME] = { "UPTIME", true, 3 },
	[COLUMN_WORKERS] = { "WORKERS", false, 5 },    [COLUMN_ACCEPTED] = { "ACCEPTED", true, 4 },
	[COLUMN_DELIVERED] = { "DELIVERED", true, 2 }, [COLUMN_IN_FLIGHT] = { "IN-FLIGHT", true, 1 },
	[COLUMN_RESTARTS] = { "RESTARTS", true, 6 },
};

/* Without a terminal nothing is cut: another program reads it. */
static struct live_style output_style(void)
{
	struct terminal terminal;

	terminal_detect(STDOUT_FILENO, &terminal);
	return (struct live_style){
		.columns = isatty(STDOUT_FILENO) ? terminal.columns : 0,
		.rows = terminal.rows,
		.utf8 = terminal.utf8,
		.color = terminal.color,
	};
}

static void set_row(struct table *table, size_t row, const struct view *view)
{
	char number[QUANTITY_TEXT_SIZE];
	uint32_t n_live = 0, n_workers = 0, restarts = 0;

	for (uint32_t i = 0; i < view->n_stages; i++) {
		n_live += view->stages[i].n_live;
		n_workers += view->stages[i].n_workers - view->stages[i].n_resting;
		restarts += view->stages[i].restarts;
	}
	table_set(table, row, COLUMN_PID, CELL_PLAIN, "%d", (int)view->pid);
	table_set(table, row, COLUMN_PHASE, CELL_PLAIN, "%s", view->phase);
	if (view->started_ns)
		table_set(table, row, COLUMN_UPTIME, CELL_PLAIN, "%s",
			  quantity_format_duration(view->now_ns - view->started_ns, number));
	table_set(table, row, COLUMN_WORKERS, n_live < n_workers ? CELL_WARNING : CELL_PLAIN, "%" PRIu32 "/%" PRIu32,
		  n_live, n_workers);
	table_set(table, row, COLUMN_ACCEPTED, CELL_PLAIN, "%s",
		  quantity_format_count(view->ledger[LEDGER_ACCEPTED], number));
	table_set(table, row, COLUMN_DELIVERED, CELL_PLAIN, "%s",
		  quantity_format_count(view->ledger[LEDGER_DELIVERED], number));
	table_set(table, row, COLUMN_IN_FLIGHT, CELL_PLAIN, "%s", quantity_format_count(view->in_flight, number));
	table_set(table, row, COLUMN_RESTARTS, restarts ? CELL_WARNING : CELL_PLAIN, "%" PRIu32, restarts);
}

/* One that is in trouble may not keep the others from being seen. */
static int ask_briefly(const char *name, struct text *body)
{
	int status, r = pipeline_try(name, "status", NULL, 0, &status, body);

	return pipeline_explain(name, "status", r, status, text_get(body));
}

static void list_text(char *const *names, size_t n)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct live_style style = output_style();

	if (!n) {
		printf("no pipeline is running\n");
		return;
	}
	table_init(&table, columns, N_COLUMNS, n);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
		_cleanup_(text_deinit) struct text body = TEXT_NULL;

		table_set(&table, i, COLUMN_NAME, CELL_BOLD, "%s", names[i]);
		if (ask_briefly(names[i], &body) == 0 && view_read(text_get(&body), &copy) == 0)
			set_row(&table, i, &copy.view);
		else
			table_set(&table, i, COLUMN_PHASE, CELL_WARNING, "no answer");
	}
	table_format(&table, style.columns, true, style.color, &text);
	fputs(text_get(&text), stdout);
}

static void list_json(char *const *names, size_t n)
{
	bool any = false;

	putchar('[');
	for (size_t i = 0; i < n; i++) {
		_cleanup_(text_deinit) struct text body = TEXT_NULL;

		if (ask_briefly(names[i], &body) != 0)
			continue;
		printf("%s%s", any ? ",\n" : "", text_get(&body));
		any = true;
	}
	printf("]\n");
}

/* What is asked for: a table, an object or two of JSON, or names alone, for shells. */
enum form { FORM_TABLE, FORM_JSON, FORM_NAMES };

/* Nobody is asked: who does not answer has a name, too. */
static void list_names(char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s\n", names[i]);
}

static int list(enum form form)
{
	char **names = NULL;
	size_t n = 0;
	int r = run_dir_list(&names, &n);

	if (r < 0) {
		_cleanup_(free) char *base = run_dir_path("");

		fprintf(stderr, "weir: can not read the run folder %s: %s; set WEIR_RUN_DIR to a folder of yours\n",
			base, strerror(-r));
		return EXIT_TRY_AGAIN;
	}
	if (form == FORM_JSON)
		list_json(names, n);
	else if (form == FORM_NAMES)
		list_names(names, n);
	else
		list_text(names, n);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return EXIT_DONE;
}

static void show_text(const struct view *view)
{
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct live_style style = output_style();
	char number[QUANTITY_TEXT_SIZE];

	text_printf(&text, "%s  pid %d  %s", view->pipeline, (int)view->pid, view->phase);
	if (view->started_ns)
		text_printf(&text, " for %s", quantity_format_duration(view->now_ns - view->started_ns, number));
	if (strcmp(view->cause, "none") != 0 && *view->cause)
		text_printf(&text, "  cancelled (%s)", view->cause);
	text_add_char(&text, '\n');
	text_printf(&text, "accepted %s", quantity_format_count(view->ledger[LEDGER_ACCEPTED], number));
	text_printf(&text, "  delivered %s", quantity_format_count(view->ledger[LEDGER_DELIVERED], number));
	text_printf(&text, "  in flight %s\n\n", quantity_format_count(view->in_flight, number));
	live_format_tree(view, &style, &text);
	fputs(text_get(&text), stdout);
}

static void show_names(const struct view *view)
{
	for (uint32_t i = 0; i < view->n_stages; i++)
		printf("%s\n", view->stages[i].name);
}

static int show(const char *name, enum form form)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int r = pipeline_view(name, &copy, &body);

	if (r)
		return r;
	if (form == FORM_JSON)
		printf("%s\n", text_get(&body));
	else if (form == FORM_NAMES)
		show_names(&copy.view);
	else
		show_text(&copy.view);
	return EXIT_DONE;
}

int ps_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	enum form form = FORM_TABLE;
	int id;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON || id == OPTION_NAMES);
		form = id == OPTION_JSON ? FORM_JSON : FORM_NAMES;
	}
	if (id < 0)
		return command_exit(id);
	if (parser.first == argc)
		return list(form);
	if (!pipeline_name_valid(argv[parser.first]))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", argv[parser.first]);
	return show(argv[parser.first], form);
}
