/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three levels, one page:
 *
 *     orders  pid 4711  running for 12.3 min               every 1.0 s, by order     head
 *     accepted 63,120 (12,340/s)  delivered 60,001 (11,800/s)  in flight 34
 *     STUCK: price#0 (pid 4713) has been in its stage for 7.2 s, on item 812 ...     what is stuck, if anything is
 *
 *       STAGE  STATE     ITEMS/S  P50  P99  FILL                AGE                  body: stages, workers of one,
 *     > read   WAIT-OUT   12,340    -    -                   410 ms                       or all of one worker
 *       price  STUCK           0    -    -  [########] 100%   7.2 s
 *
 *     q quit  Enter into  Esc back  s sort  ? help                                   keys
 *
 * Whatever does not fit is left out from the body's end, the marked line always being among what is shown.
 */
#include "broker/cli/top_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/table.h"
#include "broker/cli/top_worker.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

enum { FILL_BAR_WIDTH = 8, FULL_PERCENT = 90, STUCK_LINES_MAX = 3, BODY_LINES_MIN = 4 };

struct page {
	const struct top_state *state;
	const struct top_picture *picture;
	const struct live_style *style;
	size_t width; /* of a line; 0: no limit */
};

/* ---- head ---- */

/* One line, cut to the width; `right` stands at its end if there is room. */
static void add_line(const struct page *page, enum cell_style style, const char *left, const char *right,
		     struct text *text)
{
	_cleanup_(text_deinit) struct text line = TEXT_NULL;
	size_t width = page->width, n_left = table_text_width(left, strlen(left)), n_right = strlen(right);

	if (!width)
		text_printf(&line, "%s%s%s", left, *right ? "  " : "", right);
	else if (*right && n_left + 2 + n_right <= width)
		text_printf(&line, "%s%*s%s", left, (int)(width - n_left - n_right), "", right);
	else
		table_add_cut(&line, left, width);
	table_add_styled(text, style, page->style->color, text_get(&line));
	text_add_char(text, '\n');
}

static void add_title(const struct page *page, struct text *text)
{
	const struct top_picture *picture = page->picture;
	const struct view *view = picture->view;
	_cleanup_(text_deinit) struct text left = TEXT_NULL, right = TEXT_NULL;
	char number[QUANTITY_TEXT_SIZE];

	text_add(&left, picture->pipeline);
	if (page->state->level != TOP_STAGES && view)
		text_printf(&left, " / %s", view->stages[page->state->stage].name);
	if (view)
		text_printf(&left, "  pid %d  %s", (int)view->pid, view->phase);
	if (view && view->started_ns)
		text_printf(&left, " for %s", quantity_format_duration(view->now_ns - view->started_ns, number));
	if (view && strcmp(view->cause, "none") != 0 && *view->cause)
		text_printf(&left, "  cancelled (%s)", view->cause);
	if (page->style->rows)
		text_printf(&right, "%severy %s, by %s%s", page->state->paused ? "paused, " : "",
			    quantity_format_duration((uint64_t)(picture->interval_s * (double)NS_PER_S), number),
			    top_sort_name(page->state->sort), page->state->reverse ? " reversed" : "");
	add_line(page, CELL_BOLD, text_get(&left), text_get(&right), text);
}

static void add_sum(struct text *text, const char *name, uint64_t items, const struct top_speed *speed)
{
	char number[LIVE_NUMBER_SIZE];

	text_printf(text, "%s %s", name, live_number(items, number));
	if (speed->known && speed->per_second >= 0)
		text_printf(text, " (%s/s)", live_speed(speed->per_second, number));
	text_add(text, "  ");
}

static void add_sums(const struct page *page, struct text *text)
{
	const struct view *view = page->picture->view;
	_cleanup_(text_deinit) struct text line = TEXT_NULL;
	char number[LIVE_NUMBER_SIZE];

	add_sum(&line, "accepted", view->ledger[LEDGER_ACCEPTED], &page->picture->rates->accepted);
	add_sum(&line, "delivered", view->ledger[LEDGER_DELIVERED], &page->picture->rates->delivered);
	text_printf(&line, "in flight %s", live_number(view->in_flight, number));
	add_line(page, CELL_PLAIN, text_get(&line), "", text);
}

/* Sentences come from the supervisor; a plugin's name in them may hold anything. */
static void add_harmless(struct text *text, const char *string)
{
	for (; *string; string++)
		text_add_char(text, (unsigned char)*string < 0x20 || *string == 0x7f ? '?' : *string);
}

static void add_wrapped(const struct page *page, enum cell_style style, const char *before, const char *sentence,
			struct text *text)
{
	_cleanup_(text_deinit) struct text plain = TEXT_NULL, lines = TEXT_NULL;

	text_add(&plain, before);
	add_harmless(&plain, sentence);
	table_add_wrapped(&lines, text_get(&plain), page->width, 0);
	table_add_styled(text, style, page->style->color, text_get(&lines));
	text_add_char(text, '\n');
}

/* Of several who are stuck the first STUCK_LINES_MAX; the marks in the table show all. */
static void add_stuck(const struct page *page, struct text *text)
{
	const struct view *view = page->picture->view;
	const char *said[STUCK_LINES_MAX];
	size_t n = 0;
	double seconds;

	for (uint32_t i = 0; i < view->n_stages && n < STUCK_LINES_MAX; i++)
		for (uint32_t w = 0; w < view->stages[i].n_workers && n < STUCK_LINES_MAX; w++) {
			const char *sentence = top_stuck(page->picture->why, view->stages[i].name,
							 view->stages[i].workers[w].index, &seconds);
			bool again = false;

			for (size_t j = 0; j < n; j++)
				again = again || said[j] == sentence;
			if (!sentence || again)
				continue;
			said[n++] = sentence;
			add_wrapped(page, CELL_BAD, "STUCK: ", sentence, text);
		}
}

/* ---- tables ---- */

enum {
	COLUMN_NAME,
	COLUMN_PID,
	COLUMN_STATE,
	COLUMN_RATE,
	COLUMN_P50,
	COLUMN_P99,
	COLUMN_FILL,
	COLUMN_PERCENT,
	COLUMN_AHEAD,
	COLUMN_AGE,
	COLUMN_WORKERS,
	COLUMN_RESTARTS,
	N_COLUMNS
};

static const struct table_column columns[N_COLUMNS] = {
	[COLUMN_NAME] = { "STAGE", false, 98 },     [COLUMN_PID] = { "PID", true, 5 },
	[COLUMN_STATE] = { "STATE", false, 97 },    [COLUMN_RATE] = { "ITEMS/S", true, 9 },
	[COLUMN_P50] = { "P50", true, 3 },          [COLUMN_P99] = { "P99", true, 6 },
	[COLUMN_FILL] = { "", false, 1 },           [COLUMN_PERCENT] = { "FILL", true, 8 },
	[COLUMN_AHEAD] = { "AHEAD", true, 2 },      [COLUMN_AGE] = { "AGE", true, 7 },
	[COLUMN_WORKERS] = { "WORKERS", false, 4 }, [COLUMN_RESTARTS] = { "RESTARTS", true, 5 },
};

static enum cell_style style_of(const struct top_row *row)
{
	if (row->stuck || strcmp(row->state, "RESTARTING") == 0 || strcmp(row->state, "LOST") == 0)
		return CELL_BAD;
	return strcmp(row->state, "WAIT-OUT") == 0 ? CELL_WARNING :
	       strcmp(row->state, "BUSY") == 0     ? CELL_GOOD :
						     CELL_DIM;
}

static void set_seconds(struct table *table, size_t line, size_t column, double seconds)
{
	char number[QUANTITY_TEXT_SIZE];

	if (seconds < 0)
		table_set(table, line, column, CELL_DIM, "-");
	else
		table_set(table, line, column, CELL_PLAIN, "%s",
			  quantity_format_duration((uint64_t)(seconds * (double)NS_PER_S), number));
}

static void set_fill(struct table *table, size_t line, const struct top_row *row, bool utf8)
{
	_cleanup_(text_deinit) struct text bar = TEXT_NULL;
	enum cell_style style = row->fill * 100 >= FULL_PERCENT ? CELL_WARNING : CELL_PLAIN;

	if (row->fill >= 0) {
		live_bar(row->fill, FILL_BAR_WIDTH, utf8, &bar);
		table_set(table, line, COLUMN_FILL, style, "%s", text_get(&bar));
		table_set(table, line, COLUMN_PERCENT, style, "%d%%", (int)(row->fill * 100 + 0.5));
	}
	if (row->ahead >= 0)
		table_set(table, line, COLUMN_AHEAD, CELL_PLAIN, "%d%%", (int)(row->ahead * 100 + 0.5));
}

static void set_who(struct table *table, size_t line, const struct top_row *row, const char *before)
{
	const struct view_stage *stage = row->stage;

	if (row->worker) {
		table_set(table, line, COLUMN_NAME, CELL_BOLD, "%s%s#%" PRIu32, before, stage->name,
			  row->worker->index);
		if (row->worker->pid > 0)
			table_set(table, line, COLUMN_PID, CELL_PLAIN, "%d", (int)row->worker->pid);
		table_set(table, line, COLUMN_RESTARTS, row->worker->restarts ? CELL_WARNING : CELL_DIM, "%" PRIu32,
			  row->worker->restarts);
		return;
	}
	table_set(table, line, COLUMN_NAME, CELL_BOLD, "%s%s", before, stage->name);
	table_set(table, line, COLUMN_WORKERS, stage->n_live < stage->n_workers ? CELL_WARNING : CELL_PLAIN,
		  "%" PRIu32 "/%" PRIu32, stage->n_live, stage->n_workers);
	table_set(table, line, COLUMN_RESTARTS, stage->restarts ? CELL_WARNING : CELL_DIM, "%" PRIu32, stage->restarts);
}

/* before: a mark, or an indentation. */
static void set_row(const struct page *page, struct table *table, size_t line, const struct top_row *row,
		    const char *before)
{
	char number[LIVE_NUMBER_SIZE];

	set_who(table, line, row, before);
	table_set(table, line, COLUMN_STATE, style_of(row), "%s", row->state);
	table_set(table, line, COLUMN_RATE, CELL_PLAIN, "%s",
		  row->per_second >= 0 ? live_speed(row->per_second, number) : "-");
	set_seconds(table, line, COLUMN_P50, row->p50_s);
	set_seconds(table, line, COLUMN_P99, row->p99_s);
	set_fill(table, line, row, page->style->utf8);
	set_seconds(table, line, COLUMN_AGE, row->age_s);
}

/* The rows from `first` on, at most n of them. Returns the number of lines. */
static size_t add_rows(const struct page *page, const struct top_row *rows, size_t n_rows, size_t marked, size_t room,
		       struct text *text)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	size_t n = room && n_rows > room ? room : n_rows, first = marked >= n && n ? marked - n + 1 : 0;

	table_init(&table, columns, N_COLUMNS, n);
	for (size_t i = 0; i < n; i++)
		set_row(page, &table, i, &rows[first + i], first + i == marked ? "> " : "  ");
	return table_format(&table, page->width, true, page->style->color, text);
}

/* For programs and files: the workers below their stage. */
static void add_all(const struct page *page, struct text *text)
{
	const struct top_picture *picture = page->picture;
	_cleanup_(table_deinit) struct table table = TABLE_NULL;
	struct top_row *stages, *workers;
	size_t n_stages = top_rows_stages(picture->view, picture->rates, picture->why, page->state->sort,
					  page->state->reverse, &stages);
	size_t n_lines = n_stages, line = 0;

	for (size_t i = 0; i < n_stages; i++)
		n_lines += stages[i].stage->n_workers > 1 ? stages[i].stage->n_workers : 0;
	table_init(&table, columns, N_COLUMNS, n_lines);
	for (size_t i = 0; i < n_stages; i++) {
		size_t n = top_rows_workers(picture->view, stages[i].stage, picture->rates, picture->why,
					    page->state->sort, page->state->reverse, &workers);

		set_row(page, &table, line++, &stages[i], "");
		for (size_t w = 0; n > 1 && w < n; w++)
			set_row(page, &table, line++, &workers[w], "  ");
		free(workers);
	}
	free(stages);
	table_format(&table, page->width, true, page->style->color, text);
}

/* ---- the page ---- */

static size_t count_lines(const struct text *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->length; i++)
		n += text->data[i] == '\n';
	return n;
}

/* At most that many lines of it. */
static void add_lines(struct text *text, const struct text *more, size_t n_max)
{
	const char *line = text_get(more);

	for (const char *end; n_max && (end = strchr(line, '\n')); line = end + 1, n_max--)
		text_add_bytes(text, line, (size_t)(end + 1 - line));
}

static void add_help(const struct page *page, struct text *text)
{
	_cleanup_(text_deinit) struct text help = TEXT_NULL;
	char *rest = NULL;

	top_keys_help(&help);
	for (char *line = strtok_r(help.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		add_line(page, CELL_PLAIN, line, "", text);
}

static void add_body(const struct page *page, size_t room, struct text *text)
{
	struct top_row *rows;
	size_t n;

	if (page->state->help) {
		add_help(page, text);
		return;
	}
	if (!page->picture->view)
		return;
	if (!page->style->rows) {
		add_all(page, text);
		return;
	}
	n = top_state_rows(page->state, page->picture, &rows);
	if (page->state->level == TOP_WORKER && n)
		top_worker_format(page->picture, &rows[top_state_marked(page->state, rows, n)], page->width, text);
	else
		add_rows(page, rows, n, top_state_marked(page->state, rows, n), room > 1 ? room - 1 : 1, text);
	free(rows);
}

static void add_keys(const struct page *page, struct text *text)
{
	static const char *const keys[] = {
		[TOP_STAGES] = "q quit  Up Down  Enter workers  s sort  r reverse  p pause  ? help",
		[TOP_WORKERS] = "q quit  Up Down  Enter worker  Esc back  s sort  r reverse  p pause  ? help",
		[TOP_WORKER] = "q quit  Esc back  p pause  ? help",
	};

	add_line(page, CELL_DIM, page->state->help ? "q quit  Esc back" : keys[page->state->level], "", text);
}

size_t top_page(const struct top_state *state, const struct top_picture *picture, const struct live_style *style,
		struct text *text)
{
	const struct page page = { .state = state,
				   .picture = picture,
				   .style = style,
				   .width = style->columns > 1 ? style->columns - 1 : style->columns };
	_cleanup_(text_deinit) struct text head = TEXT_NULL, body = TEXT_NULL, whole = TEXT_NULL;
	size_t rows = style->rows, n_head, n_body;

	add_title(&page, &head);
	if (picture->view)
		add_sums(&page, &head);
	if (picture->trouble)
		add_wrapped(&page, CELL_BAD, "", picture->trouble, &head);
	if (picture->view)
		add_stuck(&page, &head);
	text_add_char(&head, '\n');
	n_head = count_lines(&head);
	if (rows && n_head > (rows > BODY_LINES_MIN ? rows - BODY_LINES_MIN : 0))
		n_head = rows > BODY_LINES_MIN ? rows - BODY_LINES_MIN : 0;
	/* The last line of a terminal is for the keys; the head gives way to the body, and that to a low window. */
	n_body = rows ? rows - n_head - 1 : SIZE_MAX;
	add_body(&page, n_body, &body);
	add_lines(&whole, &head, n_head);
	add_lines(&whole, &body, n_body);
	if (rows) {
		while (count_lines(&whole) + 1 < rows)
			text_add_char(&whole, '\n');
		add_keys(&page, &whole);
	}
	text_add(text, text_get(&whole));
	return count_lines(&whole);
}
