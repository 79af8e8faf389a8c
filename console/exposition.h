/* SPDX-License-Identifier: Apache-2.0 */
/* What is scraped: the supervisor's metrics as they are, and what the console reads from segments itself (segment_metric.def). */
#pragma once

#include <stdint.h>

#include "broker/observe/observer.h"

/*
 * Appends, in Prometheus' text format, what an observer sees; metrics that are in `known` (an exposition, too; "") already are left out.
 * The observer is held meanwhile.
 */
void exposition_of_segments(const struct observer *observer, const char *known, struct text *text);
