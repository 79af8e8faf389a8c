/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many workers a stage has: `workers: 4`, or a map.
 *
 *      workers: {min: 1, max: 8, start: 2}
 *
 *      slots    0   1   2   3   4   5   6   7       max: their place in memory, and all lanes
 *      workers  0   1                               start: they sit there at first; the others' seats rest, and have no pages
 *               0                                   min: fewer than that it never has
 *
 * The map's number goes by the load, unless its target_age is 0: broker/supervise/autoscale.h.
 *
 * `workers: N` is the same as {min: 1, max: N, start: N, target_age: 0}, if their number can change at all. It can't where what one of
 * them has done, or is to do, can be done by no other: then the map is an error, and `weir scale` says the same sentence. An order can be
 * kept (broker/lifecycle/scale.c); what a stage remembers can't be moved.
 */
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/reading.h"
#include "common/base/clock.h"

#define TARGET_AGE_NS (100 * NS_PER_MS)
#define COOL_DOWN_NS (10 * NS_PER_S)

static uint32_t count_of(const struct spec_value *value, uint32_t otherwise)
{
	return (uint32_t)value_number(value, otherwise);
}

/* The map's values are right each, and may not go together. */
static void check_bounds(struct reading *reading, const struct spec_value *values, const struct plan_stage *planned,
			 uint32_t n_at_first)
{
	const struct spec_value *start = &values[WORKERS_KEY_START];

	if (values[WORKERS_KEY_MIN].wrong || values[WORKERS_KEY_MAX].wrong || start->wrong)
		return;
	if (planned->workers_min > planned->workers)
		reading_error(reading, value_position(&values[WORKERS_KEY_MIN], planned->position), NULL,
			      "min %u is more than max, %u", planned->workers_min, planned->workers);
	else if (n_at_first < planned->workers_min || n_at_first > planned->workers)
		reading_error(reading, value_position(start, planned->position), NULL,
			      "start %u is not within min and max: expected %u to %u", n_at_first, planned->workers_min,
			      planned->workers);
}

static void read_map(struct reading *reading, const struct yaml_node *map, struct plan_stage *planned)
{
	struct spec_value values[KEYS_MAX] = { 0 };
	uint32_t n_at_first;

	values_read(reading, &keys_workers, map, NULL, false, values);
	planned->workers = count_of(&values[WORKERS_KEY_MAX], 1);
	planned->workers_min = count_of(&values[WORKERS_KEY_MIN], 1);
	n_at_first = count_of(&values[WORKERS_KEY_START], planned->workers_min);
	planned->target_age_ns = (uint64_t)value_number(&values[WORKERS_KEY_TARGET_AGE], TARGET_AGE_NS);
	if (planned->target_age_ns)
		planned->cool_down_ns = (uint64_t)value_number(&values[WORKERS_KEY_COOL_DOWN], COOL_DOWN_NS);
	check_bounds(reading, values, planned, n_at_first);
	planned->workers_resting = n_at_first < planned->workers ? planned->workers - n_at_first : 0;
	values_deinit(values, keys_workers.n);
}

void reading_workers(struct reading *reading, const struct spec_value *value, struct plan_stage *planned)
{
	if (value->node && value->node->kind == YAML_MAP && !value->wrong) {
		read_map(reading, value->node, planned);
		return;
	}
	planned->workers = count_of(value, 1);
	planned->workers_min = 1;
}

/* ---- whose number can't change ---- */

static bool is_exec_operator(const struct plan_stage *stage)
{
	return stage->role == WEIR_OPERATOR && !stage->plugin && strcmp(stage->kind, "exec") == 0;
}

static bool is_behind_ordered(const struct plan *plan, const struct plan_stage *stage)
{
	for (uint32_t i = 0; i < stage->n_inputs; i++)
		if (plan->edges[stage->inputs[i]].order == HERITAGE_ORDER_KEEP)
			return stage->workers > 1;
	return false;
}

static bool is_on_loop(const struct plan *plan, uint32_t stage)
{
	bool found = false;

	for (uint32_t i = 0; !found && i < plan->n_stages; i++) {
		uint32_t *stages, n;
		int r = plan_loop(plan, i, &stages, &n);

		must(r == 0);
		found = n && i == stage;
		for (uint32_t j = 0; j < n; j++)
			found = found || stages[j] == stage;
		free(stages);
	}
	return found;
}

/* NULL: none. What comes first is what a person can change least. */
static const char *why_unscalable(const struct plan *plan, uint32_t number)
{
	const struct plan_stage *stage = &plan->stages[number];

	if (stage->role == WEIR_SOURCE)
		return "a source has one worker";
	if (stage->workers == 1)
		return "it has one worker, and place for no other: workers: {min: 1, max: 8}";
	if (stage->state_bytes)
		return "it remembers by key, and what one worker remembers can't be moved to another";
	if (stage->role == WEIR_OPERATOR && !is_exec_operator(stage) && (stage->cursor_size_bytes || stage->n_spools))
		return "it keeps items or numbers in each worker, which no other worker can take over";
	if (is_behind_ordered(plan, stage))
		return "it is ordered, behind a stage that is ordered: which of its workers a run goes to is fixed by the run's number";
	if (is_on_loop(plan, number))
		return "it is part of a loop";
	if (stage->balance == HERITAGE_BALANCE_KEY && stage->full != HERITAGE_FULL_BLOCK)
		return "balance: key with full: other than block: while its items are dealt anew, those that come would be dropped or refused";
	return NULL;
}

void reading_scale_rules(struct reading *reading)
{
	struct plan *plan = reading->plan;

	for (uint32_t i = 0; i < plan->n_stages; i++) {
		struct plan_stage *stage = &plan->stages[i];
		const struct spec_value *value = &reading->stages[i].values[STAGE_KEY_WORKERS];
		bool map = value->node && value->node->kind == YAML_MAP;

		stage->unscalable = why_unscalable(plan, i);
		if (stage->unscalable && map && stage->workers_min < stage->workers)
			reading_error(reading, value_position(value, stage->position), "a fixed number: workers: 4",
				      "the number of workers of '%s' can't change while it runs: %s", stage->name,
				      stage->unscalable);
		if (stage->unscalable)
			stage->workers_min = stage->workers - stage->workers_resting;
	}
}
