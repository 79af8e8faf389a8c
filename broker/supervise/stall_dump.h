/* SPDX-License-Identifier: Apache-2.0 */
/* What each worker of a stage does, or waits for, stuck or not: `weir dump`. Pure. */
#pragma once

#include "broker/supervise/stall.h"
#include "common/base/text.h"

/* Appends a JSON object with those workers, n from `first` on: docs/control-protocol.md. since_ns: since when each does what it does. */
void stall_format_dump(const struct stall_topology *topology, const struct stall_snapshot *snapshot, const char *stage,
		       uint32_t first, uint32_t n, uint64_t now_ns, struct text *text);
