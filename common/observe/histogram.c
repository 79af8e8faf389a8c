/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      ns      0 .. 7   8 .. 15   16 17 | 18 19 | ...   32 .. 35 | 36 .. 39 | ...
 *      bucket  0 .. 7   8 .. 15     16  |   17  | ...      24    |    25    | ...
 *
 * Up to 16 each number has its own bucket; then each power of two is cut into 8, whose width is at most an eighth of where they begin.
 */
#include "common/observe/histogram.h"

#include <assert.h>

#define SUB_BUCKETS (1u << HISTOGRAM_SUB_BITS)

static_assert(HISTOGRAM_COUNT <= HISTOGRAMS_MAX, "the histograms must fit the segment");
static_assert(HISTOGRAM_LIMIT_NS == UINT64_C(1) << (HISTOGRAM_BUCKETS / SUB_BUCKETS - 1 + HISTOGRAM_SUB_BITS),
	      "the buckets end where the limit says");

const struct histogram_line histogram_lines[] = {
#define HISTOGRAM(id_, name_, summary_) [HISTOGRAM_##id_] = { name_, summary_ },
#include "common/observe/histograms.def"
#undef HISTOGRAM
};

static uint64_t width_ns(uint32_t bucket)
{
	return bucket < SUB_BUCKETS ? 1 : UINT64_C(1) << (bucket / SUB_BUCKETS - 1);
}

uint64_t histogram_lower_ns(uint32_t bucket)
{
	return bucket < SUB_BUCKETS ? bucket : (SUB_BUCKETS + bucket % SUB_BUCKETS) * width_ns(bucket);
}

uint64_t histogram_middle_ns(uint32_t bucket)
{
	return histogram_lower_ns(bucket) + (width_ns(bucket) - 1) / 2;
}

void histogram_read(const struct segment *segment, enum histogram_id id, struct histogram *sum)
{
	const struct segment_histogram *from = &segment->observed->histograms[id];

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum->counts[i] += load_relaxed(&from->counts[i]);
	sum->sum_ns += load_relaxed(&from->sum_ns);
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		n += histogram->counts[i];
	return n;
}

uint64_t histogram_count_below(const struct histogram *histogram, uint64_t ns)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && histogram_lower_ns(i) < ns; i++)
		n += histogram->counts[i];
	return n;
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, uint32_t permille)
{
	uint64_t n = histogram_count(histogram), rank = n / 1000 * permille + (n % 1000 * permille + 999) / 1000;
	uint32_t bucket = 0;

	if (!n)
		return 0;
	for (uint64_t seen = histogram->counts[0]; seen < (rank ? rank : 1); seen += histogram->counts[bucket])
		bucket++;
	return histogram_middle_ns(bucket);
}
