/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label sets are closed: stages, edges and states are those of the plan and of a table, whatever happens. Edges between the same two stages
 * are one series. All slots are read once for all metrics, so that a scrape costs one walk over the segments.
 */
#include "console/exposition.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/observe/reading.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "console/picture.h"

enum segment_metric {
#define SEGMENT_METRIC(id, name, type, summary) SEGMENT_METRIC_##id,
#include "console/segment_metric.def"
#undef SEGMENT_METRIC
};

static const struct {
	const char *name, *type, *summary;
} lines[] = {
#define SEGMENT_METRIC(id, name, type, summary) { name, type, summary },
#include "console/segment_metric.def"
#undef SEGMENT_METRIC
};

struct stage_sums {
	uint64_t counters[COUNTER_COUNT];
	uint32_t states[WORKER_STATE_COUNT];
};

struct edge_sums {
	uint64_t bytes, capacity_bytes;
	uint32_t same; /* the first edge between the same stages; itself, if it is that */
};

static const char *pipeline_of(const struct catalog *catalog)
{
	return catalog_string(catalog, catalog->head->pipeline);
}

/* Whether it is there already: whole names only. */
static bool is_known(const char *known, const char *name)
{
	char line[128];

	snprintf(line, sizeof(line), "# TYPE %s ", name);
	return strstr(known, line) != NULL;
}

static bool begin(const char *known, const char *name, const char *type, const char *summary, struct text *text)
{
	if (is_known(known, name))
		return false;
	text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, summary, name, type);
	return true;
}

/* ---- reading ---- */

static void sum_stages(const struct observer *observer, struct stage_sums *sums)
{
	const struct catalog *catalog = observer_catalog(observer);
	uint64_t now_ns = clock_now_ns();

	for (uint32_t i = 0; i < catalog->head->n_slots; i++) {
		struct stage_sums *sum = &sums[catalog->slots[i].stage];
		struct worker_reading reading;

		read_worker(observer, i, now_ns, &reading);
		for (unsigned j = 0; j < COUNTER_COUNT; j++)
			sum->counters[j] += reading.counters[j];
		sum->states[reading.state]++;
	}
}

static uint32_t first_same(const struct catalog *catalog, uint32_t edge)
{
	uint32_t i = 0;

	while (catalog->edges[i].from != catalog->edges[edge].from || catalog->edges[i].to != catalog->edges[edge].to)
		i++;
	return i;
}

static void sum_edges(const struct observer *observer, struct edge_sums *sums)
{
	const struct catalog *catalog = observer_catalog(observer);

	for (uint32_t i = 0; i < catalog->head->n_edges; i++) {
		uint64_t bytes, capacity_bytes;

		sums[i].same = first_same(catalog, i);
		picture_edge_fill(observer, i, &bytes, &capacity_bytes);
		sums[sums[i].same].bytes += bytes;
		sums[sums[i].same].capacity_bytes += capacity_bytes;
	}
}

/* ---- writing: names of stages need no escapes, the spec allows none that would ---- */

static void add_edges(const struct catalog *catalog, const struct edge_sums *sums, bool capacity, const char *known,
		      struct text *text)
{
	enum segment_metric metric = capacity ? SEGMENT_METRIC_EDGE_CAPACITY : SEGMENT_METRIC_EDGE;

	if (!begin(known, lines[metric].name, lines[metric].type, lines[metric].summary, text))
		return;
	for (uint32_t i = 0; i < catalog->head->n_edges; i++)
		if (sums[i].same == i)
			text_printf(text, "%s{pipeline=\"%s\",from=\"%s\",to=\"%s\"} %" PRIu64 "\n", lines[metric].name,
				    pipeline_of(catalog),
				    catalog_string(catalog, catalog->stages[catalog->edges[i].from].name),
				    catalog_string(catalog, catalog->stages[catalog->edges[i].to].name),
				    capacity ? sums[i].capacity_bytes : sums[i].bytes);
}

static void add_states(const struct catalog *catalog, const struct stage_sums *sums, const char *known,
		       struct text *text)
{
	const char *name = lines[SEGMENT_METRIC_STATES].name;

	if (!begin(known, name, lines[SEGMENT_METRIC_STATES].type, lines[SEGMENT_METRIC_STATES].summary, text))
		return;
	for (uint32_t i = 0; i < catalog->head->n_stages; i++)
		for (unsigned state = 0; state < WORKER_STATE_COUNT; state++)
			text_printf(text, "%s{pipeline=\"%s\",stage=\"%s\",state=\"%s\"} %" PRIu32 "\n", name,
				    pipeline_of(catalog), catalog_string(catalog, catalog->stages[i].name),
				    worker_state_name(state), sums[i].states[state]);
}

/* weir_stage_turns_total, weir_stage_wait_data_seconds_total */
static void counter_name(unsigned counter, char name[static 96])
{
	const struct counter_line *line = &counter_lines[counter];
	size_t n = strlen(line->name);

	if (strcmp(line->unit, "nanoseconds") == 0 && n > 3)
		snprintf(name, 96, "weir_stage_%.*s_seconds_total", (int)(n - 3), line->name);
	else
		snprintf(name, 96, "weir_stage_%s_total", line->name);
}

static void add_counter(const struct catalog *catalog, const struct stage_sums *sums, unsigned counter,
			const char *known, struct text *text)
{
	bool seconds = strcmp(counter_lines[counter].unit, "nanoseconds") == 0;
	char name[96];

	counter_name(counter, name);
	if (!begin(known, name, "counter", counter_lines[counter].summary, text))
		return;
	for (uint32_t i = 0; i < catalog->head->n_stages; i++) {
		uint64_t value = sums[i].counters[counter];

		text_printf(text, "%s{pipeline=\"%s\",stage=\"%s\"} ", name, pipeline_of(catalog),
			    catalog_string(catalog, catalog->stages[i].name));
		if (seconds)
			text_printf(text, "%" PRIu64 ".%09" PRIu64 "\n", value / NS_PER_S, value % NS_PER_S);
		else
			text_printf(text, "%" PRIu64 "\n", value);
	}
}

void exposition_of_segments(const struct observer *observer, const char *known, struct text *text)
{
	const struct catalog *catalog = observer_catalog(observer);
	_cleanup_(free) struct stage_sums *stages = calloc(catalog->head->n_stages + 1ul, sizeof(*stages));
	_cleanup_(free) struct edge_sums *edges = calloc(catalog->head->n_edges + 1ul, sizeof(*edges));

	must(stages && edges);
	sum_stages(observer, stages);
	sum_edges(observer, edges);
	add_edges(catalog, edges, false, known, text);
	add_edges(catalog, edges, true, known, text);
	add_states(catalog, stages, known, text);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		add_counter(catalog, stages, i, known, text);
}
