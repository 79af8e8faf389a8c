/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live block, as a person should be able to read it without a manual:
 *
 *     STAGE  KIND      WORKERS    ITEMS  ITEMS/S  QUEUE            RESTARTS  STATE
 *     read   file      1/1       63,120   12,340                             wait-out
 *     awk    exec      3/4       60,001   11,800  [######--]  78%         1  busy
 *     write  file      1/1          120       21  [--------]   0%            wait-in
 *     [##########------------------]  42%  63,120 accepted  12,340/s  0:31 left
 *
 * The queue is what lies in the lanes into the stage: the first stage whose queue is full is the slow one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/cli/live.h"
#include "broker/cli/table.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

enum { QUEUE_BAR_WIDTH = 8, BAR_WIDTH_MIN = 10, BAR_WIDTH_MAX = 40, FULL_PERCENT = 90 };

char *live_number(uint64_t n, char buffer[static LIVE_NUMBER_SIZE])
{
	static const char units[] = "MGTPE";
	double value = (double)n / 1e6;
	unsigned unit = 0;

	if (n < 10000000)
		return quantity_format_count(n, buffer);
	while (value >= 999.5 && units[unit + 1]) {
		value /= 1000;
		unit++;
	}
	snprintf(buffer, LIVE_NUMBER_SIZE, value < 99.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return buffer;
}

char *live_speed(double per_second, char buffer[static LIVE_NUMBER_SIZE])
{
	if (per_second < 0.005)
		snprintf(buffer, LIVE_NUMBER_SIZE, "0");
	else if (per_second < 9.95)
		snprintf(buffer, LIVE_NUMBER_SIZE, per_second < 0.995 ? "%.2f" : "%.1f", per_second);
	else
		live_number(per_second < 1e18 ? (uint64_t)(per_second + 0.5) : UINT64_C(1000000000000000000), buffer);
	return buffer;
}

void live_bar(double fraction, unsigned width, bool utf8, struct text *text)
{
	static const char *const eighths[] = { " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	unsigned full, rest;

	fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
	rest = (unsigned)(fraction * (utf8 ? 8 : 1) * width + (utf8 ? 0.5 : 0));
	full = utf8 ? rest / 8 : rest;
	rest = utf8 ? rest % 8 : 0;
	text_add(text, utf8 ? "▕" : "[");
	for (unsigned i = 0; i < width; i++)
		if (utf8)
			text_add(text, i < full ? "█" : i == full ? eighths[rest] : " ");
		else
			text_add_char(text, i < full ? '#' : '-');
	text_add(text, utf8 ? "▏" : "]");
}

/* The states in the order in which they matter to somebody who looks; unknown ones first. */
static unsigned state_rank(const char *state)
{
	static const char *const order[] = {
		"lost",   "stopping", "restarting", "dead",  "starting", "wait-out", "wait-ext",  "busy",    "opening",
		"ending", "leaving",  "wait-in",    "ready", "empty",    "none",     "cancelled", "resting", "ended",
	};
	unsigned i = 0;

	while (i < sizeof(order) / sizeof(order[0]) && strcmp(order[i], state) != 0)
		i++;
	return i < sizeof(order) / sizeof(order[0]) ? i + 1 : 0;
}

const char *live_stage_state(const struct view_stage *stage)
{
	const char *first = "none";

	for (uint32_t i = 0; i < stage->n_workers; i++)
		if (i == 0 || state_rank(stage->workers[i].state) < state_rank(first))
			first = stage->workers[i].state;
	return first;
}

static enum cell_style state_style(const char *state)
{
	return strcmp(state, "restarting") == 0 || strcmp(state, "lost") == 0 ? CELL_BAD :
	       strcmp(state, "wait-out") == 0                                 ? CELL_WARNING :
	       strcmp(state, "busy") == 0                                     ? CELL_GOOD :
										CELL_DIM;
}

enum {
	COLUMN_STAGE,
	COLUMN_KIND,
	COLUMN_WORKERS,
	COLUMN_ITEMS,
	COLUMN_RATE,
	COLUMN_QUEUE,
	COLUMN_PERCENT,
	COLUMN_RESTARTS,
	COLUMN_STATE,
	N_COLUMNS
};

static const struct table_column stage_columns[N_COLUMNS] = {
	[COLUMN_STAGE] = { "STAGE", false, 9 },     [COLUMN_KIND] = { "KIND", false, 0 },
	[COLUMN_WORKERS] = { "WORKERS", false, 3 }, [COLUMN_ITEMS] = { "ITEMS", true, 4 },
	[COLUMN_RATE] = { "ITEMS/S", true, 6 },     [COLUMN_QUEUE] = { "QUEUE", false, 2 },
	[COLUMN_PERCENT] = { "", true, 5 },         [COLUMN_RESTARTS] = { "RESTARTS", true, 7 },
	[COLUMN_STATE] = { "STATE", false, 1 },
};

static void set_queue(struct table *table, size_t row, const struct view_stage *stage, bool utf8)
{
	_cleanup_(text_deinit) struct text bar = TEXT_NULL;
	double fraction;
	enum cell_style style;

	if (!stage->queue_capacity_bytes)
		return;
	fraction = (double)stage->queue_bytes / (double)stage->queue_capacity_bytes;
	fraction = fraction > 1 ? 1 : fraction;
	style = fraction * 100 >= FULL_PERCENT ? CELL_WARNING : CELL_PLAIN;
	live_bar(fraction, QUEUE_BAR_WIDTH, utf8, &bar);
	table_set(table, row, COLUMN_QUEUE, style, "%s", text_get(&bar));
	table_set(table, row, COLUMN_PERCENT, style, "%d%%", (int)(fraction * 100 + 0.5));
}

/* A plugin names its own kind: anything but plain letters could have another width than we count. */
static void set_kind(struct table *table, size_t row, const struct view_stage *stage)
{
	char kind[32];
	size_t i = 0;

	for (; stage->kind[i] && i < sizeof(kind) - 1; i++)
		kind[i] = (unsigned char)stage->kind[i] < 0x7f ? stage->kind[i] : '?';
	kind[i] = '\0';
	table_set(table, row, COLUMN_KIND, CELL_DIM, "%s", kind);
}

static void set_stage(struct table *table, size_t row, const struct view_stage *stage, const struct rates *rates,
		      uint32_t index, bool utf8)
{
	const char *state = live_stage_state(stage);
	char number[LIVE_NUMBER_SIZE];

	table_set(table, row, COLUMN_STAGE, CELL_BOLD, "%s", stage->name);
	set_kind(table, row, stage);
	table_set(table, row, COLUMN_WORKERS,
		  stage->n_live < stage->n_workers - stage->n_resting && strcmp(state, "ended") != 0 ? CELL_WARNING :
												       CELL_PLAIN,
		  "%" PRIu32 "/%" PRIu32, stage->n_live, stage->n_workers - stage->n_resting);
	table_set(table, row, COLUMN_ITEMS, CELL_PLAIN, "%s", live_number(view_stage_items(stage), number));
	if (rates && index < rates->n_stages)
		table_set(table, row, COLUMN_RATE, CELL_PLAIN, "%s",
			  live_speed(rates->stages[index].per_second, number));
	set_queue(table, row, stage, utf8);
	if (stage->restarts)
		table_set(table, row, COLUMN_RESTARTS, CELL_WARNING, "%" PRIu32, stage->restarts);
	table_set(table, row, COLUMN_STATE, state_style(state), "%s", state);
}

/* "0:31", "12:03", "1:02:03": short and steady, for a line that is redrawn. */
static void add_clock(uint64_t ns, struct text *text)
{
	uint64_t s = (ns + NS_PER_S / 2) / NS_PER_S;

	if (s >= 3600)
		text_printf(text, "%" PRIu64 ":%02u:%02u", s / 3600, (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	else
		text_printf(text, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
}

static uint64_t running_ns(const struct view *view)
{
	return view->started_ns && view->now_ns > view->started_ns ? view->now_ns - view->started_ns : 0;
}

/* What stands beside the bar, as parts; the first ones matter most. */
static void status_parts(const struct view *view, const struct rates *rates, struct text parts[static 3])
{
	char number[LIVE_NUMBER_SIZE];
	uint64_t left_ns = rates_left_ns(rates, view);

	if (view->stop_deadline_ns) {
		text_printf(&parts[0], "%s, at most ", strcmp(view->cause, "none") == 0 ? "draining" : "stopping");
		add_clock(view->stop_deadline_ns > view->now_ns ? view->stop_deadline_ns - view->now_ns : 0, &parts[0]);
		text_printf(&parts[1], "%s in flight", live_number(view->in_flight, number));
	} else if (!view->started_ns) {
		text_add(&parts[0], "starting");
	} else if (view_fraction(view) >= 1) {
		text_printf(&parts[0], "input read, %s in flight", live_number(view->in_flight, number));
	} else if (left_ns != UINT64_MAX) {
		add_clock(left_ns, &parts[0]);
		text_add(&parts[0], " left");
	} else {
		add_clock(running_ns(view), &parts[0]);
	}
	if (view->started_ns && !view->stop_deadline_ns) {
		text_printf(&parts[1], "%s accepted", live_number(view->ledger[LEDGER_ACCEPTED], number));
		text_printf(&parts[2], "%s/s", live_speed(rates->accepted.per_second, number));
	}
}

/* The last line: bar, percent, and as many of the parts as fit. */
static void format_status(const struct view *view, const struct rates *rates, const struct live_style *style,
			  struct text *text)
{
	struct text parts[3] = { TEXT_NULL, TEXT_NULL, TEXT_NULL };
	_cleanup_(text_deinit) struct text line = TEXT_NULL;
	double fraction = view_fraction(view);
	size_t width = style->columns > 1 ? style->columns - 1 : 1, used = 0, n_shown = 0;

	status_parts(view, rates, parts);
	while (n_shown < 3 && used + (n_shown ? 2 : 0) + parts[n_shown].length <= width && parts[n_shown].length) {
		used += (n_shown ? 2 : 0) + parts[n_shown].length;
		n_shown++;
	}
	/* "[", "]", "  42%", "  " */
	if (fraction >= 0 && view->started_ns && width >= used + 9 + BAR_WIDTH_MIN) {
		size_t bar_width = width - used - 9;

		live_bar(fraction, (unsigned)(bar_width < BAR_WIDTH_MAX ? bar_width : BAR_WIDTH_MAX), style->utf8,
			 &line);
		text_printf(&line, " %3d%%  ", (int)(fraction * 100));
	}
	for (size_t i = 0; i < n_shown; i++)
		text_printf(&line, "%s%s", i ? "  " : "", text_get(&parts[i]));
	if (!n_shown)
		text_add(&line, text_get(&parts[0]));
	table_add_cut(text, text_get(&line), width);
	text_add_char(text, '\n');
	for (size_t i = 0; i < 3; i++)
		text_deinit(&parts[i]);
}

size_t live_format(const struct view *view, const struct rates *rates, const struct live_style *style,
		   struct text *text)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	size_t width = style->columns > 1 ? style->columns - 1 : 1, n_shown = view->n_stages, lines;
	/* header, status, "more" and the line that the cursor rests on */
	size_t room = style->rows > 5 ? style->rows - 4 : 1;

	if (n_shown > room)
		n_shown = room;
	table_init(&table, stage_columns, N_COLUMNS, n_shown);
	for (uint32_t i = 0; i < n_shown; i++)
		set_stage(&table, i, &view->stages[i], rates, i, style->utf8);
	lines = table_format(&table, width, style->columns >= 40, style->color, text);
	if (n_shown < view->n_stages) {
		char more[48];

		snprintf(more, sizeof(more), "... %zu more stages", view->n_stages - n_shown);
		table_add_cut(text, more, width);
		text_add_char(text, '\n');
		lines++;
	}
	format_status(view, rates, style, text);
	return lines + 1;
}

void live_format_line(const struct view *view, const struct rates *rates, struct text *text)
{
	char a[LIVE_NUMBER_SIZE], b[LIVE_NUMBER_SIZE];
	uint64_t left_ns = rates_left_ns(rates, view);
	uint32_t restarts = 0;

	for (uint32_t i = 0; i < view->n_stages; i++)
		restarts += view->stages[i].restarts;
	text_add(text, view->phase);
	text_add_char(text, ' ');
	add_clock(running_ns(view), text);
	text_printf(text, ": accepted %s (%s/s)", live_number(view->ledger[LEDGER_ACCEPTED], a),
		    live_speed(rates->accepted.per_second, b));
	text_printf(text, ", delivered %s (%s/s)", live_number(view->ledger[LEDGER_DELIVERED], a),
		    live_speed(rates->delivered.per_second, b));
	text_printf(text, ", in flight %s", live_number(view->in_flight, a));
	if (view_fraction(view) >= 0)
		text_printf(text, ", %d%% read", (int)(view_fraction(view) * 100));
	if (left_ns != UINT64_MAX && left_ns >= NS_PER_S && !view->stop_deadline_ns) {
		text_add(text, ", ");
		add_clock(left_ns, text);
		text_add(text, " left");
	}
	if (restarts)
		text_printf(text, ", restarts %" PRIu32, restarts);
}

enum { TREE_STAGE, TREE_PID, TREE_STATE, TREE_SINCE, TREE_ITEMS, TREE_QUEUE, TREE_RESTARTS, N_TREE };

static const struct table_column tree_columns[N_TREE] = {
	[TREE_STAGE] = { "STAGE", false, 9 },      [TREE_PID] = { "PID", true, 8 },
	[TREE_STATE] = { "STATE", false, 7 },      [TREE_SINCE] = { "SINCE", true, 1 },
	[TREE_ITEMS] = { "ITEMS", true, 4 },       [TREE_QUEUE] = { "QUEUE", true, 3 },
	[TREE_RESTARTS] = { "RESTARTS", true, 6 },
};

static void tree_worker(struct table *table, size_t row, const struct view *view, const struct view_stage *stage,
			uint32_t i, bool utf8)
{
	const struct view_worker *worker = &stage->workers[i];
	bool last = i + 1 == stage->n_workers;
	char number[QUANTITY_TEXT_SIZE];
	bool source = strcmp(stage->role, "source") == 0;

	table_set(table, row, TREE_STAGE, CELL_PLAIN, "%s%s#%" PRIu32,
		  utf8 ? (last ? "└─ " : "├─ ") : (last ? "`- " : "|- "), stage->name, worker->index);
	if (worker->pid > 0)
		table_set(table, row, TREE_PID, CELL_PLAIN, "%d", (int)worker->pid);
	table_set(table, row, TREE_STATE, state_style(worker->state), "%s", worker->state);
	if (worker->state_since_ns && worker->state_since_ns <= view->now_ns)
		table_set(table, row, TREE_SINCE, CELL_DIM, "%s",
			  quantity_format_duration(view->now_ns - worker->state_since_ns, number));
	table_set(table, row, TREE_ITEMS, CELL_PLAIN, "%s",
		  quantity_format_count(worker->ledger[source ? LEDGER_ACCEPTED : LEDGER_TAKEN], number));
	table_set(table, row, TREE_RESTARTS, worker->restarts ? CELL_WARNING : CELL_DIM, "%" PRIu32, worker->restarts);
}

void live_format_tree(const struct view *view, const struct live_style *style, struct text *text)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	size_t n_rows = view->n_stages, row = 0;

	for (uint32_t i = 0; i < view->n_stages; i++)
		n_rows += view->stages[i].n_workers;
	table_init(&table, tree_columns, N_TREE, n_rows);
	for (uint32_t i = 0; i < view->n_stages; i++) {
		const struct view_stage *stage = &view->stages[i];
		char number[QUANTITY_TEXT_SIZE];

		table_set(&table, row, TREE_STAGE, CELL_BOLD, "%s (%s)", stage->name, stage->kind);
		table_set(&table, row, TREE_STATE, CELL_DIM, "%" PRIu32 "/%" PRIu32 " live", stage->n_live,
			  stage->n_workers - stage->n_resting);
		table_set(&table, row, TREE_ITEMS, CELL_PLAIN, "%s",
			  quantity_format_count(view_stage_items(stage), number));
		if (stage->queue_capacity_bytes)
			table_set(
				&table, row, TREE_QUEUE, CELL_PLAIN, "%d%%",
				(int)(100.0 * (double)stage->queue_bytes / (double)stage->queue_capacity_bytes + 0.5));
		table_set(&table, row, TREE_RESTARTS, stage->restarts ? CELL_WARNING : CELL_DIM, "%" PRIu32,
			  stage->restarts);
		row++;
		for (uint32_t worker = 0; worker < stage->n_workers; worker++)
			tree_worker(&table, row++, view, stage, worker, style->utf8);
	}
	table_format(&table, style->columns, true, style->color, text);
}
