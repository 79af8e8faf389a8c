/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a drain gets on, so that systemd may be asked for more time. Pure: views in, a verdict out. The loop thread's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/spec/plan.h"
#include "broker/supervise/view.h"

struct drain_pace {
	uint64_t window_ns; /* so long a drain may stand still */
	uint64_t n_counted; /* as seen last: all terms of the ledgers of all stages */
	uint64_t deadline_ns;
	uint32_t n_live;
	const char *cause;
	bool seen;
};

/* The window is 45 s, and more where an item may take longer by its stage's own deadline. */
void drain_pace_begin(struct drain_pace *pace, const struct plan *plan);
/* Returns whether something has moved since the last call: an item, a worker's end, a rung of the ladder. The first one has. */
bool drain_pace_moves(struct drain_pace *pace, const struct view *view);
