/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/metrics_text.h"

#include <libfyaml.h>
#include <string.h>

#include "broker/cli/json_read.h"

struct sample {
	const char *pipeline, *name;
	struct fy_node *labels;
};

static int count(struct fy_node *list)
{
	return list && fy_node_is_sequence(list) ? fy_node_sequence_item_count(list) : 0;
}

/* A label's value may hold anything; help has no quotes to end. */
static void add_escaped(struct text *text, const char *string, bool quoted)
{
	for (; *string; string++) {
		if (*string == '\n')
			text_add(text, "\\n");
		else if (*string == '\\' || (quoted && *string == '"'))
			text_printf(text, "\\%c", *string);
		else
			text_add_char(text, *string);
	}
}

static void add_label(struct text *text, const char *name, const char *value)
{
	text_printf(text, "%s=\"", name);
	add_escaped(text, value, true);
	text_add_char(text, '"');
}

/* One line: name, its ending, all labels, `le` if there is one, the value. */
static void add_line(struct text *text, const struct sample *sample, const char *ending, const char *bound,
		     const char *value)
{
	void *at = NULL;
	struct fy_node_pair *pair;

	text_printf(text, "%s%s{", sample->name, ending);
	add_label(text, "pipeline", sample->pipeline);
	while (sample->labels && (pair = fy_node_mapping_iterate(sample->labels, &at))) {
		text_add_char(text, ',');
		add_label(text, fy_node_get_scalar0(fy_node_pair_key(pair)),
			  json_string(sample->labels, fy_node_get_scalar0(fy_node_pair_key(pair))));
	}
	if (bound) {
		text_add_char(text, ',');
		add_label(text, "le", bound);
	}
	text_printf(text, "} %s\n", value);
}

/* "0.005000000" as "0.005": one name for a bucket, whoever wrote it. */
static const char *shortened(const char *number, char buffer[static 32])
{
	size_t n = strnlen(number, 31);

	memcpy(buffer, number, n);
	while (n && strchr(number, '.') && buffer[n - 1] == '0')
		n--;
	if (n && buffer[n - 1] == '.')
		n--;
	buffer[n] = '\0';
	return buffer;
}

static void add_histogram(struct text *text, const struct sample *sample, struct fy_node *node)
{
	struct fy_node *buckets = json_get(node, "buckets");
	char bound[32];

	for (int i = 0; i < count(buckets); i++) {
		struct fy_node *bucket = fy_node_sequence_get_by_index(buckets, i);

		add_line(text, sample, "_bucket", shortened(json_string(bucket, "le"), bound),
			 json_string(bucket, "count"));
	}
	add_line(text, sample, "_bucket", "+Inf", json_string(node, "count"));
	add_line(text, sample, "_sum", NULL, json_string(node, "sum"));
	add_line(text, sample, "_count", NULL, json_string(node, "count"));
}

static void add_metric(struct text *text, const char *pipeline, struct fy_node *metric)
{
	struct fy_node *samples = json_get(metric, "samples");
	const char *name = json_string(metric, "name"), *type = json_string(metric, "type");

	if (!count(samples))
		return; /* of edges, where there are none */
	text_printf(text, "# HELP %s ", name);
	add_escaped(text, json_string(metric, "help"), false);
	text_printf(text, "\n# TYPE %s %s\n", name, type);
	for (int i = 0; i < count(samples); i++) {
		struct fy_node *node = fy_node_sequence_get_by_index(samples, i);
		const struct sample sample = { pipeline, name, json_get(node, "labels") };

		if (strcmp(type, "histogram") == 0)
			add_histogram(text, &sample, node);
		else
			add_line(text, &sample, "", NULL, json_string(node, "value"));
	}
}

int metrics_format_text(const char *json, struct text *text)
{
	struct fy_document *document = json_parse(json);
	struct fy_node *root = document ? fy_document_root(document) : NULL, *metrics = json_get(root, "metrics");
	const char *pipeline = json_string(root, "pipeline");
	int r = *pipeline && count(metrics) ? 0 : METRICS_E_BAD;

	for (int i = 0; r == 0 && i < count(metrics); i++)
		add_metric(text, pipeline, fy_node_sequence_get_by_index(metrics, i));
	fy_document_destroy(document);
	return r;
}
