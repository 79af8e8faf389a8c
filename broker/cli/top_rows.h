/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of `weir top`: stages, or the workers of one, with what is known of each, sorted. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/cli/top_rates.h"
#include "broker/supervise/view.h"

struct fy_node;

enum top_sort {
#define TOP_SORT(id_, name_, summary_) TOP_SORT_##id_,
#include "broker/cli/top_sort.def"
#undef TOP_SORT
	TOP_SORT_COUNT
};
const char *top_sort_name(enum top_sort sort);
/* TOP_SORT_COUNT: there is none of that name. */
enum top_sort top_sort_find(const char *name);

#define TOP_STATE_SIZE 24
struct top_row {
	uint32_t number; /* of the stage in the view, or of the worker in its stage's list */
	const struct view_stage *stage;
	const struct view_worker *worker; /* NULL: the stage as a whole */
	char state[TOP_STATE_SIZE];       /* "WAIT-IN", "WAIT-OUT", "BUSY", "STUCK", and the others in capitals, too */
	const char *stuck;                /* why, a sentence that belongs to the answer; NULL: it is not */
	double per_second, p50_s, p99_s;  /* TOP_UNKNOWN */
	double fill, ahead; /* of its input lanes, of its output lanes, 0 to 1; TOP_UNKNOWN: it has none */
	double age_s;       /* in that state */
};

/*
 * Why the worker is stuck, by the answer to "why", and since when; NULL: it is not, or `why` is NULL. Of a deadlock all who are in its
 * cycle are stuck. The sentence belongs to the answer.
 */
const char *top_stuck(struct fy_node *why, const char *stage, uint32_t index, double *ret_seconds);

/* A line for each stage; the caller frees them. */
size_t top_rows_stages(const struct view *view, const struct top_rates *rates, struct fy_node *why, enum top_sort sort,
		       bool reverse, struct top_row **ret_rows);
/* A line for each worker of a stage. */
size_t top_rows_workers(const struct view *view, const struct view_stage *stage, const struct top_rates *rates,
			struct fy_node *why, enum top_sort sort, bool reverse, struct top_row **ret_rows);
