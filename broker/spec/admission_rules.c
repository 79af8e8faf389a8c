/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of order, balance, full, capacity, in_flight and on_failure go together. What is refused here would either do
 * something else than it says, or wait for ever:
 *
 *              | fifo (workers > 1)      | key                     | capacity: 0           | in_flight > 1
 *   drop-old   | would tear runs         | fine                    | nothing lies there    | what is begun is no longer old
 *   degrade    | runs are bound to slots | keys are bound to slots | one slot has the item | the others can't see what is done
 *   in_flight  | completes in any order  | completes in any order  | one item at a time    |
 *   capacity 0 | a run is many items     | fine                    |                       |
 */
#include <string.h>

#include "broker/spec/reading.h"

static struct spec_position place(const struct stage_reading *stage, const struct plan_stage *planned, int key)
{
	return value_position(&stage->values[key], planned->position);
}

static const char *name_of(const struct plan_stage *stage)
{
	return stage->name ? stage->name : "?";
}

static bool is_fifo(const struct plan_stage *stage)
{
	return stage->order == PLAN_ORDER_FIFO && stage->workers > 1;
}

/* The keys that say how items come in: a source has none that do. For a program in frame mode in_flight is its credit. */
static void check_source(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	static const int keys[] = { STAGE_KEY_FULL, STAGE_KEY_CAPACITY, STAGE_KEY_IN_FLIGHT };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (stage->values[keys[i]].key && !stage->values[keys[i]].wrong &&
		    (keys[i] != STAGE_KEY_IN_FLIGHT || !plan_is_frame(planned)))
			reading_error(
				reading, stage->values[keys[i]].key->position, NULL,
				"'%s' says how a stage is fed, and a source is not: write it to the stage that reads",
				stage->values[keys[i]].key->value);
	if (stage->values[STAGE_KEY_BALANCE].option.number == HERITAGE_BALANCE_KEY)
		reading_error(
			reading, stage->values[STAGE_KEY_BALANCE].node->position, NULL,
			"'balance' says how a stage is fed, and a source is not: write it to the stage that reads");
}

/* Only a stage with produce() can complete an item later, and of the built-in kinds only programs in frame mode do. */
static void check_in_flight(struct reading *reading, const struct stage_reading *stage,
			    const struct plan_stage *planned)
{
	struct spec_position position = place(stage, planned, STAGE_KEY_IN_FLIGHT);

	bool defers = stage->descriptor->flags & WEIR_STAGE_DEFERS;

	if (planned->in_flight == 1 && defers)
		reading_error(
			reading, position, NULL,
			"in_flight: 1 is too few for %s, which puts its items aside: say 2 or more, or leave it out",
			planned->kind);
	if (planned->in_flight == 1)
		return;
	if (!stage->description && !plan_is_frame(planned) && !defers)
		reading_error(
			reading, position, NULL,
			"in_flight is for plugins that answer later, and for exec with mode: frame: %s completes each item before the next; use workers",
			planned->kind);
	else if (planned->order != PLAN_ORDER_NONE)
		reading_error(reading, position, "use workers, and leave in_flight at 1",
			      "in_flight: %u completes items in any order, and order: %s is asked for",
			      planned->in_flight, planned->order == PLAN_ORDER_FIFO ? "fifo" : "key");
	else if (planned->rendezvous)
		reading_error(reading, position, NULL,
			      "in_flight: %u with capacity: 0, which hands over one item at a time: drop one of them",
			      planned->in_flight);
	else if (planned->full == HERITAGE_FULL_DROP_OLD)
		reading_error(reading, place(stage, planned, STAGE_KEY_FULL), NULL,
			      "full: drop-old with in_flight: %u: the oldest item may be begun already; use drop-new",
			      planned->in_flight);
}

static void check_capacity(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	struct spec_position position = place(stage, planned, STAGE_KEY_CAPACITY);
	uint32_t producers = 0;

	if (!planned->rendezvous)
		return;
	if (planned->full != HERITAGE_FULL_BLOCK)
		reading_error(reading, place(stage, planned, STAGE_KEY_FULL), NULL,
			      "full: %s with capacity: 0, where the sender always waits: drop one of them",
			      stage->values[STAGE_KEY_FULL].node->value);
	if (is_fifo(planned))
		reading_error(
			reading, position, NULL,
			"capacity: 0 hands over single items, and order: fifo deals whole runs to %u workers: use workers: 1",
			planned->workers);
	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		const struct plan_stage *from = &reading->plan->stages[stage->inputs[i].from];

		producers += from->workers;
		if (is_fifo(from) && planned->workers == 1)
			reading_error(
				reading, position, NULL,
				"capacity: 0 hands over single items, and '%s' sends whole runs (order: fifo): put a stage between",
				name_of(from));
	}
	if (producers && producers < planned->workers && !is_fifo(planned))
		reading_warning(reading, position, NULL,
				"capacity: 0 keeps as many of the %u workers busy as there are senders: %u",
				planned->workers, producers);
}

static void check_full(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	struct spec_position position = place(stage, planned, STAGE_KEY_FULL);

	if (planned->full != HERITAGE_FULL_DROP_OLD)
		return;
	if (planned->balance == HERITAGE_BALANCE_KEY)
		reading_error(reading, position, NULL, "full: drop-old does not go with balance: key: use drop-new");
	if (planned->degrade)
		reading_error(reading, position, NULL,
			      "full: drop-old does not go with on_failure: degrade: use drop-new");
	if (is_fifo(planned)) {
		reading_error(
			reading, position, NULL,
			"full: drop-old would tear the runs that order: fifo deals to %u workers: use drop-new, or workers: 1",
			planned->workers);
		return;
	}
	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		const struct plan_stage *from = &reading->plan->stages[stage->inputs[i].from];

		if (is_fifo(from) && planned->workers == 1)
			reading_error(reading, position, NULL,
				      "full: drop-old would tear the runs that '%s' sends (order: fifo): use drop-new",
				      name_of(from));
	}
}

static void check_key(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	if (planned->balance == HERITAGE_BALANCE_KEY && is_fifo(planned))
		reading_error(reading, place(stage, planned, STAGE_KEY_BALANCE),
			      "for the order within each key: order: key",
			      "balance: key with order: fifo, which deals the next run to whoever has room");
	if (planned->order != PLAN_ORDER_KEY || planned->workers == 1 || stage->values[STAGE_KEY_BALANCE].wrong)
		return;
	if (planned->balance != HERITAGE_BALANCE_KEY) {
		reading_error(reading, place(stage, planned, STAGE_KEY_ORDER),
			      "which part of an item is the key? balance: key(.customer)",
			      "order: key with %u workers wants balance: key(EXPR)", planned->workers);
		return;
	}
	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		const struct plan_stage *from = &reading->plan->stages[stage->inputs[i].from];

		if (from->workers == 1)
			continue;
		if (from->order != PLAN_ORDER_KEY)
			reading_error(reading, place(stage, planned, STAGE_KEY_ORDER), NULL,
				      "order: key has no order to keep: '%s' has %u workers and no 'order: key' itself",
				      name_of(from), from->workers);
		else if (from->balance_key && strcmp(from->balance_key, planned->balance_key) != 0)
			reading_warning(
				reading, place(stage, planned, STAGE_KEY_BALANCE), NULL,
				"'%s' keeps the order of key(%s): only items that are equal in that too stay in order here",
				name_of(from), from->balance_key);
	}
}

/* Where an order that was asked for ends before the end of the pipeline, somebody should know. */
static void check_order_lost(struct reading *reading, const struct stage_reading *stage,
			     const struct plan_stage *planned)
{
	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		const struct plan_stage *from = &reading->plan->stages[stage->inputs[i].from];

		if (stage->inputs[i].credit)
			continue;
		if (from->order == PLAN_ORDER_KEY && planned->workers > 1 && planned->order != PLAN_ORDER_KEY &&
		    planned->balance != HERITAGE_BALANCE_KEY)
			reading_warning(reading, place(stage, planned, STAGE_KEY_WORKERS),
					"to keep it: balance: key(...) and order: key here too",
					"the order that '%s' keeps for each key ends at the %u workers of '%s'",
					name_of(from), planned->workers, name_of(planned));
		if (from->in_flight > 1 && is_fifo(planned))
			reading_warning(reading, place(stage, planned, STAGE_KEY_ORDER), NULL,
					"the order kept is that in which '%s' completes items (in_flight: %u)",
					name_of(from), from->in_flight);
	}
}

static void check_degrade(struct reading *reading, const struct stage_reading *stage, const struct plan_stage *planned)
{
	struct spec_position position = place(stage, planned, STAGE_KEY_ON_FAILURE);

	if (!planned->degrade)
		return;
	if (planned->workers == 1)
		reading_error(
			reading, position, NULL,
			"on_failure: degrade goes on with the other workers, and there is one only: use workers: 2 or more");
	else if (planned->order != PLAN_ORDER_NONE)
		reading_error(reading, position, NULL,
			      "on_failure: degrade hands the items of a lost worker to others, which order: %s forbids",
			      planned->order == PLAN_ORDER_FIFO ? "fifo" : "key");
	else if (planned->balance == HERITAGE_BALANCE_KEY)
		reading_error(
			reading, position, NULL,
			"on_failure: degrade hands the items of a lost worker to others, which balance: key forbids");
	else if (planned->rendezvous)
		reading_error(
			reading, position, NULL,
			"on_failure: degrade with capacity: 0: the sender waits for the worker that is lost; drop one of them");
	else if (planned->in_flight > 1)
		reading_error(
			reading, position, NULL,
			"on_failure: degrade with in_flight: %u: others would repeat what the lost worker has completed out of order; drop one of them",
			planned->in_flight);
}

void reading_admission_rules(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];

	if (stage->descriptor->role == WEIR_SOURCE) {
		check_source(reading, stage, planned);
		return;
	}
	check_in_flight(reading, stage, planned);
	check_capacity(reading, stage, planned);
	check_full(reading, stage, planned);
	check_key(reading, stage, planned);
	check_order_lost(reading, stage, planned);
	check_degrade(reading, stage, planned);
}
