/* SPDX-License-Identifier: Apache-2.0 */
/* What broker/supervise does with an action, done to the modelled world. */
#include "tests/simulate/world.h"

static void answer(struct world *world, struct event event)
{
	world->answers[world->n_answers++] = event;
}

static struct memory_facts facts_of(const struct world *world, uint32_t seat)
{
	struct memory_facts facts = { .closed = world->stages[world->slots[seat].stage].role == WEIR_SOURCE &&
						world->memories[seat].finished,
				      .idle = !lanes_before(world, seat) };

	for (uint32_t i = 0; i < world->n_lanes; i++)
		facts.cut_off |= world->lanes[i].consumer == seat && world->lanes[i].closed == LOST &&
				 world->lifecycle.stages[world->slots[world->lanes[i].producer].stage].abandoned;
	return facts;
}

static void spawn(struct world *world, uint32_t seat)
{
	if (!chance_of(&world->chance, world->faults.fork)) {
		worker_spawn(world, seat);
		answer(world, (struct event){ .kind = EVENT_SPAWNED, .seat = seat });
		return;
	}
	answer(world, (struct event){ .kind = EVENT_SPAWN_FAILED,
				      .seat = seat,
				      .error = 11,
				      .memory = facts_of(world, seat),
				      .chance = (uint32_t)chance_next(&world->chance) });
}

static void blame(struct world *world, uint32_t seat, uint32_t item)
{
	if (item == NO_ITEM || world->items[item].taken)
		return;
	world->items[item].attempts++;
	world->memories[seat].n_blamed++;
}

static void repair(struct world *world, uint32_t seat)
{
	const struct overrun *overrun = &world->workers[seat].overrun;
	struct memory *memory = &world->memories[seat];
	struct event event = { .kind = EVENT_REPAIRED, .seat = seat };

	if (chance_of(&world->chance, world->faults.senseless)) {
		memory->senseless = true;
		event.repair = REPAIR_SENSELESS;
	} else {
		world->silent = true; /* who is to be woken is for RING to say */
		if (memory->record.committed)
			record_apply(world, seat);
		world->silent = false;
		if (overrun->known) /* this one, and no other */
			blame(world, seat, overrun->item);
		else if (!world->lifecycle.lives[seat].stopped)
			blame(world, seat, memory->hand);
		memory->hand = NO_ITEM;
	}
	answer(world, event);
}

static void ring(struct world *world, uint32_t seat)
{
	for (uint32_t i = 0; i < world->n_lanes; i++) {
		if (world->lanes[i].producer == seat)
			worker_wake(world, world->lanes[i].consumer);
		if (world->lanes[i].consumer == seat)
			worker_wake(world, world->lanes[i].producer);
	}
}

static void retire(struct world *world, uint32_t seat)
{
	bool done = !chance_of(&world->chance, world->faults.senseless);

	if (done) {
		lanes_close(world, seat, false);
		world->memories[seat].retired = true;
		lanes_move(world, seat);
	}
	answer(world, (struct event){ .kind = EVENT_RETIRED, .seat = seat, .done = done });
}

static void order(struct world *world, uint32_t order)
{
	world->order = order;
	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		worker_wake(world, i);
}

static void sweep(struct world *world)
{
	answer(world, (struct event){ .kind = EVENT_SWEPT, .done = !chance_of(&world->chance, world->faults.orphans) });
}

static void count(struct world *world)
{
	world->counted = (struct outcome){ .in_lanes = lanes_sum(world) };
	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		for (uint32_t line = 0; !world->memories[i].senseless && line < LEDGER_COUNT; line++)
			world->counted.ledger[line] += world->memories[i].ledger[line];
	answer(world, (struct event){ .kind = EVENT_COUNTED, .counted = &world->counted });
}

static void signal_to(struct world *world, uint32_t seat, enum happening_kind kind)
{
	world_happen(world, chance_between(&world->chance, NS_PER_US, NS_PER_MS), kind, seat, 0);
}

static bool empty_around(const struct world *world, uint32_t stage)
{
	for (uint32_t i = 0; i < world->n_lanes; i++) {
		const struct lane *lane = &world->lanes[i];

		if (lane->n &&
		    (world->slots[lane->consumer].stage == stage || world->slots[lane->producer].stage == stage))
			return false;
	}
	return true;
}

static void look(struct world *world, uint32_t of)
{
	uint32_t stage = world->slots[of].stage;
	struct event event = { .kind = EVENT_LOOKED, .seat = of, .scale = { .dealt = true } };

	for (uint32_t i = 0; i < world->n_lanes; i++)
		if (world->slots[world->lanes[i].consumer].stage == stage && world->lanes[i].closed == OPEN &&
		    !worker_deals_as_said(world, world->lanes[i].producer))
			event.scale.dealt = false;
	event.scale.empty = event.scale.dealt && empty_around(world, stage);
	for (uint32_t i = 0; event.scale.dealt && i < world->stages[stage].workers; i++)
		if (worker_is_idle(world, world->stages[stage].first_slot + i))
			event.scale.idle |= UINT64_C(1) << i;
	answer(world, event);
}

static void announce(struct world *world, uint32_t of)
{
	world->n_dealings++;
	for (uint32_t i = 0; i < world->n_lanes; i++)
		if (world->slots[world->lanes[i].consumer].stage == world->slots[of].stage)
			worker_wake(world, world->lanes[i].producer);
}

static void cancel(struct world *world, uint32_t seat)
{
	world->orders[seat] = BOARD_CANCEL;
	world->workers[seat].cancelled_ns = world->now_ns;
	if (world->workers[seat].mode == AT_WORK)
		world_happen(world, chance_between(&world->chance, 0, NS_PER_MS), CANCEL_COMES, seat, 0);
	else
		worker_wake(world, seat);
}

static void perform_on_seat(struct world *world, const struct action *action)
{
	switch (action->kind) {
	case ACTION_SPAWN:
		spawn(world, action->seat);
		return;
	case ACTION_CANCEL:
		cancel(world, action->seat);
		return;
	case ACTION_SAY_OVERRUN:
		world->workers[action->seat].overrun.known = true;
		return;
	case ACTION_TERMINATE:
		world->workers[action->seat].terminated_ns = world->now_ns;
		signal_to(world, action->seat, SIGTERM_COMES);
		return;
	case ACTION_KILL:
		if (!world->workers[action->seat].killed_ns)
			world->workers[action->seat].killed_ns = world->now_ns;
		signal_to(world, action->seat, SIGKILL_COMES);
		return;
	case ACTION_REPAIR:
		repair(world, action->seat);
		return;
	case ACTION_EXAMINE:
		answer(world, (struct event){ .kind = EVENT_EXAMINED,
					      .seat = action->seat,
					      .memory = facts_of(world, action->seat),
					      .chance = (uint32_t)chance_next(&world->chance) });
		return;
	case ACTION_RETIRE:
		retire(world, action->seat);
		return;
	case ACTION_LOSE:
		lanes_close(world, action->seat, true);
		return;
	case ACTION_RING:
		ring(world, action->seat);
		return;
	case ACTION_DEAL:
		world->dealings[action->seat] = (enum dealing)action->value;
		return;
	case ACTION_ANNOUNCE:
		announce(world, action->seat);
		return;
	case ACTION_LOOK:
		look(world, action->seat);
		return;
	case ACTION_CLOSE:
		lanes_close(world, action->seat, false);
		return;
	case ACTION_LEAVE_BEHIND:
		world->workers[action->seat].left_behind = true;
		return;
	default:
		return;
	}
}

void world_perform(struct world *world, const struct action *action)
{
	reload_perform(world, action);
	switch (action->kind) {
	case ACTION_RUN:
		order(world, BOARD_RUN);
		return;
	case ACTION_REST:
		world->n_resumes++;
		order(world, BOARD_RUN);
		return;
	case ACTION_ORDER:
		order(world, action->value == (int)RUNG_DRAIN ? BOARD_DRAIN : BOARD_CANCEL);
		return;
	case ACTION_SWEEP:
		sweep(world);
		return;
	case ACTION_COUNT:
		count(world);
		return;
	case ACTION_ARM:
		world->timer_ns = action->at_ns;
		if (action->at_ns)
			world_happen(world, action->at_ns > world->now_ns ? action->at_ns - world->now_ns : 0, TIMER, 0,
				     0);
		return;
	default:
		if (action->seat != NO_SEAT)
			perform_on_seat(world, action);
		return;
	}
}
