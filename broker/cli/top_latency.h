/* SPDX-License-Identifier: Apache-2.0 */
/* How long items take in a stage now, from answers to "metrics" taken one after the other. */
#pragma once

struct fy_document;

/* Owned; NULL: there was no such answer. */
struct top_latencies {
	struct fy_document *before, *last;
};

/* Takes an answer over, NULL if there was none: then nothing is known until there are two again. */
void top_latencies_update(struct top_latencies *latencies, struct fy_document *metrics);
void top_latencies_deinit(struct top_latencies *latencies);

/*
 * The quantile (0 to 1), in seconds, of what weir_processing_seconds says of the items that the stage was through with between the last two
 * answers; with one answer, of all. TOP_UNKNOWN: of none, or the numbers have shrunk (another run).
 */
double top_latency(const struct top_latencies *latencies, const char *stage, double quantile);
