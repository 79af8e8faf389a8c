/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics in the JSON of OTLP. Pure. */
#pragma once

#include <stdint.h>

#include "common/base/text.h"

/*
 * Appends an ExportMetricsServiceRequest of what a pipeline answers to `metrics`, as it stands at unix_ns. Returns 0; METRICS_E_BAD
 * (metrics_text.h): that is something else.
 */
int metrics_format_otlp(const char *json, uint64_t unix_ns, struct text *text);
