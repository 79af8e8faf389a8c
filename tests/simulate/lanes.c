/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in the slots' memory: lanes, cursors, commit records, and the ledger, which moves with them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/must.h"
#include "tests/simulate/world.h"

uint32_t item_new(struct world *world, uint32_t poisons, uint32_t stalls, uint32_t serial)
{
	if (world->n_items_ever == world->items_size) {
		world->items_size = world->items_size ? 2 * world->items_size : 256;
		world->items = reallocarray(world->items, world->items_size, sizeof(*world->items));
		must(world->items);
	}
	world->items[world->n_items_ever] = (struct item){ .poisons = poisons, .stalls = stalls, .serial = serial };
	return world->n_items_ever++;
}

void lane_put(struct world *world, uint32_t number, uint32_t item)
{
	struct lane *lane = &world->lanes[number];

	if (lane->closed != OPEN)
		world_break(world, "an item comes on lane %u, which is closed", number);
	if (lane->n == lane->size) {
		lane->size = lane->size ? 2 * lane->size : 8;
		lane->items = reallocarray(lane->items, lane->size, sizeof(*lane->items));
		must(lane->items);
	}
	lane->items[lane->n++] = item;
}

static void lane_drop_oldest(struct lane *lane)
{
	memmove(lane->items, lane->items + 1, --lane->n * sizeof(*lane->items));
}

/* Another lane of the same producer and edge, whose reader can still take: where what waits for a retired one goes. */
static uint32_t lane_beside(const struct world *world, uint32_t number)
{
	const struct lane *lane = &world->lanes[number];

	for (uint32_t i = 0; i < world->n_lanes; i++) {
		const struct lane *other = &world->lanes[i];

		if (i != number && other->edge == lane->edge && other->producer == lane->producer &&
		    other->closed == OPEN && world->dealings[other->consumer] == DEALING_DEALT &&
		    !world->memories[other->consumer].retired &&
		    !seat_state_over(world->lifecycle.lives[other->consumer].state))
			return i;
	}
	return NO_LANE;
}

/* Makes the outputs of the record visible. */
static void apply_outputs(struct world *world, uint32_t seat)
{
	struct memory *memory = &world->memories[seat];
	const struct record *record = &memory->record;
	uint32_t poisons = STAGES_MAX, stalls = STAGES_MAX, serial = memory->cursor;
	uint32_t *passed_on;

	if (record->input == NO_LANE) {
		passed_on = &memory->passed_on[memory->cursor];
		if (chance_of(&world->chance, world->faults.poison))
			poisons = chance_below(&world->chance, world->plan.n_stages);
		if (chance_of(&world->chance, world->faults.stall))
			stalls = chance_below(&world->chance, world->plan.n_stages);
	} else {
		poisons = world->items[record->item].poisons;
		stalls = world->items[record->item].stalls;
		serial = world->items[record->item].serial;
		passed_on = &world->items[record->item].passed_on;
	}
	for (uint32_t i = 0; i < record->n_outputs; i++) {
		uint32_t lane = record->outputs[i], edge = world->lanes[lane].edge, other;

		if (*passed_on & 1u << edge)
			world_break(world, "seat %u hands on the same item twice on edge %u", seat, edge);
		*passed_on |= 1u << edge;
		if (world->memories[world->lanes[lane].consumer].retired &&
		    (other = lane_beside(world, lane)) != NO_LANE)
			lane = other;
		other = item_new(world, poisons, stalls, serial); /* moves world->items */
		if (record->input != NO_LANE)
			passed_on = &world->items[record->item].passed_on;
		lane_put(world, lane, other);
		memory->ledger[LEDGER_EMITTED]++;
		worker_wake(world, world->lanes[lane].consumer);
	}
}

void record_apply_half(struct world *world, uint32_t seat)
{
	apply_outputs(world, seat);
	world->memories[seat].record.committed = false;
	world->memories[seat].hand = NO_ITEM;
}

/* One source seat, then this stage by key, or one worker behind such a stage: the items of a key come as they were given. */
static bool keeps_order_of_keys(const struct world *world, const struct plan_edge *edge)
{
	const struct plan_stage *to = &world->stages[edge->to], *from = &world->stages[edge->from];

	if (world->lifecycle.stages[edge->to].abandoned || world->lifecycle.stages[edge->from].abandoned)
		return false;
	if (from->role == WEIR_SOURCE)
		return from->workers == 1 && to->balance == HERITAGE_BALANCE_KEY && to->n_inputs == 1;
	return to->workers == 1 && from->workers > 1 && from->n_inputs == 1 &&
	       keeps_order_of_keys(world, &world->edges[from->inputs[0]]);
}

static void check_order(struct world *world, uint32_t number, uint32_t item)
{
	uint32_t serial = world->items[item].serial, *before = &world->taken_before[number][serial % KEYS];

	if (!keeps_order_of_keys(world, &world->edges[number]))
		return;
	if (serial < *before)
		world_break(world, "on edge %u item %u of key %u is taken after item %u", number, serial, serial % KEYS,
			    *before - 1);
	*before = serial + 1;
}

void record_apply(struct world *world, uint32_t seat)
{
	struct memory *memory = &world->memories[seat];
	const struct record *record = &memory->record;

	apply_outputs(world, seat);
	if (record->input == NO_LANE) {
		memory->cursor++;
	} else {
		struct lane *lane = &world->lanes[record->input];

		if (!lane->n || lane->items[0] != record->item || world->items[record->item].taken)
			world_break(world, "seat %u takes item %u twice", seat, record->item);
		else
			lane_drop_oldest(lane);
		check_order(world, lane->edge, record->item);
		world->items[record->item].taken = true;
		memory->ledger[LEDGER_TAKEN]++;
		memory->ledger[record->fate]++;
		worker_wake(world, lane->producer);
	}
	memory->record.committed = false;
	memory->hand = NO_ITEM;
}

void lanes_close(struct world *world, uint32_t seat, bool lost)
{
	for (uint32_t i = 0; i < world->n_lanes; i++) {
		struct lane *lane = &world->lanes[i];

		if (lane->producer != seat || lane->closed != OPEN)
			continue;
		lane->closed = lost ? LOST : CLOSED;
		worker_wake(world, lane->consumer);
	}
}

/* A producer that is gone for good moves nothing: what it gave stays, and is counted as left. */
void lanes_move(struct world *world, uint32_t seat)
{
	for (uint32_t i = 0; i < world->n_lanes; i++) {
		struct lane *lane = &world->lanes[i];
		uint32_t other = lane->consumer == seat && lane->n ? lane_beside(world, i) : NO_LANE;

		if (other == NO_LANE)
			continue;
		while (lane->n) {
			uint32_t item = lane->items[0];

			lane_drop_oldest(lane);
			world->items[item].attempts = 0;
			lane_put(world, other, item);
		}
		worker_wake(world, world->lanes[other].consumer);
	}
}

uint64_t lanes_sum(const struct world *world)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < world->n_lanes; i++)
		n += world->lanes[i].n;
	return n;
}

uint64_t lanes_before(const struct world *world, uint32_t seat)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < world->n_lanes; i++)
		n += world->lanes[i].consumer == seat ? world->lanes[i].n : 0;
	return n;
}
