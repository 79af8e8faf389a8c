/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/cli/top_rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/json_read.h"
#include "broker/cli/live.h"
#include "common/base/clock.h"
#include "common/base/must.h"

static const char *const sort_names[] = {
#define TOP_SORT(id_, name_, summary_) name_,
#include "broker/cli/top_sort.def"
#undef TOP_SORT
};

const char *top_sort_name(enum top_sort sort)
{
	return sort_names[sort];
}

enum top_sort top_sort_find(const char *name)
{
	enum top_sort sort = 0;

	while (sort < TOP_SORT_COUNT && strcmp(sort_names[sort], name) != 0)
		sort++;
	return sort;
}

/* ---- who is stuck ---- */

static bool is_worker(struct fy_node *node, const char *stage, uint32_t index)
{
	return *json_string(node, "index") && strcmp(json_string(node, "stage"), stage) == 0 &&
	       strtoul(json_string(node, "index"), NULL, 10) == index;
}

static bool is_in_cycle(struct fy_node *finding, const char *stage, uint32_t index)
{
	struct fy_node *chain = json_get(finding, "chain"), *node;
	void *at = NULL;

	if (strcmp(json_string(finding, "kind"), "cycle") != 0 || !chain || !fy_node_is_sequence(chain))
		return false;
	while ((node = fy_node_sequence_iterate(chain, &at)))
		if (is_worker(node, stage, index))
			return true;
	return false;
}

const char *top_stuck(struct fy_node *why, const char *stage, uint32_t index, double *ret_seconds)
{
	struct fy_node *findings = json_get(why, "findings"), *finding;
	void *at = NULL;

	*ret_seconds = TOP_UNKNOWN;
	while (findings && fy_node_is_sequence(findings) && (finding = fy_node_sequence_iterate(findings, &at))) {
		if (!is_worker(json_get(finding, "culprit"), stage, index) && !is_in_cycle(finding, stage, index))
			continue;
		*ret_seconds = strtod(json_string(finding, "seconds"), NULL);
		return json_string(finding, "sentence");
	}
	return NULL;
}

/* ---- lines ---- */

static void set_state(struct top_row *row, const char *state)
{
	snprintf(row->state, sizeof(row->state), "%s", row->stuck ? "stuck" : state);
	for (char *c = row->state; *c; c++)
		*c = (char)toupper((unsigned char)*c);
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)(part < whole ? part : whole) / (double)whole : TOP_UNKNOWN;
}

static double age(const struct view *view, const struct view_worker *worker)
{
	return worker->state_since_ns && worker->state_since_ns <= view->now_ns ?
		       (double)(view->now_ns - worker->state_since_ns) / (double)NS_PER_S :
		       TOP_UNKNOWN;
}

static void set_worker(struct top_row *row, const struct view *view, const struct view_stage *stage, uint32_t number,
		       const struct top_rates *rates, struct fy_node *why)
{
	const struct view_worker *worker = &stage->workers[number];
	double stuck_s;

	*row = (struct top_row){ .number = number,
				 .stage = stage,
				 .worker = worker,
				 .stuck = top_stuck(why, stage->name, worker->index, &stuck_s),
				 .per_second = top_rates_worker(rates, worker),
				 .p50_s = TOP_UNKNOWN,
				 .p99_s = TOP_UNKNOWN,
				 .fill = share(worker->queue_bytes, worker->queue_capacity_bytes),
				 .ahead = share(worker->ahead_bytes, worker->ahead_capacity_bytes) };
	row->age_s = row->stuck ? stuck_s : age(view, worker);
	set_state(row, worker->state);
}

/* The stage's state is that of the worker to look at first, and its age the longest of those who are in it. */
static void set_stage(struct top_row *row, const struct view *view, uint32_t number, const struct top_rates *rates,
		      struct fy_node *why)
{
	const struct view_stage *stage = &view->stages[number];
	const char *state = live_stage_state(stage);
	uint64_t ahead_bytes = 0, ahead_capacity_bytes = 0;

	*row = (struct top_row){ .number = number,
				 .stage = stage,
				 .per_second = top_rates_stage(rates, stage),
				 .p50_s = top_latency(&rates->latencies, stage->name, 0.5),
				 .p99_s = top_latency(&rates->latencies, stage->name, 0.99),
				 .fill = share(stage->queue_bytes, stage->queue_capacity_bytes),
				 .age_s = TOP_UNKNOWN };
	for (uint32_t i = 0; i < stage->n_workers; i++) {
		struct top_row one;

		set_worker(&one, view, stage, i, rates, why);
		ahead_bytes += stage->workers[i].ahead_bytes;
		ahead_capacity_bytes += stage->workers[i].ahead_capacity_bytes;
		if (one.stuck && !row->stuck) {
			row->stuck = one.stuck;
			row->age_s = one.age_s;
		}
		if (!row->stuck && strcmp(stage->workers[i].state, state) == 0 && one.age_s > row->age_s)
			row->age_s = one.age_s;
	}
	row->ahead = share(ahead_bytes, ahead_capacity_bytes);
	set_state(row, state);
}

/* ---- order ---- */

static double rank_of(const struct top_row *row)
{
	static const char *const first[] = { "STUCK",    "LOST",     "STOPPING", "RESTARTING", "DEAD",
					     "STARTING", "WAIT-OUT", "WAIT-EXT", "BUSY" };
	size_t i = 0;

	while (i < sizeof(first) / sizeof(first[0]) && strcmp(first[i], row->state) != 0)
		i++;
	return -(double)i;
}

/* What is larger comes first. */
static double key_of(const struct top_row *row, enum top_sort sort)
{
	switch (sort) {
	case TOP_SORT_STATE:
		return rank_of(row);
	case TOP_SORT_RATE:
		return row->per_second;
	case TOP_SORT_P99:
		return row->p99_s;
	case TOP_SORT_FILL:
		return row->fill;
	case TOP_SORT_AGE:
		return row->age_s;
	case TOP_SORT_ORDER:
	case TOP_SORT_COUNT:
		break;
	}
	return 0;
}

struct order {
	enum top_sort sort;
	bool reverse;
};

static int compare(const void *a, const void *b, void *data)
{
	const struct top_row *row = a, *other = b;
	const struct order *order = data;
	double difference = key_of(row, order->sort) - key_of(other, order->sort);

	if (difference < 0 || difference > 0)
		return (difference > 0) != order->reverse ? -1 : 1;
	/* As in the spec among equals; only who asks for that order can have it the other way round. */
	return (row->number < other->number) != (order->reverse && order->sort == TOP_SORT_ORDER) ? -1 : 1;
}

static struct top_row *new_rows(uint32_t n)
{
	struct top_row *rows = calloc(n ? n : 1, sizeof(*rows));

	must(rows);
	return rows;
}

size_t top_rows_stages(const struct view *view, const struct top_rates *rates, struct fy_node *why, enum top_sort sort,
		       bool reverse, struct top_row **ret_rows)
{
	struct order order = { sort, reverse };

	*ret_rows = new_rows(view->n_stages);
	for (uint32_t i = 0; i < view->n_stages; i++)
		set_stage(&(*ret_rows)[i], view, i, rates, why);
	qsort_r(*ret_rows, view->n_stages, sizeof(**ret_rows), compare, &order);
	return view->n_stages;
}

size_t top_rows_workers(const struct view *view, const struct view_stage *stage, const struct top_rates *rates,
			struct fy_node *why, enum top_sort sort, bool reverse, struct top_row **ret_rows)
{
	struct order order = { sort, reverse };

	*ret_rows = new_rows(stage->n_workers);
	for (uint32_t i = 0; i < stage->n_workers; i++)
		set_worker(&(*ret_rows)[i], view, stage, i, rates, why);
	qsort_r(*ret_rows, stage->n_workers, sizeof(**ret_rows), compare, &order);
	return stage->n_workers;
}
