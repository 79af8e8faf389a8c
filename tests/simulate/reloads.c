/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Newcomers, the plans, and what must hold of them:
 *
 *      the plans are exchanged when a newcomer of every seat that has to be filled waits, and not before
 *      nobody of a stage that has not changed is told to end for it
 *      in the end all work by the plan that is said to run, and no newcomer is left
 *      who fails to begin by the new plan is not tried again: the plan before comes back
 *      who dies by it on the way back has not failed again
 *      preparing and probation end in their time
 */
#include "tests/simulate/world.h"

#define MS NS_PER_MS
#define LATE_NS MS
#define NAME_OF(world_, seat_) (world_)->stages[(world_)->slots[seat_].stage].name, (world_)->slots[seat_].worker_index

bool reload_changes(const struct world *world, uint32_t seat)
{
	return world->changed[world->slots[seat].stage];
}

void reload_ask(struct world *world, struct event *event)
{
	static bool wanted[STAGES_MAX];
	struct chance *chance = &world->chance;
	bool bad = chance_of(chance, 400);

	if (event->kind != EVENT_RELOAD)
		return;
	for (uint32_t i = 0; i < world->plan.n_stages; i++)
		wanted[i] = chance_of(chance, 400);
	event->changed = wanted;
	event->terms.probation_ns = chance_of(chance, 200) ? 0 : chance_between(chance, MS, 60 * MS);
	event->terms.opening_ns = chance_of(chance, 300) ? 0 : chance_between(chance, MS, 60 * MS);
	if (world->lifecycle.reload.state != RELOAD_NONE)
		return;
	world->bad_plan = bad;
	for (uint32_t i = 0; i < world->plan.n_stages; i++) {
		world->changed[i] = wanted[i];
		world->stages[i].canary_ns = chance_of(chance, 300) ? chance_between(chance, MS, 300 * MS) : 0;
	}
	world->reload_probation_ns = event->terms.probation_ns;
	world->reload_begun_ns = world->now_ns;
}

/* ---- newcomers ---- */

static void rehearse(struct world *world, uint32_t seat)
{
	struct newcomer *newcomer = &world->newcomers[seat];
	struct chance *chance = &world->chance;

	if (chance_of(chance, world->faults.fork)) {
		world->answers[world->n_answers++] = (struct event){ .kind = EVENT_NEWCOMER_GONE, .seat = seat };
		return;
	}
	*newcomer = (struct newcomer){ .exists = true, .number = ++world->n_newcomers_ever };
	if (world->bad_plan && chance_of(chance, 100))
		world_happen(world, chance_between(chance, 0, 4 * MS), NEWCOMER_DIES, seat, newcomer->number);
	else if (!world->bad_plan || !chance_of(chance, 50)) /* else it never gets there */
		world_happen(world, chance_between(chance, MS / 2, 5 * MS), GATE_REACHED, seat, newcomer->number);
	if (chance_of(chance, world->faults.crash))
		world_happen(world, chance_between(chance, 0, 20 * MS), NEWCOMER_DIES, seat, newcomer->number);
}

void newcomer_take(struct world *world, const struct happening *happening)
{
	struct newcomer *newcomer = &world->newcomers[happening->seat];

	if (!newcomer->exists || newcomer->number != happening->value)
		return;
	newcomer->at_gate = happening->kind == GATE_REACHED;
	newcomer->exists = newcomer->at_gate;
	world_post(world, &(struct event){ .kind = newcomer->at_gate ? EVENT_AT_GATE : EVENT_NEWCOMER_GONE,
					   .seat = happening->seat });
}

void newcomer_sits_down(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];

	world->makes_room[seat] = false;
	worker->new_plan = world->exchanged && reload_changes(world, seat);
	if (worker->new_plan)
		world->newcomers[seat] = (struct newcomer){ 0 };
	if (worker->new_plan && world->bad_plan && chance_of(&world->chance, 600)) {
		world->bad_ever = true;
		world_happen(world, chance_between(&world->chance, 0, 30 * MS), CRASH, seat, 0);
	}
}

/* ---- what must hold ---- */

static void check_exchange(struct world *world, bool back)
{
	if (back == !world->exchanged)
		world_break(world, "the plans are exchanged, and were not, or were already");
	for (uint32_t i = 0; !back && i < world->plan.n_slots; i++)
		if (reload_changes(world, i) && !seat_state_over(world->lifecycle.lives[i].state) &&
		    world->lifecycle.lives[i].state != SEAT_RESTING && !world->newcomers[i].at_gate)
			world_break(world, "the plans are exchanged, and nobody waits for %s#%u", NAME_OF(world, i));
}

static bool takes_effect(enum reload_end how)
{
	return how == RELOAD_END_DONE || how == RELOAD_END_CUT_SHORT;
}

static void check_over(struct world *world, enum reload_end how)
{
	bool stops = how == RELOAD_END_CUT_SHORT || world->lifecycle.ladder.rung != RUNG_NONE;

	if (world->exchanged != takes_effect(how))
		world_break(world, "a reload is over (%s), and the other plan is in force", reload_end_name(how));
	for (uint32_t i = 0; !stops && i < world->plan.n_slots; i++)
		if (reload_changes(world, i) && world->lifecycle.lives[i].state == SEAT_READY &&
		    !world->workers[i].stands_in && world->workers[i].new_plan != (how == RELOAD_END_DONE))
			world_break(world, "a reload is over (%s), and %s#%u works by the other plan",
				    reload_end_name(how), NAME_OF(world, i));
}

static void check_time(struct world *world)
{
	const struct reload *reload = &world->lifecycle.reload;
	uint64_t bound_ns = world->reload_begun_ns + world->lifecycle.start_timeout_ns + LATE_NS;

	if (reload->state == RELOAD_PREPARING && world->now_ns > bound_ns)
		world_break(world, "a reload prepares for ever");
	if (reload->state == RELOAD_PROBATION &&
	    world->now_ns > world->reload_switched_ns + world->reload_probation_ns + LATE_NS)
		world_break(world, "a probation does not end");
}

void check_reload(struct world *world)
{
	check_time(world);
	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		if (world->lifecycle.reload.state == RELOAD_NONE && world->newcomers[i].exists)
			world_break(world, "no reload is under way, and somebody waits for %s#%u", NAME_OF(world, i));
}

void check_reload_action(struct world *world, const struct action *action)
{
	switch (action->kind) {
	case ACTION_EXCHANGE:
		check_exchange(world, action->value != 0);
		return;
	case ACTION_RELOAD_OVER:
		check_over(world, (enum reload_end)action->value);
		return;
	case ACTION_CANCEL:
		if (action->value == (int)CAUSE_CONFIG && !reload_changes(world, action->seat) &&
		    !world->lifecycle.lives[action->seat].dismissed) /* ... it goes because its stage shrinks */
			world_break(world, "%s#%u is told to end for a reload that does not change it",
				    NAME_OF(world, action->seat));
		return;
	case ACTION_SAY_DEATH:
		if (action->value == (int)NEXT_RESTART && world->workers[action->seat].new_plan && world->exchanged &&
		    !world->lifecycle.lives[action->seat].was_ready && !world->lifecycle.lives[action->seat].stands_in)
			world_break(world, "%s#%u could not begin by the new plan, and is tried again",
				    NAME_OF(world, action->seat));
		if (action->value == (int)NEXT_RESTART && world->workers[action->seat].new_plan && !world->exchanged &&
		    !world->lifecycle.lives[action->seat].overrun && !world->lifecycle.lives[action->seat].stands_in)
			world_break(world, "%s#%u died of a plan that is taken back, and that counts",
				    NAME_OF(world, action->seat));
		return;
	default:
		return;
	}
}

/* ---- deeds ---- */

/* By a bad plan one that went first is outside its limits, sooner or later, or dies. */
static void judge(struct world *world, bool is_over)
{
	struct event event = { .kind = EVENT_JUDGED, .seat = NO_SEAT, .done = is_over };

	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		if (world->lifecycle.lives[i].canary && world->workers[i].new_plan && world->bad_plan &&
		    chance_of(&world->chance, 300))
			event.seat = i;
	world->answers[world->n_answers++] = event;
}

void reload_perform(struct world *world, const struct action *action)
{
	switch (action->kind) {
	case ACTION_REHEARSE:
		rehearse(world, action->seat);
		return;
	case ACTION_DISMISS:
		for (uint32_t i = 0; i < world->plan.n_slots; i++)
			world->newcomers[i] = (struct newcomer){ 0 };
		return;
	case ACTION_EXCHANGE:
		world->exchanged = action->value == 0;
		world->n_reverts += action->value != 0;
		return;
	case ACTION_CANCEL:
		world->makes_room[action->seat] = action->value == (int)CAUSE_CONFIG;
		return;
	case ACTION_JUDGE:
		judge(world, action->value != 0);
		return;
	case ACTION_RELOAD_SWITCHED:
		world->reload_switched_ns = world->now_ns;
		return;
	case ACTION_RELOAD_OVER:
		world->n_reloads += takes_effect((enum reload_end)action->value);
		world->exchanged = false;
		for (uint32_t i = 0; i < world->plan.n_slots; i++)
			world->workers[i].new_plan = false; /* it is the plan now, or there is none with it */
		return;
	default:
		return;
	}
}
