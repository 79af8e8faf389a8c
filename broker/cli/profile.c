/* SPDX-License-Identifier: Apache-2.0 */
/* weir profile: who waits for whom, at which lane, for how long. It looks as weir why does, and judges nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/pprof.h"
#include "broker/cli/table.h"
#include "broker/cli/verbs.h"
#include "broker/cli/why_look.h"
#include "broker/observe/pairs.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define WINDOW_NS_FALLBACK (10 * NS_PER_S)
#define WINDOW_NS_MIN (100 * NS_PER_MS)
#define WINDOW_NS_MAX (3600 * NS_PER_S)
#define ROWS_MAX 40u

struct order {
	const char *name, *pprof;
	struct output_file file; /* pprof */
	uint64_t window_ns;
	bool json;
};

enum { COLUMN_WAITER, COLUMN_FOR, COLUMN_HOLDER, COLUMN_TIME, COLUMN_SHARE, COLUMN_WAITS, N_COLUMNS };
static const struct table_column columns[N_COLUMNS] = {
	{ "WAITS", false, 9 }, { "FOR", false, 8 },  { "OF", false, 9 },
	{ "TIME", true, 7 },   { "SHARE", true, 6 }, { "SLEEPS", true, 5 },
};

static void name_of(const struct catalog *catalog, uint32_t slot, struct text *text)
{
	text_printf(text, "%s#%" PRIu32, catalog_stage_name(catalog, slot), catalog->slots[slot].worker_index);
}

static void set_row(struct table *table, size_t row, const struct why_look *look, const struct pair *pair)
{
	const struct catalog *catalog = observer_catalog(look->observer);
	_cleanup_(text_deinit) struct text waiter = TEXT_NULL, holder = TEXT_NULL;
	char buffer[QUANTITY_TEXT_SIZE];

	name_of(catalog, pair->waiter, &waiter);
	name_of(catalog, pair->holder, &holder);
	table_set(table, row, COLUMN_WAITER, CELL_PLAIN, "%s", text_get(&waiter));
	table_set(table, row, COLUMN_FOR, CELL_PLAIN, "%s", pair->full ? "room" : "items");
	table_set(table, row, COLUMN_HOLDER, CELL_PLAIN, "%s", text_get(&holder));
	table_set(table, row, COLUMN_TIME, CELL_PLAIN, "%s", quantity_format_duration(pair->waited_ns, buffer));
	table_set(table, row, COLUMN_SHARE, CELL_PLAIN, "%.1f%%",
		  100 * (double)pair->waited_ns / (look->seconds * (double)NS_PER_S));
	table_set(table, row, COLUMN_WAITS, CELL_PLAIN, "%s", quantity_format_count(pair->n_waits, buffer));
}

static void print_table(const struct why_look *look, const struct pair *pairs, size_t n_pairs)
{
	size_t n_rows = n_pairs < ROWS_MAX ? n_pairs : ROWS_MAX;
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	printf("%s: seen for %.1f s\n", look->name, look->seconds);
	if (!n_pairs) {
		printf("nobody has waited for anybody\n");
		return;
	}
	table_init(&table, columns, N_COLUMNS, n_rows);
	for (size_t i = 0; i < n_rows; i++)
		set_row(&table, i, look, &pairs[i]);
	table_format(&table, 0, true, false, &text);
	fputs(text_get(&text), stdout);
	if (n_pairs > n_rows)
		printf("and %zu shorter ones (--json, --pprof)\n", n_pairs - n_rows);
}

static void add_worker(const struct catalog *catalog, const char *key, uint32_t slot, struct text *text)
{
	const char *stage = catalog_stage_name(catalog, slot);

	text_printf(text, "\"%s\":{\"stage\":", key);
	text_add_json(text, stage, strlen(stage));
	text_printf(text, ",\"index\":%" PRIu32 "}", catalog->slots[slot].worker_index);
}

static void print_json(const struct why_look *look, const struct pair *pairs, size_t n_pairs)
{
	const struct catalog *catalog = observer_catalog(look->observer);
	_cleanup_(text_deinit) struct text text = TEXT_NULL;

	text_printf(&text, "{\"pipeline\":\"%s\",\"seconds\":%.3f,\"pairs\":[", look->name, look->seconds);
	for (size_t i = 0; i < n_pairs; i++) {
		text_printf(&text, "%s{\"lane\":\"%s\",", i ? "," : "", pairs[i].full ? "full" : "empty");
		add_worker(catalog, "waiter", pairs[i].waiter, &text);
		text_add_char(&text, ',');
		add_worker(catalog, "holder", pairs[i].holder, &text);
		text_printf(&text, ",\"seconds\":%.9f,\"sleeps\":%" PRIu64 "}",
			    (double)pairs[i].waited_ns / (double)NS_PER_S, pairs[i].n_waits);
	}
	printf("%s]}\n", text_get(&text));
}

static int complain(const struct order *order, int error)
{
	fprintf(stderr, "weir: can not write %s: %s\n", order->pprof, strerror(-error));
	return EXIT_TRY_AGAIN;
}

static int export(struct order *order, const struct why_look *look, const struct pair *pairs, size_t n_pairs)
{
	_cleanup_(text_deinit) struct text message = TEXT_NULL;
	int r;

	pprof_format(observer_catalog(look->observer), pairs, n_pairs, clock_realtime_ns(),
		     look->after.now_ns - look->before.now_ns, &message);
	r = pprof_write(&order->file, &message);
	return r == 0 ? EXIT_DONE : complain(order, r);
}

static int tell(struct order *order, const struct why_look *look)
{
	struct pair *pairs = NULL;
	size_t n_pairs;
	int r;

	if (look->seconds <= 0) {
		fprintf(stderr, "weir: pipeline '%s': %s\n", order->name,
			look->over ? text_get(&look->trouble) :
				     "it comes up, or ends: there is nothing to be seen yet, or any more");
		return EXIT_TRY_AGAIN;
	}
	if (look->over || !look->running)
		fprintf(stderr, "weir: pipeline '%s': %s; this was seen up to then\n", order->name,
			look->over ? text_get(&look->trouble) : "it ends");
	n_pairs = pairs_find(observer_catalog(look->observer), &look->before, &look->after, &pairs);
	if (order->json)
		print_json(look, pairs, n_pairs);
	else
		print_table(look, pairs, n_pairs);
	r = order->pprof ? export(order, look, pairs, n_pairs) : EXIT_DONE;
	free(pairs);
	return r;
}

static int profile(struct order *order)
{
	struct why_look look = { .name = order->name };
	struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int r = pipeline_view(order->name, &copy, &body);

	if (r != EXIT_DONE)
		return r;
	view_copy_deinit(&copy);
	r = order->pprof ? output_file_open(order->pprof, &order->file) : 0;
	if (r != 0)
		return complain(order, r);
	why_look(&look, 1, order->window_ns);
	r = tell(order, &look);
	output_file_drop(&order->file);
	why_look_deinit(&look);
	return r;
}

int profile_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	struct order order = { .window_ns = WINDOW_NS_FALLBACK, .file = OUTPUT_FILE_NULL };
	int64_t ns;
	int id;

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON || id == OPTION_PPROF || id == OPTION_WINDOW);
		if (id == OPTION_JSON)
			order.json = true;
		else if (id == OPTION_PPROF)
			order.pprof = parser.value;
		else if (quantity_duration(parser.value, &ns) != 0 || ns < (int64_t)WINDOW_NS_MIN ||
			 ns > (int64_t)WINDOW_NS_MAX)
			return command_usage_error(parser.command, "--window '%s' is no time from 100ms to 1h",
						   parser.value);
		else
			order.window_ns = (uint64_t)ns;
	}
	if (id < 0)
		return command_exit(id);
	order.name = argv[parser.first];
	if (!pipeline_name_valid(order.name))
		return command_usage_error(parser.command, "'%s' is not a pipeline's name", order.name);
	return profile(&order);
}
