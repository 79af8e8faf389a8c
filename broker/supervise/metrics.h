/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: numbers with labels, declared in metrics.def and kept by the supervisor. Never per item: of items the sums in the workers'
 * own books are read when somebody asks. Plain data, one thread; nothing here knows how anything is found out (metrics_keep.c does).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/spec/plan.h"
#include "common/base/text.h"
#include "common/observe/histogram.h"

/* A latency is a histogram that workers keep, with finer buckets (common/observe/histogram.h). */
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_LATENCY };

enum metric_label {
#define METRIC_LABEL(id, name, summary) METRIC_LABEL_##id,
#include "broker/supervise/metric_label.def"
#undef METRIC_LABEL
};

enum metric {
#define METRIC(id, ...) METRIC_##id,
#include "broker/supervise/metrics.def"
#undef METRIC
	METRIC_COUNT
};

enum timeout_level {
#define TIMEOUT_LEVEL(id, name, summary) TIMEOUT_##id,
#include "broker/supervise/timeout_level.def"
#undef TIMEOUT_LEVEL
	TIMEOUT_COUNT
};

enum restart_reason {
#define RESTART_REASON(id, name, summary) RESTART_REASON_##id,
#include "broker/supervise/restart_reason.def"
#undef RESTART_REASON
	RESTART_REASON_COUNT
};

/* Orders to all that are acknowledged. */
enum metric_order { METRIC_ORDER_DRAIN, METRIC_ORDER_CANCEL, METRIC_ORDER_COUNT };

struct metric_line {
	const char *name;
	enum metric_type type;
	const char *unit;
	enum metric_label labels[2];
	const char *summary;
};
extern const struct metric_line metric_lines[METRIC_COUNT];

/* Upper bounds of a histogram's buckets, in ns, ascending; one more bucket has no bound. */
#define METRIC_BUCKETS 14u
extern const uint64_t metric_bounds_ns[METRIC_BUCKETS];

struct metric_buckets {
	uint64_t counts[METRIC_BUCKETS + 1]; /* each bucket for itself */
	uint64_t sum_ns;
};

struct metrics {
	const struct plan *plan; /* borrowed: its stages are a label's values */
	uint64_t *values[METRIC_COUNT];
	struct metric_buckets *histograms[METRIC_COUNT];
	struct histogram *latencies[METRIC_COUNT];
};

/* All zero, for the stages of `plan`, which has to stay. Returns 0 or -ENOMEM, and then nothing has to be freed. */
int metrics_init(struct metrics *metrics, const struct plan *plan);
/* Fine on one that is all zero bytes, and twice. */
void metrics_deinit(struct metrics *metrics);

/* first, second: indices of the values of its labels; 0 where it has none. Of the unit `seconds`: nanoseconds. Not for histograms. */
void metrics_add(struct metrics *metrics, enum metric metric, size_t first, size_t second, uint64_t n);
void metrics_set(struct metrics *metrics, enum metric metric, size_t first, size_t second, uint64_t value);
uint64_t metrics_value(const struct metrics *metrics, enum metric metric, size_t first, size_t second);
/* Histograms only. */
void metrics_observe(struct metrics *metrics, enum metric metric, size_t first, uint64_t ns);
const struct metric_buckets *metrics_histogram(const struct metrics *metrics, enum metric metric, size_t first);

/* Latencies only: to be filled by whoever reads the workers' histograms. */
struct histogram *metrics_latency(const struct metrics *metrics, enum metric metric, size_t first);

/* What of a latency's buckets is told to everybody: those that end at powers of two, from 1.024 µs to 68.7 s. */
#define METRIC_LATENCY_BOUNDS 27u
static inline uint64_t metric_latency_bound_ns(unsigned i)
{
	return UINT64_C(1024) << i;
}

/* "counter", "gauge", "histogram"; a latency is a histogram. */
const char *metric_type_name(enum metric_type type);
/* "" for METRIC_LABEL_NONE. */
const char *metric_label_name(enum metric_label label);
/* How many values a label has; 1 for METRIC_LABEL_NONE. */
size_t metric_label_size(enum metric_label label, const struct plan *plan);
/* NULL: this index is no value of it, and is left out. "" for METRIC_LABEL_NONE. Of an edge: the stage that it comes from. */
const char *metric_label_value(enum metric_label label, const struct plan *plan, size_t index);

/* Appends all as one JSON object (docs/metrics.md). */
void metrics_format_json(const struct metrics *metrics, struct text *text);
/* Appends the tables of docs/metrics.md. */
void metrics_reference(struct text *text);
