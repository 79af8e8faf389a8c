/* SPDX-License-Identifier: Apache-2.0 */
/* Speeds and the time left, smoothed over a few seconds, from views taken one after the other. Pure: time comes in the view. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/supervise/view.h"

/* A growing number and its smoothed speed. */
struct rate {
	double last, per_second;
	double age_s; /* seconds that per_second stands for; 0: it is not known yet */
};

struct rates {
	uint64_t last_ns; /* of the last view; 0: none yet */
	uint32_t n_stages;
	struct rate *stages; /* items */
	struct rate accepted, delivered;
	struct rate fraction; /* of finite input */
};
#define RATES_NULL \
	{          \
		0  \
	}

/* The first call makes room for the view's stages. Views closer than 10 ms to the last one are left out. */
void rates_update(struct rates *rates, const struct view *view);
void rates_deinit(struct rates *rates);

/* The next value of a smoothed speed; passed_s > 0. In the first seconds it is the mean since the start. */
void rate_update(struct rate *rate, double value, double passed_s);

/* How much of the input has been read, 0 to 1: the mean over the sources; negative unless all of them know. */
double view_fraction(const struct view *view);
/* Time left until the input is read, from the smoothed speed; UINT64_MAX: unknown. */
uint64_t rates_left_ns(const struct rates *rates, const struct view *view);
/* Items that a stage has had so far: accepted by a source, taken by the others. */
uint64_t view_stage_items(const struct view_stage *stage);
