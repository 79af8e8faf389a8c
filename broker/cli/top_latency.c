/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/top_latency.h"

#include <stdint.h>
#include <stdlib.h>

#include "broker/cli/json_read.h"
#include "broker/cli/top_rates.h"

#define METRIC_NAME "weir_processing_seconds"

void top_latencies_update(struct top_latencies *latencies, struct fy_document *metrics)
{
	fy_document_destroy(latencies->before);
	latencies->before = latencies->last;
	latencies->last = metrics;
}

void top_latencies_deinit(struct top_latencies *latencies)
{
	fy_document_destroy(latencies->before);
	fy_document_destroy(latencies->last);
	latencies->before = latencies->last = NULL;
}

static struct fy_node *item_of(struct fy_node *list, int i)
{
	return list && fy_node_is_sequence(list) ? fy_node_sequence_get_by_index(list, i) : NULL;
}

/* The stage's own buckets, [middle, how many] each, by time; NULL: none. */
static struct fy_node *buckets_of(const struct fy_document *document, const char *stage)
{
	struct fy_node *metrics, *metric, *samples = NULL, *sample;

	if (!document)
		return NULL;
	metrics = json_get(fy_document_root((struct fy_document *)(uintptr_t)document), "metrics");
	for (int i = 0; !samples && (metric = item_of(metrics, i)); i++)
		if (strcmp(json_string(metric, "name"), METRIC_NAME) == 0)
			samples = json_get(metric, "samples");
	for (int i = 0; (sample = item_of(samples, i)); i++)
		if (strcmp(json_string(json_get(sample, "labels"), "stage"), stage) == 0)
			return json_get(sample, "fine");
	return NULL;
}

static double number_in(struct fy_node *pair, int i)
{
	struct fy_node *node = item_of(pair, i);
	const char *value = node && fy_node_is_scalar(node) ? fy_node_get_scalar0(node) : NULL;

	return value ? strtod(value, NULL) : 0;
}

/* How many more there are in a bucket than in the same one of those before, from *at on; both lists are sorted. */
static double grown(struct fy_node *pair, struct fy_node *before, int *at)
{
	double middle_s = number_in(pair, 0);
	struct fy_node *other;

	while ((other = item_of(before, *at)) && number_in(other, 0) < middle_s)
		++*at;
	return number_in(pair, 1) - (other && number_in(other, 0) <= middle_s ? number_in(other, 1) : 0);
}

double top_latency(const struct top_latencies *latencies, const char *stage, double quantile)
{
	struct fy_node *last = buckets_of(latencies->last, stage), *before = buckets_of(latencies->before, stage),
		       *pair;
	double all = 0, below = 0;
	int at = 0;

	for (int i = 0; (pair = item_of(last, i)); i++) {
		double n = grown(pair, before, &at);

		if (n < 0)
			return TOP_UNKNOWN;
		all += n;
	}
	at = 0;
	for (int i = 0; all > 0 && (pair = item_of(last, i)); i++) {
		below += grown(pair, before, &at);
		if (below > 0 && below >= quantile * all)
			return number_in(pair, 0);
	}
	return TOP_UNKNOWN;
}
