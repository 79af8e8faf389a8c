/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/top_worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/json_read.h"
#include "broker/cli/live.h"
#include "broker/cli/table.h"
#include "common/base/clock.h"
#include "common/base/quantity.h"

struct fy_node *top_worker_find(struct fy_node *dump, const char *stage, uint32_t index)
{
	struct fy_node *workers = json_get(dump, "workers"), *worker;
	void *at = NULL;

	if (strcmp(json_string(dump, "stage"), stage) != 0 || !workers || !fy_node_is_sequence(workers))
		return NULL;
	while ((worker = fy_node_sequence_iterate(workers, &at)))
		if (strtoul(json_string(worker, "index"), NULL, 10) == index)
			return worker;
	return NULL;
}

/* "name       words", cut to the width; names and sentences of others can't move the cursor. */
static void add(struct text *text, size_t width, const char *name, const struct text *words)
{
	_cleanup_(text_deinit) struct text line = TEXT_NULL;

	text_printf(&line, "%-10s ", name);
	for (const char *c = text_get(words); *c; c++)
		text_add_char(&line, (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
	table_add_wrapped(text, text_get(&line), width, 0);
	text_add_char(text, '\n');
}

static uint64_t number(struct fy_node *map, const char *key)
{
	return strtoull(json_string(map, key), NULL, 10);
}

static void add_doing(struct fy_node *worker, size_t width, struct text *text)
{
	_cleanup_(text_deinit) struct text words = TEXT_NULL;
	char duration[QUANTITY_TEXT_SIZE];
	double seconds = strtod(json_string(worker, "seconds"), NULL);

	text_add(&words, json_string(worker, "sentence"));
	if (seconds > 0 && seconds < 1e9)
		text_printf(&words, "; for %s",
			    quantity_format_duration((uint64_t)(seconds * (double)NS_PER_S), duration));
	add(text, width, "does", &words);
}

static void add_item(struct fy_node *worker, size_t width, struct text *text)
{
	_cleanup_(text_deinit) struct text words = TEXT_NULL;
	struct fy_node *item = json_get(worker, "item");

	if (*json_string(item, "sequence"))
		text_printf(&words, "%s from '%s' (position %s)", json_string(item, "sequence"),
			    json_string(item, "from"), json_string(item, "position"));
	else
		text_add(&words, "none in hand");
	if (number(worker, "put_aside"))
		text_printf(&words, ", %" PRIu64 " put aside", number(worker, "put_aside"));
	if (number(worker, "held"))
		text_printf(&words, ", %" PRIu64 " held", number(worker, "held"));
	add(text, width, "item", &words);
}

static void add_process(struct fy_node *worker, size_t width, struct text *text)
{
	_cleanup_(text_deinit) struct text words = TEXT_NULL;
	struct fy_node *kernel = json_get(worker, "kernel"), *program = json_get(worker, "program");

	if (!*json_string(kernel, "state"))
		return;
	text_add(&words, json_string(kernel, "state"));
	if (*json_string(kernel, "where"))
		text_printf(&words, " (%s)", json_string(kernel, "where"));
	if (*json_string(program, "pid"))
		text_printf(&words, "; its program %s (pid %s) is %s", json_string(program, "name"),
			    json_string(program, "pid"), json_string(program, "state"));
	add(text, width, "process", &words);
}

static void add_edges(struct fy_node *worker, const char *key, const char *name, size_t width, struct text *text)
{
	struct fy_node *edges = json_get(worker, key), *edge;
	char part[QUANTITY_TEXT_SIZE], whole[QUANTITY_TEXT_SIZE], kept[QUANTITY_TEXT_SIZE];
	void *at = NULL;

	while (edges && fy_node_is_sequence(edges) && (edge = fy_node_sequence_iterate(edges, &at))) {
		_cleanup_(text_deinit) struct text words = TEXT_NULL;
		uint64_t bytes = number(edge, "bytes"), capacity_bytes = number(edge, "capacity_bytes"),
			 n = number(edge, "lanes");

		text_printf(&words, "%s: %s of %s (%d%%)", json_string(edge, "stage"),
			    quantity_format_size(bytes, part), quantity_format_size(capacity_bytes, whole),
			    capacity_bytes ? (int)(100.0 * (double)bytes / (double)capacity_bytes + 0.5) : 0);
		if (n > 1)
			text_printf(&words, " in %" PRIu64 " lanes, %" PRIu64 " empty", n, number(edge, "empty"));
		if (number(edge, "kept_bytes"))
			text_printf(&words, ", %s taken and not given back",
				    quantity_format_size(number(edge, "kept_bytes"), kept));
		if (number(edge, "closed"))
			text_printf(&words, ", closed%s", number(edge, "closed") < n ? " in part" : "");
		add(text, width, name, &words);
	}
}

/* Every line of the ledger that is not zero. */
static void add_ledger(const struct view_worker *worker, size_t width, struct text *text)
{
	_cleanup_(text_deinit) struct text words = TEXT_NULL;
	char count[QUANTITY_TEXT_SIZE];

	for (unsigned i = 0; i < LEDGER_COUNT; i++)
		if (worker->ledger[i])
			text_printf(&words, "%s%s %s", words.length ? ", " : "", ledger_lines[i].name,
				    quantity_format_count(worker->ledger[i], count));
	add(text, width, "items", &words);
}

void top_worker_format(const struct top_picture *picture, const struct top_row *row, size_t width, struct text *text)
{
	const struct view_worker *worker = row->worker;
	struct fy_node *known = top_worker_find(picture->dump, row->stage->name, worker->index);
	_cleanup_(text_deinit) struct text words = TEXT_NULL;
	char speed[LIVE_NUMBER_SIZE];

	text_printf(&words, "%s#%" PRIu32 " (%s)", row->stage->name, worker->index, row->stage->kind);
	if (worker->pid > 0)
		text_printf(&words, ", pid %d", (int)worker->pid);
	text_printf(&words, ", generation %" PRIu32 ", restarts %" PRIu32, worker->generation, worker->restarts);
	add(text, width, "worker", &words);
	text_clear(&words);
	text_add(&words, row->state);
	if (row->per_second >= 0)
		text_printf(&words, ", %s items/s", live_speed(row->per_second, speed));
	add(text, width, "state", &words);
	if (known) {
		add_doing(known, width, text);
		add_item(known, width, text);
		add_process(known, width, text);
		add_edges(known, "in", "in from", width, text);
		add_edges(known, "out", "out to", width, text);
	}
	add_ledger(worker, width, text);
}
