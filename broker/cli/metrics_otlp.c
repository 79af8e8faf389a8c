/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters are monotonic sums since the run began, gauges gauges, and histograms have explicit bounds, the counts of which are each
 * bucket's own there, and cumulative in our JSON.
 */
#include "broker/cli/metrics_otlp.h"

#include <inttypes.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/json_read.h"
#include "broker/cli/metrics_text.h"
#include "broker/trace/otlp_text.h"
#include "common/base/clock.h"

#define CUMULATIVE 2 /* AGGREGATION_TEMPORALITY_CUMULATIVE */

struct moment {
	uint64_t begin_ns, now_ns;
};

static int count(struct fy_node *list)
{
	return list && fy_node_is_sequence(list) ? fy_node_sequence_item_count(list) : 0;
}

static struct fy_node *item(struct fy_node *list, int index)
{
	return fy_node_sequence_get_by_index(list, index);
}

/* Labels, and when: what each point begins with. */
static void begin_point(struct text *text, int index, struct fy_node *sample, const struct moment *moment)
{
	struct fy_node *labels = json_get(sample, "labels");
	struct fy_node_pair *pair;
	const char *between = "";
	void *at = NULL;

	text_printf(text, "%s{\"attributes\":[", index ? "," : "");
	while (labels && (pair = fy_node_mapping_iterate(labels, &at))) {
		const char *key = fy_node_get_scalar0(fy_node_pair_key(pair));

		otlp_text_add_string(text, between, key, json_string(labels, key));
		between = ",";
	}
	text_printf(text, "],\"startTimeUnixNano\":\"%" PRIu64 "\",\"timeUnixNano\":\"%" PRIu64 "\"", moment->begin_ns,
		    moment->now_ns);
}

static bool is_whole(const char *number)
{
	return *number && !number[strspn(number, "0123456789")];
}

static void add_number(struct text *text, struct fy_node *sample)
{
	const char *value = json_string(sample, "value");

	if (is_whole(value))
		text_printf(text, ",\"asInt\":\"%s\"}", value);
	else
		text_printf(text, ",\"asDouble\":%s}", *value ? value : "0");
}

static void add_counts(struct text *text, struct fy_node *sample)
{
	struct fy_node *buckets = json_get(sample, "buckets");
	unsigned long long all = strtoull(json_string(sample, "count"), NULL, 10), below = 0;

	text_printf(text, ",\"count\":\"%llu\",\"sum\":%s,\"bucketCounts\":[", all,
		    *json_string(sample, "sum") ? json_string(sample, "sum") : "0");
	for (int i = 0; i < count(buckets); i++) {
		unsigned long long so_far = strtoull(json_string(item(buckets, i), "count"), NULL, 10);

		text_printf(text, "\"%llu\",", so_far > below ? so_far - below : 0);
		below = so_far > below ? so_far : below;
	}
	text_printf(text, "\"%llu\"],\"explicitBounds\":[", all > below ? all - below : 0);
	for (int i = 0; i < count(buckets); i++)
		text_printf(text, "%s%s", i ? "," : "", json_string(item(buckets, i), "le"));
	text_add(text, "]}");
}

static void add_metric(struct text *text, const char *between, struct fy_node *metric, const struct moment *moment)
{
	struct fy_node *samples = json_get(metric, "samples");
	const char *type = json_string(metric, "type"), *name = json_string(metric, "name");
	const char *help = json_string(metric, "help"), *unit = json_string(metric, "unit");
	bool is_histogram = strcmp(type, "histogram") == 0, is_gauge = strcmp(type, "gauge") == 0;

	text_printf(text, "%s{\"name\":", between);
	text_add_json(text, name, strlen(name));
	text_add(text, ",\"description\":");
	text_add_json(text, help, strlen(help));
	text_add(text, ",\"unit\":");
	text_add_json(text,
		      strcmp(unit, "seconds") == 0 ? "s" :
		      strcmp(unit, "bytes") == 0   ? "By" :
						     unit,
		      strcmp(unit, "seconds") == 0 ? 1 :
		      strcmp(unit, "bytes") == 0   ? 2 :
						     strlen(unit));
	text_printf(text, ",\"%s\":{\"dataPoints\":[", is_histogram ? "histogram" : is_gauge ? "gauge" : "sum");
	for (int i = 0; i < count(samples); i++) {
		begin_point(text, i, item(samples, i), moment);
		if (is_histogram)
			add_counts(text, item(samples, i));
		else
			add_number(text, item(samples, i));
	}
	text_add_char(text, ']');
	if (!is_gauge)
		text_printf(text, ",\"aggregationTemporality\":%d", CUMULATIVE);
	text_printf(text, "%s}}", is_gauge || is_histogram ? "" : ",\"isMonotonic\":true");
}

/* When the run began: all counters were 0 then. */
static uint64_t begin_of(struct fy_node *metrics, uint64_t now_ns)
{
	for (int i = 0; i < count(metrics); i++)
		if (strcmp(json_string(item(metrics, i), "name"), "weir_uptime_seconds") == 0) {
			double seconds =
				strtod(json_string(item(json_get(item(metrics, i), "samples"), 0), "value"), NULL);

			return now_ns - (uint64_t)(seconds * (double)NS_PER_S);
		}
	return now_ns;
}

int metrics_format_otlp(const char *json, uint64_t unix_ns, struct text *text)
{
	struct fy_document *document = json_parse(json);
	struct fy_node *root = document ? fy_document_root(document) : NULL, *metrics = json_get(root, "metrics");
	const struct moment moment = { begin_of(metrics, unix_ns), unix_ns };
	const char *pipeline = json_string(root, "pipeline"), *between = "";
	int r = *pipeline && count(metrics) ? 0 : METRICS_E_BAD;

	text_add(text, "{\"resourceMetrics\":[{");
	otlp_text_add_resource(text, pipeline);
	text_add(text, ",\"scopeMetrics\":[{");
	otlp_text_add_scope(text);
	text_add(text, ",\"metrics\":[");
	for (int i = 0; r == 0 && i < count(metrics); i++) {
		if (!count(json_get(item(metrics, i), "samples")))
			continue; /* of edges, where there are none */
		add_metric(text, between, item(metrics, i), &moment);
		between = ",";
	}
	text_add(text, "]}]}]}");
	fy_document_destroy(document);
	return r;
}
