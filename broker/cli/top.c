/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir top: who is busy, who waits for whom, how fast, and who is stuck.
 *
 *      a terminal                     top_watch.c: a page that is drawn again and again, and keys
 *      a terminal that knows no cursor, --once     the page as text, with all workers
 *      anything else, --json          a line of JSON each time
 *
 * Speeds are those between two looks, so the first page of a program takes one interval.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/top_page.h"
#include "broker/cli/top_screen.h"
#include "broker/cli/top_watch.h"
#include "broker/cli/verbs.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define INTERVAL_DEFAULT_NS NS_PER_S
#define INTERVAL_MIN_NS (100 * NS_PER_MS)
#define INTERVAL_MAX_NS (3600 * NS_PER_S)

struct top {
	const struct command *command;
	const char *name;
	bool once, json;
	uint64_t interval_ns;
	struct top_state state;
};

/* ---- arguments ---- */

/* Returns -1 to go on, else the exit code. */
static int parse_interval(struct top *top, const char *value)
{
	int64_t ns;

	if (quantity_duration(value, &ns) != 0 || ns < (int64_t)INTERVAL_MIN_NS || ns > (int64_t)INTERVAL_MAX_NS)
		return command_usage_error(top->command, "--interval takes a duration from 100ms to 1h, not '%s'",
					   value);
	top->interval_ns = (uint64_t)ns;
	return -1;
}

static int parse_sort(struct top *top, const char *value)
{
	_cleanup_(text_deinit) struct text names = TEXT_NULL;

	top->state.sort = top_sort_find(value);
	if (top->state.sort != TOP_SORT_COUNT)
		return -1;
	for (enum top_sort sort = 0; sort < TOP_SORT_COUNT; sort++)
		text_printf(&names, "%s%s", sort ? ", " : "", top_sort_name(sort));
	return command_usage_error(top->command, "--sort takes one of %s, not '%s'", text_get(&names), value);
}

static int parse_option(struct top *top, int id, const char *value)
{
	switch (id) {
	case OPTION_ONCE:
		top->once = true;
		return -1;
	case OPTION_JSON:
		top->json = true;
		return -1;
	case OPTION_REVERSE:
		top->state.reverse = true;
		return -1;
	case OPTION_INTERVAL:
		return parse_interval(top, value);
	case OPTION_SORT:
		return parse_sort(top, value);
	default:
		unreachable_because("the table of verbs has no such option for top");
	}
}

static int parse_arguments(struct top *top, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	int id, r;

	top->command = parser.command;
	while ((id = command_next(&parser)) > 0) {
		r = parse_option(top, id, parser.value);
		if (r >= 0)
			return r;
	}
	if (id < 0)
		return command_exit(id);
	top->name = argv[parser.first];
	if (!pipeline_name_valid(top->name))
		return command_usage_error(top->command, "'%s' is not a pipeline's name", top->name);
	return -1;
}

/* ---- lines ---- */

/* Returns whether it could be written. */
static bool print(const struct top *top, const struct top_look *look)
{
	struct top_picture picture = top_look_picture(look, top->interval_ns);
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	struct terminal terminal;

	terminal_detect(STDOUT_FILENO, &terminal);
	if (top->json) {
		top_json(&picture, &text);
	} else {
		const struct live_style style = { .columns = terminal.is_tty ? terminal.columns : 0,
						  .utf8 = terminal.utf8,
						  .color = terminal.color };

		top_page(&top->state, &picture, &style, &text);
	}
	fputs(text_get(&text), stdout);
	return fflush(stdout) == 0;
}

static void rest(uint64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_S),
					.tv_nsec = (long)(until_ns % NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* Of a pipeline that ends before there is a second look, what the first has shown. */
static int print_lines(const struct top *top, struct top_look *look)
{
	uint64_t due_ns = clock_now_ns();
	bool printed = false;
	int r;

	do {
		due_ns += top->interval_ns;
		rest(due_ns);
		r = top_look_now(look, NULL, NULL, NULL);
		if (r == 0 || (look->ended && !printed))
			printed = print(top, look);
		if (r != 0 && !look->ended)
			fprintf(stderr, "weir: pipeline '%s': %s\n", top->name, text_get(&look->trouble));
		if (r == 0 && !printed)
			return EXIT_DONE; /* whoever reads has gone */
	} while (!top->once && !look->ended);
	return printed ? EXIT_DONE : EXIT_TRY_AGAIN;
}

/* ---- both ---- */

/* The first look: who can't be found, or does not answer, is told of on stderr. */
static int begin(struct top *top, struct top_look *look)
{
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int r = pipeline_view(top->name, &look->copy, &body);

	if (r != 0)
		return r;
	look->known = true;
	top_rates_update(&look->rates, &look->copy.view, clock_now_ns());
	return 0;
}

static int watch(struct top *top, struct top_look *look)
{
	int r = top_watch(look, &top->state, top->interval_ns);

	if (r < 0)
		fprintf(stderr, "weir: can not use the terminal: %s; see `weir top %s --once`\n", strerror(-r),
			top->name);
	else if (look->ended)
		fprintf(stderr, "weir: pipeline '%s' has ended\n", top->name);
	return r < 0 ? EXIT_TRY_AGAIN : EXIT_DONE;
}

int top_command(int argc, char **argv)
{
	struct top top = { .interval_ns = INTERVAL_DEFAULT_NS };
	struct top_look look = TOP_LOOK_NULL;
	int r = parse_arguments(&top, argc, argv);

	if (r >= 0)
		return r;
	look.name = top.name;
	r = begin(&top, &look);
	if (r == 0 && !top.once && !top.json && top_screen_possible()) {
		r = watch(&top, &look);
	} else if (r == 0) {
		top.json = top.json || (!top.once && !isatty(STDOUT_FILENO));
		r = print_lines(&top, &look);
	}
	top_look_deinit(&look);
	return r;
}
