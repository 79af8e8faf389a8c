/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histograms of durations: 8 buckets for each power of two, so that the middle of a bucket is at most 1/16 (6.25 %) from
 * whatever fell into it. One writer (the slot's worker), any number of readers, no order between them: a reader's sums may lag.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/atomic.h"
#include "common/memory/segment.h"

enum histogram_id {
#define HISTOGRAM(id_, name_, summary_) HISTOGRAM_##id_,
#include "common/observe/histograms.def"
#undef HISTOGRAM
	HISTOGRAM_COUNT
};

struct histogram_line {
	const char *name, *summary;
};

/* HISTOGRAM_COUNT lines, static. */
extern const struct histogram_line histogram_lines[];

/* What was read, of one slot or of several together. Private memory. */
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t sum_ns;
};

#define HISTOGRAM_SUB_BITS 3u
/* From here on all falls into the last bucket: an hour and 13 minutes. */
#define HISTOGRAM_LIMIT_NS (UINT64_C(1) << 42)

/* Which bucket a duration falls into. */
static inline uint32_t histogram_bucket(uint64_t ns)
{
	uint32_t exponent;

	if (ns < 1u << HISTOGRAM_SUB_BITS)
		return (uint32_t)ns;
	if (ns >= HISTOGRAM_LIMIT_NS)
		return HISTOGRAM_BUCKETS - 1;
	exponent = 63u - (uint32_t)__builtin_clzll(ns);
	return ((exponent - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS) +
	       (uint32_t)(ns >> (exponent - HISTOGRAM_SUB_BITS));
}

/* The writer: n items took so long. Wait-free. */
static inline void histogram_add(struct segment_histogram *histogram, uint64_t ns, uint64_t n)
{
	atomic_u64 *count = &histogram->counts[histogram_bucket(ns)];

	store_relaxed(count, load_relaxed(count) + n);
	store_relaxed(&histogram->sum_ns, load_relaxed(&histogram->sum_ns) + ns * n);
}

/* The shortest duration of a bucket; for bucket HISTOGRAM_BUCKETS: HISTOGRAM_LIMIT_NS. */
uint64_t histogram_lower_ns(uint32_t bucket);
/* What stands for all of a bucket. */
uint64_t histogram_middle_ns(uint32_t bucket);

/* Adds what the slot's histogram says now to *sum. Any process that has its control pages mapped. */
void histogram_read(const struct segment *segment, enum histogram_id id, struct histogram *sum);
/* Items in all buckets. */
uint64_t histogram_count(const struct histogram *histogram);
/* Items that took less than so long, which has to be the begin of a bucket. */
uint64_t histogram_count_below(const struct histogram *histogram, uint64_t ns);
/* The duration that `permille` of a thousand items do not exceed, with the error above; 0 if there are none. permille: 0..1000. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, uint32_t permille);
