/* SPDX-License-Identifier: Apache-2.0 */
/* How fast each worker is now, from views taken one after the other. Pure: the time is an argument. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/cli/top_latency.h"
#include "broker/supervise/view.h"

#define TOP_UNKNOWN (-1.0) /* a speed, share or age that is not known */

struct top_speed {
	bool known; /* `items` is of the last view */
	uint64_t items;
	double per_second; /* TOP_UNKNOWN: there was no view before that one */
};

struct top_rates {
	uint64_t last_ns; /* of the last view; 0: none yet */
	double passed_s;  /* between the last two; 0: there was one only */
	uint32_t n_slots;
	struct top_speed *slots;
	struct top_speed accepted, delivered;
	struct top_latencies latencies; /* the caller updates them */
};
#define TOP_RATES_NULL       \
	{                    \
		.last_ns = 0 \
	}

/*
 * Compares with the view before, taken at last_ns. now_ns: when this one was taken, by the caller's clock. A view of the same moment is
 * left out. Slots may come and go.
 */
void top_rates_update(struct top_rates *rates, const struct view *view, uint64_t now_ns);
void top_rates_deinit(struct top_rates *rates);

/* Items a second: accepted by a source, taken by the others. TOP_UNKNOWN: of no worker of the stage. */
double top_rates_worker(const struct top_rates *rates, const struct view_worker *worker);
double top_rates_stage(const struct top_rates *rates, const struct view_stage *stage);
