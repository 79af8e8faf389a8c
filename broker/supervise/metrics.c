/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/supervise/metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/supervise/stall_report.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/must.h"
#include "common/observe/ledger.h"
#include "common/scope/cause.h"

const struct metric_line metric_lines[METRIC_COUNT] = {
#define METRIC(id, name, type, unit, first, second, summary) \
	{ name, METRIC_##type, unit, { METRIC_LABEL_##first, METRIC_LABEL_##second }, summary },
#include "broker/supervise/metrics.def"
#undef METRIC
};

/* Fine where targets lie: an order seen after 10 or 50 ms, an exit after the grace. */
const uint64_t metric_bounds_ns[METRIC_BUCKETS] = {
	1 * NS_PER_MS,  2 * NS_PER_MS,   5 * NS_PER_MS,   10 * NS_PER_MS,  20 * NS_PER_MS,
	50 * NS_PER_MS, 100 * NS_PER_MS, 200 * NS_PER_MS, 500 * NS_PER_MS, 1 * NS_PER_S,
	2 * NS_PER_S,   5 * NS_PER_S,    10 * NS_PER_S,   30 * NS_PER_S,
};

static size_t n_cells(const struct metrics *metrics, enum metric metric)
{
	const enum metric_label *labels = metric_lines[metric].labels;

	return metric_label_size(labels[0], metrics->plan) * metric_label_size(labels[1], metrics->plan);
}

int metrics_init(struct metrics *metrics, const struct plan *plan)
{
	bool full = true;

	*metrics = (struct metrics){ .plan = plan };
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		if (metric_lines[i].type == METRIC_LATENCY)
			metrics->latencies[i] = calloc(n_cells(metrics, i) + 1, sizeof(*metrics->latencies[i]));
		else if (metric_lines[i].type == METRIC_HISTOGRAM)
			metrics->histograms[i] = calloc(n_cells(metrics, i) + 1, sizeof(*metrics->histograms[i]));
		else
			metrics->values[i] = calloc(n_cells(metrics, i) + 1, sizeof(*metrics->values[i]));
		full = full && (metrics->values[i] || metrics->histograms[i] || metrics->latencies[i]);
	}
	if (full)
		return 0;
	metrics_deinit(metrics);
	return error_origin(-ENOMEM);
}

void metrics_deinit(struct metrics *metrics)
{
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		free(metrics->values[i]);
		free(metrics->histograms[i]);
		free(metrics->latencies[i]);
	}
	*metrics = (struct metrics){ 0 };
}

static size_t cell_of(const struct metrics *metrics, enum metric metric, size_t first, size_t second)
{
	const enum metric_label *labels = metric_lines[metric].labels;
	size_t n_second = metric_label_size(labels[1], metrics->plan);

	must(first < metric_label_size(labels[0], metrics->plan) && second < n_second);
	return first * n_second + second;
}

void metrics_add(struct metrics *metrics, enum metric metric, size_t first, size_t second, uint64_t n)
{
	must(metrics->values[metric]);
	metrics->values[metric][cell_of(metrics, metric, first, second)] += n;
}

void metrics_set(struct metrics *metrics, enum metric metric, size_t first, size_t second, uint64_t value)
{
	must(metrics->values[metric]);
	metrics->values[metric][cell_of(metrics, metric, first, second)] = value;
}

uint64_t metrics_value(const struct metrics *metrics, enum metric metric, size_t first, size_t second)
{
	must(metrics->values[metric]);
	return metrics->values[metric][cell_of(metrics, metric, first, second)];
}

void metrics_observe(struct metrics *metrics, enum metric metric, size_t first, uint64_t ns)
{
	struct metric_buckets *histogram = &metrics->histograms[metric][cell_of(metrics, metric, first, 0)];
	unsigned bucket = 0;

	while (bucket < METRIC_BUCKETS && ns > metric_bounds_ns[bucket])
		bucket++;
	histogram->counts[bucket]++;
	histogram->sum_ns += ns;
}

const struct metric_buckets *metrics_histogram(const struct metrics *metrics, enum metric metric, size_t first)
{
	must(metrics->histograms[metric]);
	return &metrics->histograms[metric][cell_of(metrics, metric, first, 0)];
}

struct histogram *metrics_latency(const struct metrics *metrics, enum metric metric, size_t first)
{
	must(metrics->latencies[metric]);
	return &metrics->latencies[metric][cell_of(metrics, metric, first, 0)];
}

/* ---- names ---- */

const char *metric_type_name(enum metric_type type)
{
	static const char *const names[] = { "counter", "gauge", "histogram", "histogram" };

	return names[type];
}

const char *metric_label_name(enum metric_label label)
{
	static const char *const names[] = {
#define METRIC_LABEL(id, name, summary) name,
#include "broker/supervise/metric_label.def"
#undef METRIC_LABEL
	};

	return names[label];
}

static const char *const level_names[] = {
#define TIMEOUT_LEVEL(id, name, summary) name,
#include "broker/supervise/timeout_level.def"
#undef TIMEOUT_LEVEL
};

static const char *const reason_names[] = {
#define RESTART_REASON(id, name, summary) name,
#include "broker/supervise/restart_reason.def"
#undef RESTART_REASON
};

static const char *const order_names[METRIC_ORDER_COUNT] = { "drain", "cancel" };

size_t metric_label_size(enum metric_label label, const struct plan *plan)
{
	switch (label) {
	case METRIC_LABEL_NONE:
		return 1;
	case METRIC_LABEL_STAGE:
		return plan->n_stages;
	case METRIC_LABEL_PLACE:
		return plan->n_stages + 1ul;
	case METRIC_LABEL_LINE:
		return LEDGER_COUNT;
	case METRIC_LABEL_REASON:
		return RESTART_REASON_COUNT;
	case METRIC_LABEL_LEVEL:
		return TIMEOUT_COUNT;
	case METRIC_LABEL_CAUSE:
		return CAUSE_COUNT;
	case METRIC_LABEL_ORDER:
		return METRIC_ORDER_COUNT;
	case METRIC_LABEL_KIND:
		return STALL_KIND_COUNT;
	case METRIC_LABEL_EDGE:
		return plan->n_edges;
	}
	return 0;
}

const char *metric_label_value(enum metric_label label, const struct plan *plan, size_t index)
{
	switch (label) {
	case METRIC_LABEL_NONE:
		return "";
	case METRIC_LABEL_STAGE:
		return plan->stages[index].name;
	case METRIC_LABEL_PLACE:
		return index < plan->n_stages ? plan->stages[index].name : "";
	case METRIC_LABEL_LINE:
		return index == LEDGER_HELD ? NULL : ledger_lines[index].name; /* it can go down: METRIC_HELD */
	case METRIC_LABEL_REASON:
		return reason_names[index];
	case METRIC_LABEL_LEVEL:
		return level_names[index];
	case METRIC_LABEL_CAUSE:
		return index == CAUSE_NONE ? NULL : cause_lines[index].name;
	case METRIC_LABEL_ORDER:
		return order_names[index];
	case METRIC_LABEL_KIND:
		return stall_kind_name((enum stall_kind)index);
	case METRIC_LABEL_EDGE:
		return plan->stages[plan->edges[index].from].name;
	}
	return NULL;
}
