/* SPDX-License-Identifier: Apache-2.0 */
/* All samples of all metrics, those that are 0 too: who adds them up later can tell "none" from "not known". */
#include <inttypes.h>
#include <string.h>

#include "broker/supervise/metrics.h"
#include "common/base/clock.h"

static void add_string(struct text *text, const char *key, const char *value)
{
	text_printf(text, "\"%s\":", key);
	text_add_json(text, value, strlen(value));
}

/* Nanoseconds as seconds, exactly. */
static void add_seconds(struct text *text, uint64_t ns)
{
	text_printf(text, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void add_edge(struct text *text, const struct plan *plan, size_t number)
{
	add_string(text, "from", plan->stages[plan->edges[number].from].name);
	text_add_char(text, ',');
	add_string(text, "to", plan->stages[plan->edges[number].to].name);
}

static void add_labels(struct text *text, const struct metrics *metrics, const struct metric_line *line,
		       const size_t indices[2])
{
	text_add(text, "{\"labels\":{");
	for (unsigned i = 0; i < 2 && line->labels[i] != METRIC_LABEL_NONE; i++) {
		text_add(text, i ? "," : "");
		if (line->labels[i] == METRIC_LABEL_EDGE)
			add_edge(text, metrics->plan, indices[i]);
		else
			add_string(text, metric_label_name(line->labels[i]),
				   metric_label_value(line->labels[i], metrics->plan, indices[i]));
	}
	text_add(text, "},");
}

/* Buckets are cumulative, as everywhere; the last one has no bound and counts all. */
static void add_histogram(struct text *text, const struct metric_buckets *histogram)
{
	uint64_t n = 0;

	text_add(text, "\"buckets\":[");
	for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
		n += histogram->counts[i];
		text_printf(text, "%s{\"le\":", i ? "," : "");
		add_seconds(text, metric_bounds_ns[i]);
		text_printf(text, ",\"count\":%" PRIu64 "}", n);
	}
	text_add(text, "],\"sum\":");
	add_seconds(text, histogram->sum_ns);
	text_printf(text, ",\"count\":%" PRIu64 "}", n + histogram->counts[METRIC_BUCKETS]);
}

/* Of those buckets that are not empty: the middle, and how many. */
static void add_fine(struct text *text, const struct histogram *latency)
{
	bool begun = false;

	text_add(text, ",\"fine\":[");
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!latency->counts[i])
			continue;
		text_add(text, begun ? ",[" : "[");
		add_seconds(text, histogram_middle_ns(i));
		text_printf(text, ",%" PRIu64 "]", latency->counts[i]);
		begun = true;
	}
	text_add_char(text, ']');
}

static void add_latency(struct text *text, const struct histogram *latency)
{
	static const uint32_t permilles[] = { 500, 900, 990, 999 };

	text_add(text, "\"buckets\":[");
	for (unsigned i = 0; i < METRIC_LATENCY_BOUNDS; i++) {
		text_add(text, i ? ",{\"le\":" : "{\"le\":");
		add_seconds(text, metric_latency_bound_ns(i));
		text_printf(text, ",\"count\":%" PRIu64 "}",
			    histogram_count_below(latency, metric_latency_bound_ns(i)));
	}
	text_add(text, "],\"sum\":");
	add_seconds(text, latency->sum_ns);
	text_printf(text, ",\"count\":%" PRIu64 ",\"quantiles\":{", histogram_count(latency));
	for (unsigned i = 0; i < sizeof(permilles) / sizeof(permilles[0]); i++) {
		text_printf(text, "%s\"%g\":", i ? "," : "", permilles[i] / 1000.0);
		add_seconds(text, histogram_quantile_ns(latency, permilles[i]));
	}
	text_add_char(text, '}');
	add_fine(text, latency);
	text_add_char(text, '}');
}

static void add_sample(struct text *text, const struct metrics *metrics, enum metric metric, const size_t indices[2])
{
	const struct metric_line *line = &metric_lines[metric];
	uint64_t value;

	add_labels(text, metrics, line, indices);
	if (line->type == METRIC_LATENCY) {
		add_latency(text, metrics_latency(metrics, metric, indices[0]));
		return;
	}
	if (line->type == METRIC_HISTOGRAM) {
		add_histogram(text, metrics_histogram(metrics, metric, indices[0]));
		return;
	}
	value = metrics_value(metrics, metric, indices[0], indices[1]);
	text_add(text, "\"value\":");
	if (strcmp(line->unit, "seconds") == 0)
		add_seconds(text, value);
	else
		text_printf(text, "%" PRIu64, value);
	text_add_char(text, '}');
}

static void add_metric(struct text *text, const struct metrics *metrics, enum metric metric)
{
	const struct metric_line *line = &metric_lines[metric];
	size_t indices[2], n[2];
	bool begun = false;

	text_add_char(text, '{');
	add_string(text, "name", line->name);
	text_add_char(text, ',');
	add_string(text, "type", metric_type_name(line->type));
	text_add_char(text, ',');
	add_string(text, "unit", line->unit);
	text_add_char(text, ',');
	add_string(text, "help", line->summary);
	text_add(text, ",\"samples\":[");
	for (unsigned i = 0; i < 2; i++)
		n[i] = metric_label_size(line->labels[i], metrics->plan);
	for (indices[0] = 0; indices[0] < n[0]; indices[0]++)
		for (indices[1] = 0; indices[1] < n[1]; indices[1]++) {
			if (!metric_label_value(line->labels[0], metrics->plan, indices[0]) ||
			    !metric_label_value(line->labels[1], metrics->plan, indices[1]))
				continue;
			text_add(text, begun ? "," : "");
			add_sample(text, metrics, metric, indices);
			begun = true;
		}
	text_add(text, "]}");
}

void metrics_format_json(const struct metrics *metrics, struct text *text)
{
	text_add_char(text, '{');
	add_string(text, "pipeline", metrics->plan->pipeline);
	text_add(text, ",\"metrics\":[");
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		text_add(text, i ? "," : "");
		add_metric(text, metrics, i);
	}
	text_add(text, "]}");
}
