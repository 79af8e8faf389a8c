/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader of Prometheus' text format 0.0.4: stricter than Prometheus, which forgives much. Of each metric HELP, TYPE and all
 * samples in a row; names and escapes as they must be; no series twice; counters finite and not negative; histograms cumulative, with
 * +Inf, sum and count.
 */
#pragma once

#include <stddef.h>

/* NULL: it is well formed, and has so many samples. Else what is wrong, with the number of the line; static. */
const char *prometheus_check(const char *document, size_t *ret_samples);
