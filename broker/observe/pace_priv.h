/* SPDX-License-Identifier: Apache-2.0 */
/* What pace_sum.c, pace_find.c and pace_trouble.c share: two views made into numbers, and the findings so far. */
#pragma once

#include <weir/stage.h>

#include "broker/observe/pace.h"
#include "common/base/clock.h"

/* A share of the time from which on it counts. */
#define PACE_PRESSED 0.3   /* producers wait for room */
#define PACE_IDLE 0.3      /* a stage that has so much time to spare is not what others wait for */
#define PACE_FULL_TIME 0.7 /* a worker that has no time to spare, to speak of */
#define PACE_STARVED 0.3

struct pace_worker_sum {
	bool counts;
	double doing[PACE_DOING_COUNT], own, starved; /* own: all that is neither waiting for items nor for room */
	double passed_over;  /* of the time: it wants an item, and in one of its lanes lies one */
	double filled_bytes; /* in its lanes, on the mean */
	uint64_t ledger[LEDGER_COUNT], n_through;
	double item_ns,
		service_ns; /* measured, 0: not known; time of its own for each item, 0: it was through with none */
	double program_ran, program_stopped, program_reads;
};
struct pace_stage_sum {
	uint32_t n_workers; /* that count */
	double doing[PACE_DOING_COUNT], own, starved, passed_over;
	uint64_t ledger[LEDGER_COUNT], n_through;
	double item_ns, pressure; /* of the edge that presses most */
	uint32_t pressed_edge;    /* PACE_NONE: none leads to it */
};
struct pace_sum {
	const struct catalog *catalog;
	const struct pace_view *before, *after;
	double seconds;
	struct pace_worker_sum *workers;
	struct pace_stage_sum *stages;
	double *pressures; /* by edge: of its producers the share of the time in which the one that waits most waits for room */
	struct pace_finding *findings;
	size_t n_findings;
};

void pace_sum_init(struct pace_sum *sum, const struct catalog *catalog, const struct pace_view *before,
		   const struct pace_view *after, struct pace_finding *findings);
void pace_sum_deinit(struct pace_sum *sum);

static inline const char *pace_stage_name(const struct catalog *catalog, uint32_t stage)
{
	return catalog_string(catalog, catalog->stages[stage].name);
}
bool pace_is_kind(const struct catalog *catalog, uint32_t stage, const char *kind);
/* Of the looks between the views, the share in which `count` has grown; 0 if there were none. */
double pace_share(uint32_t before, uint32_t after, uint32_t looks_before, uint32_t looks_after);
/* Bytes that went into an edge between the views. */
uint64_t pace_edge_bytes(const struct pace_sum *sum, uint32_t edge);

/* A finding with the numbers of its stage, or of one worker; NULL: there are too many. */
struct pace_finding *pace_add(struct pace_sum *sum, enum pace_kind kind, uint32_t stage, uint32_t worker);
/* Is the stage a culprit already? */
bool pace_is_found(const struct pace_sum *sum, uint32_t stage);

/* Deaths, changes of size, partners that do not answer. */
void pace_find_trouble(struct pace_sum *sum);
/* Items that were lost on the way. */
void pace_find_losses(struct pace_sum *sum);
