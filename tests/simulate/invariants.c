/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold: before each action, whenever all answers are in, and at the end. That no item is taken or handed on twice: lanes.c. */
#include <string.h>

#include "tests/simulate/world.h"

#define NAME_OF(world_, seat_) (world_)->stages[(world_)->slots[seat_].stage].name, (world_)->slots[seat_].worker_index

/* ---- overruns ---- */

#define SIGNAL_TO_EXIT_NS (3 * NS_PER_MS)

static uint64_t grace_of(const struct world *world, uint32_t seat)
{
	return world->stages[world->slots[seat].stage].grace_ns;
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

bool check_overrun(struct world *world, const struct event *event)
{
	struct worker *worker = &world->workers[event->seat];
	uint32_t item = world->memories[event->seat].hand;

	/* Nobody is judged who stands in for his stage, or has been told to go, alone or with everybody. */
	if (worker->stands_in || world->orders[event->seat] == BOARD_CANCEL || world->order == BOARD_CANCEL)
		return false;
	worker->overrun = (struct overrun){
		.due_ns = event->due_ns,
		.off_ns = later(event->due_ns + grace_of(world, event->seat), world->now_ns) + TERM_TO_KILL_NS +
			  SIGNAL_TO_EXIT_NS,
		.item = item,
		.attempts_before = world->items[item].attempts,
		.blamed_before = world->memories[event->seat].n_blamed,
	};
	return true;
}

void check_overruns(struct world *world)
{
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		const struct worker *worker = &world->workers[i];

		if (worker->overrun.due_ns && worker->exists && !worker->stuck &&
		    world->now_ns > worker->overrun.off_ns)
			world_break(world, "%s#%u is still there, long after its item had to be done",
				    NAME_OF(world, i));
	}
}

/* Before the next generation: the item has cost one life more, or none if it was done after all; and no other has cost this one. */
static void check_blame(struct world *world, uint32_t seat)
{
	const struct overrun *overrun = &world->workers[seat].overrun;
	const struct item *item;

	if (!overrun->due_ns)
		return;
	item = &world->items[overrun->item];
	if (!item->taken && item->attempts != overrun->attempts_before + 1)
		world_break(world, "item %u has overrun at %s#%u, and has cost %u lives, before that %u", overrun->item,
			    NAME_OF(world, seat), item->attempts, overrun->attempts_before);
	if (world->memories[seat].n_blamed != overrun->blamed_before + !item->taken)
		world_break(world, "item %u has overrun at %s#%u, and another one is blamed", overrun->item,
			    NAME_OF(world, seat));
}

/* It was made to go: no sign against its stage, and no end. */
static void check_death_by_overrun(struct world *world, const struct action *action)
{
	const struct plan_stage *stage = &world->stages[world->slots[action->seat].stage];

	if (action->kind == ACTION_SAY_DEATH && action->value == (int)NEXT_NOT_RESTARTED)
		world_break(world, "%s#%u is not restarted, because an item has overrun there",
			    NAME_OF(world, action->seat));
	if (action->kind == ACTION_SAY_DEATH && action->value == (int)NEXT_RESTART &&
	    action->at_ns > stage->backoff_min_ns / 5 * 6 + 1)
		world_break(world, "an overrun at %s#%u makes the back-off longer", NAME_OF(world, action->seat));
	if ((action->kind == ACTION_SAY_STAGE_FAILED || action->kind == ACTION_SAY_DROPPED) &&
	    action->value == (int)REASON_GOODBYE)
		world_break(world, "%s#%u has said that it can't go on when its item had overrun, and is believed",
			    NAME_OF(world, action->seat));
}

/* ---- before an action ---- */

static void check_spawn(struct world *world, uint32_t seat)
{
	const struct lifecycle *lifecycle = &world->lifecycle;
	const struct life *life = &lifecycle->lives[seat];

	if (world->workers[seat].exists)
		world_break(world, "%s#%u is spawned while its worker lives", NAME_OF(world, seat));
	if (lifecycle->restarts_off)
		world_break(world, "%s#%u is spawned after the cancel", NAME_OF(world, seat));
	if (life->restarts > 0 && world->stages[life->stage].restart_type == PLAN_TEMPORARY && !life->stands_in &&
	    lifecycle->started_ns && !world->makes_room[seat] && !world->n_reverts)
		world_break(world, "%s#%u is temporary, and is restarted", NAME_OF(world, seat));
	if (lifecycle->stages[life->stage].abandoned && !life->stands_in)
		world_break(world, "%s#%u starts what its stage did, after that was cancelled", NAME_OF(world, seat));
	check_blame(world, seat);
	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		if (lifecycle->lives[i].state == SEAT_STOPPING && lifecycle->lives[i].stopped_for != NO_SEAT &&
		    !lifecycle->lives[i].makes_room && !lifecycle->stages[lifecycle->lives[i].stage].abandoned)
			world_break(world, "%s#%u comes back while %s#%u is still being stopped", NAME_OF(world, seat),
				    NAME_OF(world, i));
}

static uint32_t group_of(const struct world *world, uint32_t seat)
{
	return world->stages[world->slots[seat].stage].degrade ? seat : SEATS_MAX + world->slots[seat].stage;
}

/* Without progress, and restarted. */
static uint32_t deaths_within_period(const struct world *world, uint32_t seat)
{
	const struct plan_stage *stage = &world->stages[world->slots[seat].stage];
	uint32_t group = group_of(world, seat), n = 0;

	for (uint32_t i = 0; i < 8 && i < world->n_deaths[group]; i++)
		n += world->now_ns - world->deaths_ns[group][i] < stage->restart_period_ns;
	return n;
}

/* A restart that is not for the sake of another one: no more of them in a period than the intensity says, unless there was progress. */
static void check_intensity(struct world *world, uint32_t seat)
{
	const struct plan_stage *stage = &world->stages[world->slots[seat].stage];
	uint32_t group = group_of(world, seat), n;

	world->deaths_ns[group][world->n_deaths[group]++ % 8] = world->now_ns;
	n = deaths_within_period(world, seat);
	if (n > stage->restart_intensity)
		world_break(world, "%s#%u is restarted %u times within its period, %u are allowed",
			    NAME_OF(world, seat), n, stage->restart_intensity);
}

/* ... and not fewer either: nothing else is counted. */
static void check_given_up(struct world *world, uint32_t seat)
{
	const struct plan_stage *stage = &world->stages[world->slots[seat].stage];
	uint32_t n = deaths_within_period(world, seat);

	if (n < stage->restart_intensity && !world->lifecycle.stages[world->slots[seat].stage].abandoned)
		world_break(world, "%s#%u is given up after %u deaths within its period, %u are allowed",
			    NAME_OF(world, seat), n, stage->restart_intensity);
}

static void check_resumed(struct world *world)
{
	if (world->n_failed)
		world_break(world, "running again, though a stage has failed or was cancelled");
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		const struct worker *worker = &world->workers[i];

		if (world->stages[world->slots[i].stage].role != WEIR_SOURCE)
			continue;
		if (worker->exists && (worker->mode == IDLE || worker->mode == AT_WORK) &&
		    worker->order_seen == BOARD_DRAIN)
			world_break(world, "running again, but the source %s#%u has not heard it", NAME_OF(world, i));
		if (world->stages[world->slots[i].stage].role == WEIR_SOURCE && world->memories[i].finished == 1 &&
		    world->memories[i].cursor < world->n_items[i] &&
		    !world->lifecycle.stages[world->slots[i].stage].abandoned)
			world_break(world, "running again, but the source %s#%u has ended at the drain",
				    NAME_OF(world, i));
	}
}

static void check_phase(struct world *world, enum pipeline_state state)
{
	if (state == PIPELINE_RUNNING && world->n_resumes)
		check_resumed(world);
	if (state != PIPELINE_STOPPED)
		return;
	if (lanes_sum(world))
		world_break(world, "stopped, with items in lanes");
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		enum seat_state seat = world->lifecycle.lives[i].state;

		if (world->stages[world->slots[i].stage].role == WEIR_SINK && seat != SEAT_DONE &&
		    seat != SEAT_RETIRED && world->lifecycle.ladder.rung < RUNG_CANCEL)
			world_break(world, "stopped, but the sink %s#%u has not confirmed", NAME_OF(world, i));
	}
}

/* Who is ended while others go on has the time that it was promised, on each rung. */
static void check_ladder_of_one(struct world *world, const struct action *action)
{
	const struct worker *worker = &world->workers[action->seat];
	const struct life *life = &world->lifecycle.lives[action->seat];
	uint64_t grace_ns = grace_of(world, action->seat), now_ns = world->now_ns;
	uint64_t term_ns = (worker->overrun.due_ns ? worker->overrun.due_ns : worker->cancelled_ns) + grace_ns;
	uint64_t kill_ns = worker->terminated_ns + (worker->overrun.due_ns ? TERM_TO_KILL_NS : grace_ns);

	if (action->kind == ACTION_LEAVE_BEHIND && (!worker->killed_ns || now_ns < worker->killed_ns + UNKILLABLE_NS))
		world_break(world, "%s#%u is left behind, and was not killed", NAME_OF(world, action->seat));
	if ((life->state != SEAT_STOPPING && life->state != SEAT_OVERRUN) || world->lifecycle.ladder.rung >= RUNG_TERM)
		return;
	if (action->kind == ACTION_TERMINATE && (!worker->cancelled_ns || now_ns < term_ns))
		world_break(world, "SIGTERM to %s#%u before its grace after the cancel is over",
			    NAME_OF(world, action->seat));
	if (action->kind == ACTION_KILL && (!worker->terminated_ns || now_ns < kill_ns))
		world_break(world, "SIGKILL to %s#%u before its time after SIGTERM is over",
			    NAME_OF(world, action->seat));
}

/*
 * The lifecycle will hear next that nobody could be forked; an order that it gives before reaches nobody, and the next spawn takes it
 * back.
 */
static bool fork_has_failed(const struct world *world, uint32_t seat)
{
	for (uint32_t i = 0; i < world->n_answers; i++)
		if (world->answers[i].kind == EVENT_SPAWN_FAILED && world->answers[i].seat == seat)
			return true;
	return false;
}

static void check_addressee(struct world *world, const struct action *action)
{
	const struct worker *worker = &world->workers[action->seat];

	if (worker->exists ? worker->left_behind :
			     action->kind != ACTION_CANCEL || !fork_has_failed(world, action->seat))
		world_break(world, "%s for %s#%u, where nobody lives", action_name(action->kind),
			    NAME_OF(world, action->seat));
}

void check_action(struct world *world, const struct action *action)
{
	uint32_t seat = action->seat;
	const struct life *life = seat == NO_SEAT ? NULL : &world->lifecycle.lives[seat];

	if (seat != NO_SEAT && world->workers[seat].overrun.due_ns)
		check_death_by_overrun(world, action);
	check_reload_action(world, action);
	switch (action->kind) {
	case ACTION_SPAWN:
		check_spawn(world, seat);
		return;
	case ACTION_CANCEL:
	case ACTION_TERMINATE:
	case ACTION_KILL:
	case ACTION_LEAVE_BEHIND:
		check_addressee(world, action);
		check_ladder_of_one(world, action);
		return;
	case ACTION_REPAIR:
	case ACTION_EXAMINE:
	case ACTION_RETIRE:
	case ACTION_LOSE:
		if (world->workers[seat].exists)
			world_break(world, "%s of %s#%u, whose worker lives", action_name(action->kind),
				    NAME_OF(world, seat));
		return;
	case ACTION_SAY_DEATH:
		if (world->workers[seat].overrun.due_ns || life->death.progressed)
			return;
		if (action->value == (int)NEXT_RESTART)
			check_intensity(world, seat);
		if (action->value == (int)NEXT_NOT_RESTARTED)
			check_given_up(world, seat);
		return;
	case ACTION_SAY_NOT_STARTED:
		if (life->state == SEAT_BACKOFF && !world->lifecycle.stages[life->stage].abandoned)
			check_intensity(world, seat);
		return;
	case ACTION_SAY_DROPPED:
		world->n_deaths[SEATS_MAX + life->stage] = 0;
		world->n_failed++;
		return;
	case ACTION_SAY_STAGE_FAILED:
	case ACTION_SAY_SOURCE_FAILED:
		world->n_failed++;
		return;
	case ACTION_PHASE:
		check_phase(world, (enum pipeline_state)action->value);
		return;
	default:
		return;
	}
}

/* ---- when all answers are in ---- */

static void check_ledger(struct world *world)
{
	uint64_t ledger[LEDGER_COUNT] = { 0 };
	uint64_t fates;

	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		for (uint32_t line = 0; line < LEDGER_COUNT; line++)
			ledger[line] += world->memories[i].ledger[line];
	fates = ledger[LEDGER_DELIVERED] + ledger[LEDGER_CONSUMED] + ledger[LEDGER_DEAD_LETTERED] +
		ledger[LEDGER_CANCELLED];
	if (ledger[LEDGER_EMITTED] != ledger[LEDGER_TAKEN] + lanes_sum(world) || ledger[LEDGER_TAKEN] != fates)
		world_break(world, "the ledger is not exact: emitted %llu, taken %llu, fates %llu, in lanes %llu",
			    (unsigned long long)ledger[LEDGER_EMITTED], (unsigned long long)ledger[LEDGER_TAKEN],
			    (unsigned long long)fates, (unsigned long long)lanes_sum(world));
}

/* Behind SIGKILL nothing is waited for but its death, whatever it has said before and is heard then; and that not for ever. */
static void check_killed(struct world *world, uint32_t seat)
{
	const struct worker *worker = &world->workers[seat];

	if (!worker->killed_ns || !worker->exists || worker->left_behind)
		return;
	if (world->lifecycle.lives[seat].state == SEAT_READY && world->lifecycle.ladder.rung < RUNG_KILL)
		world_break(world, "%s#%u was killed, and counts as ready", NAME_OF(world, seat));
	if (world->now_ns > worker->killed_ns + UNKILLABLE_NS + NS_PER_MS)
		world_break(world, "%s#%u was killed long ago, and is not given up", NAME_OF(world, seat));
}

static void check_seats(struct world *world)
{
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		const struct worker *worker = &world->workers[i];
		enum seat_state state = world->lifecycle.lives[i].state;

		check_killed(world, i);
		if (state == SEAT_RESTING && lanes_before(world, i))
			world_break(world, "%s#%u rests, and items lie before it", NAME_OF(world, i));
		if (!lifecycle_bounded(&world->lifecycle, i))
			world_break(world, "%s#%u is %s, and nothing bounds for how long", NAME_OF(world, i),
				    seat_state_name(state));
		if (seat_state_alive(state) != (worker->exists && !worker->left_behind))
			world_break(world, "%s#%u is %s, and its worker %s", NAME_OF(world, i), seat_state_name(state),
				    worker->exists ? "lives" : "is dead");
		if (state == SEAT_DONE && worker->overrun.due_ns)
			world_break(world, "%s#%u has ended, by a worker that was made to go", NAME_OF(world, i));
	}
}

/* An order for one slot stands as long as it is carried out there, and its end is bounded. */
static void check_own_orders(struct world *world)
{
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		const struct worker *worker = &world->workers[i];
		enum seat_state state = world->lifecycle.lives[i].state;
		uint64_t bound_ns = worker->cancelled_ns + 2 * grace_of(world, i) + UNKILLABLE_NS + NS_PER_MS;

		if (seat_state_alive(state) &&
		    (world->orders[i] == BOARD_CANCEL) != (state == SEAT_STOPPING || state == SEAT_OVERRUN))
			world_break(world, "%s#%u is %s, and its own order is %u", NAME_OF(world, i),
				    seat_state_name(state), world->orders[i]);
		if (state == SEAT_STOPPING && world->now_ns > bound_ns)
			world_break(world, "%s#%u is being stopped for ever", NAME_OF(world, i));
	}
}

/* What was ordered stands on the board. */
static void check_board(struct world *world)
{
	const struct lifecycle *lifecycle = &world->lifecycle;
	uint32_t expected = lifecycle->ladder.rung >= RUNG_CANCEL                                      ? BOARD_CANCEL :
			    lifecycle->ladder.rung == RUNG_DRAIN && lifecycle->resuming != RESUME_TOLD ? BOARD_DRAIN :
			    lifecycle->started_ns                                                      ? BOARD_RUN :
													 BOARD_HOLD;

	if (world->order != expected)
		world_break(world, "the board says %u, and %s, on rung %s, means %u", world->order,
			    pipeline_state_name(lifecycle->state), rung_name(lifecycle->ladder.rung), expected);
}

/* D, the 5 s after it for who is stuck in the kernel, 5 s for orphans; what is said meanwhile never makes it longer. */
static void check_drain(struct world *world)
{
	const struct ladder *ladder = &world->lifecycle.ladder;
	uint64_t bound_ns = ladder->deadline_ns + 2 * UNKILLABLE_NS + NS_PER_S;

	if (ladder->rung == RUNG_NONE)
		world->drain_bound_ns = 0;
	else if (!world->drain_bound_ns || bound_ns < world->drain_bound_ns)
		world->drain_bound_ns = bound_ns;
	if (world->drain_bound_ns && world->now_ns > world->drain_bound_ns)
		world_break(world, "the stop does not end: on rung %s long after its deadline",
			    rung_name(ladder->rung));
}

void check_now(struct world *world)
{
	uint64_t due_ns = lifecycle_due_ns(&world->lifecycle);

	if (due_ns != world->timer_ns)
		world_break(world, "the clock is set to %llu, and %llu is due", (unsigned long long)world->timer_ns,
			    (unsigned long long)due_ns);
	check_seats(world);
	check_board(world);
	check_own_orders(world);
	check_overruns(world);
	check_drain(world);
	check_reload(world);
	check_ledger(world);
	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		if (worker_sleeps_beside_work(world, i))
			world_break(world, "%s#%u sleeps beside work (order %u), and nobody will wake it",
				    NAME_OF(world, i), world->workers[i].order_seen);
}

/* ---- at the end ---- */

static bool is_quiet(const struct world *world)
{
	static const struct faults none;

	return !world->n_resumes && !world->bad_ever && !world->n_stage_cancels &&
	       memcmp(&world->faults, &none, sizeof(none)) == 0 && !world->plan.deadline_ns &&
	       world->lifecycle.ladder.rung == RUNG_NONE;
}

static void check_all_delivered(struct world *world)
{
	for (uint32_t i = 0; i < world->n_items_ever; i++)
		if (!world->items[i].taken)
			world_break(world, "exit code 0, and item %u has not arrived", i);
	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		if (world->memories[i].ledger[LEDGER_DEAD_LETTERED] || world->memories[i].ledger[LEDGER_CANCELLED])
			world_break(world, "exit code 0, and %s#%u has given items up", NAME_OF(world, i));
}

/* A source that was not told to stop has given all; what it gave is on every edge behind it. */
static void check_sources(struct world *world)
{
	for (uint32_t i = 0; i < world->plan.n_slots; i++) {
		const struct plan_stage *stage = &world->stages[world->slots[i].stage];
		const struct memory *memory = &world->memories[i];

		if (stage->role != WEIR_SOURCE)
			continue;
		if (memory->ledger[LEDGER_EMITTED] != (uint64_t)memory->cursor * stage->n_outputs)
			world_break(world, "%s#%u has given %u items, and %llu are on the edges", NAME_OF(world, i),
				    memory->cursor, (unsigned long long)memory->ledger[LEDGER_EMITTED]);
		if (is_quiet(world) && memory->cursor != world->n_items[i])
			world_break(world, "%s#%u has ended early", NAME_OF(world, i));
	}
}

void check_end(struct world *world)
{
	const struct lifecycle *lifecycle = &world->lifecycle;
	bool good = lifecycle->exit_code == EXIT_DONE || lifecycle->exit_code > EXIT_SIGNAL_BASE;

	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		if (world->workers[i].exists && !world->workers[i].left_behind)
			world_break(world, "the end, and the worker of %s#%u lives", NAME_OF(world, i));
	check_ledger(world);
	check_sources(world);
	if (good)
		check_all_delivered(world);
	if (good != (lifecycle->state == PIPELINE_STOPPED) && !lifecycle->outcome.ledger[LEDGER_DEAD_LETTERED] &&
	    !lifecycle->outcome.ledger[LEDGER_CANCELLED])
		world_break(world, "exit code %d, and %s", lifecycle->exit_code, pipeline_state_name(lifecycle->state));
	if (is_quiet(world) && lifecycle->exit_code != EXIT_DONE)
		world_break(world, "nothing went wrong, and the exit code is %d", lifecycle->exit_code);
}
