/* SPDX-License-Identifier: Apache-2.0 */
/* The Prometheus text format (version 0.0.4), from a running pipeline's answer to "metrics". Pure. */
#pragma once

#include "common/base/text.h"

#define METRICS_E_BAD 1

/* Appends it. Returns 0, or METRICS_E_BAD if `json` is no such answer: then `text` is of no use. */
int metrics_format_text(const char *json, struct text *text);
