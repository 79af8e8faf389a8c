/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/top_page.h"

static void add_string(const char *key, const char *value, struct text *text)
{
	text_printf(text, "\"%s\":", key);
	text_add_json(text, value, strlen(value));
}

/* What is not known is null. */
static void add_number(const char *key, double value, int digits, struct text *text)
{
	text_printf(text, ",\"%s\":", key);
	if (value < 0)
		text_add(text, "null");
	else
		text_printf(text, "%.*f", digits, value);
}

static void add_row(const struct top_row *row, struct text *text)
{
	add_string("state", row->state, text);
	add_number("items_per_second", row->per_second, 1, text);
	add_number("p50_seconds", row->p50_s, 6, text);
	add_number("p99_seconds", row->p99_s, 6, text);
	add_number("fill", row->fill, 6, text);
	add_number("ahead", row->ahead, 6, text);
	add_number("age_seconds", row->age_s, 6, text);
	text_add(text, ",\"stuck\":");
	if (row->stuck)
		text_add_json(text, row->stuck, strlen(row->stuck));
	else
		text_add(text, "null");
}

static void add_worker(const struct top_row *row, struct text *text)
{
	text_printf(text, "{\"index\":%" PRIu32 ",\"pid\":", row->worker->index);
	if (row->worker->pid > 0)
		text_printf(text, "%d,", (int)row->worker->pid);
	else
		text_add(text, "null,");
	text_printf(text, "\"generation\":%" PRIu32 ",\"restarts\":%" PRIu32 ",", row->worker->generation,
		    row->worker->restarts);
	add_row(row, text);
	text_add_char(text, '}');
}

static void add_stage(const struct top_picture *picture, const struct top_row *row, struct text *text)
{
	struct top_row *workers;
	size_t n = top_rows_workers(picture->view, row->stage, picture->rates, picture->why, TOP_SORT_ORDER, false,
				    &workers);

	text_add_char(text, '{');
	add_string("name", row->stage->name, text);
	text_printf(text, ",\"live\":%" PRIu32 ",\"restarts\":%" PRIu32 ",", row->stage->n_live, row->stage->restarts);
	add_row(row, text);
	text_add(text, ",\"workers\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			text_add_char(text, ',');
		add_worker(&workers[i], text);
	}
	text_add(text, "]}");
	free(workers);
}

void top_json(const struct top_picture *picture, struct text *text)
{
	const struct view *view = picture->view;
	const struct top_rates *rates = picture->rates;
	struct top_row *stages;
	size_t n = top_rows_stages(view, rates, picture->why, TOP_SORT_ORDER, false, &stages);

	text_add_char(text, '{');
	add_string("pipeline", picture->pipeline, text);
	text_add_char(text, ',');
	add_string("phase", view->phase, text);
	text_printf(text, ",\"pid\":%d,\"in_flight\":%" PRIu64, (int)view->pid, view->in_flight);
	add_number("over_seconds", rates->passed_s > 0 ? rates->passed_s : -1, 6, text);
	add_number("accepted_per_second", rates->accepted.known ? rates->accepted.per_second : -1, 1, text);
	add_number("delivered_per_second", rates->delivered.known ? rates->delivered.per_second : -1, 1, text);
	text_add(text, ",\"stages\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			text_add_char(text, ',');
		add_stage(picture, &stages[i], text);
	}
	text_add(text, "]}\n");
	free(stages);
}
