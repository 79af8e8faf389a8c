/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does, and what goes wrong with it.
 *
 *      spawned -> BOOTING -- hello --> OPENING -- ready --> WAITING -- order to run --> IDLE <--> AT_WORK --> LEAVING --> exit
 *
 *      a turn:   take the oldest item of a lane (it is in hand) ... committed ... applied: outputs visible, input done
 *
 * Death comes between any two of these. A worker is woken when something changes around it; it never polls, so whom nobody wakes sleeps
 * for ever, and the run breaks off as stuck.
 */
#include <string.h>

#include "tests/simulate/world.h"

#define MS NS_PER_MS
#define MESSAGE_MIN_NS (NS_PER_US * 50)
#define MESSAGE_MAX_NS (3 * MS)

static const struct plan_stage *stage_of(const struct world *world, uint32_t seat)
{
	return &world->stages[world->slots[seat].stage];
}

/* Messages of one worker come in their order. */
static void say(struct world *world, uint32_t seat, enum happening_kind kind, uint32_t value)
{
	struct worker *worker = &world->workers[seat];
	uint64_t at_ns = world->now_ns + chance_between(&world->chance, MESSAGE_MIN_NS, MESSAGE_MAX_NS);

	worker->heard_ns = at_ns > worker->heard_ns ? at_ns : worker->heard_ns;
	world_happen(world, worker->heard_ns - world->now_ns, kind, seat, value);
}

void worker_spawn(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];
	struct chance *chance = &world->chance;
	const struct faults *faults = &world->faults;

	if (world->memories[seat].record.committed)
		record_apply_half(world, seat);
	*worker = (struct worker){ .mode = BOOTING,
				   .number = ++world->n_workers_ever,
				   .exists = true,
				   .stands_in = world->lifecycle.lives[seat].stands_in,
				   .deaf = chance_of(chance, faults->deaf),
				   .stubborn = chance_of(chance, faults->stubborn),
				   .stuck = chance_of(chance, faults->stuck),
				   .hangs = chance_of(chance, faults->hang),
				   .work_ns = chance_between(chance, 10 * NS_PER_US, world->work_max_ns) };
	world->orders[seat] = BOARD_HOLD;
	newcomer_sits_down(world, seat);
	if (chance_of(chance, faults->exec))
		worker_die(world, seat, chance_of(chance, 500) ? MANNER_NO_PROGRAM : MANNER_NOT_RUN);
	else
		world_happen(world, chance_between(chance, MS / 2, 4 * MS), BOOTED, seat, 0);
	if (chance_of(chance, faults->crash * 4))
		world_happen(world, chance_between(chance, 0, 60 * MS), CRASH, seat, 0);
}

void worker_wake(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];

	if (world->silent || worker->woken || (worker->mode != IDLE && worker->mode != WAITING))
		return;
	worker->woken = true;
	world_happen(world, chance_between(&world->chance, 0, 60 * NS_PER_US), WOKEN, seat, 0);
}

/* The kernel tells it a little later. */
void worker_die(struct world *world, uint32_t seat, uint32_t manner)
{
	struct worker *worker = &world->workers[seat];

	if (worker->dying || !worker->exists)
		return;
	worker->dying = true;
	world_happen(world, chance_between(&world->chance, NS_PER_US, MS), EXIT, seat,
		     manner == MANNER_KILLED && (worker->mode == IDLE || worker->mode == WAITING) ? MANNER_KILLED :
		     manner == MANNER_KILLED                                                      ? MANNER_SIGNAL :
												    manner);
	worker->mode = GONE;
}

static void leave(struct world *world, uint32_t seat, bool failed, uint32_t manner)
{
	struct worker *worker = &world->workers[seat];

	say(world, seat, GOODBYE, failed);
	worker->mode = LEAVING;
	if (worker->hangs)
		return;
	worker_die(world, seat, manner);
}

/* A stage that has siblings to move to needs its producers until all that they gave is taken. */
static bool is_needed(const struct world *world, uint32_t seat)
{
	for (uint32_t i = 0; i < world->n_lanes; i++)
		if (world->lanes[i].producer == seat && world->lanes[i].n &&
		    world->stages[world->edges[world->lanes[i].edge].to].degrade)
			return true;
	return false;
}

static void finish(struct world *world, uint32_t seat, uint32_t finished)
{
	struct worker *worker = &world->workers[seat];

	if (is_needed(world, seat)) {
		worker->mode = IDLE;
		return;
	}
	world->memories[seat].finished = finished;
	lanes_close(world, seat, worker->stands_in);
	worker->ended = finished == 1;
	if (finished == 1 && chance_of(&world->chance, world->faults.crash))
		worker_die(world, seat, MANNER_SIGNAL);
	else
		leave(world, seat, finished != 1, finished == 1 ? MANNER_ZERO : MANNER_ONE);
}

bool worker_is_idle(const struct world *world, uint32_t seat)
{
	return world->workers[seat].mode == IDLE && !world->workers[seat].ending && !lanes_before(world, seat);
}

bool worker_deals_as_said(const struct world *world, uint32_t seat)
{
	return !world->workers[seat].exists || world->workers[seat].dealings_seen == world->n_dealings;
}

/* The lane of a key: the same for every generation that deals by the same words. NO_LANE: nothing is dealt to that stage now. */
static uint32_t lane_of_key(const struct world *world, uint32_t seat, const struct plan_edge *edge, uint32_t key)
{
	const struct plan_stage *to = &world->stages[edge->to], *from = &world->stages[edge->from];
	const enum dealing *dealings = world->workers[seat].dealings;
	uint32_t n = 0, number = 0;

	for (uint32_t i = 0; i < to->workers; i++) {
		if (dealings[to->first_slot + i] == DEALING_HELD)
			return NO_LANE;
		n += dealings[to->first_slot + i] == DEALING_DEALT;
	}
	for (uint32_t i = 0; i < to->workers; i++)
		if (dealings[to->first_slot + i] == DEALING_DEALT && number++ == key % n)
			return edge->first_lane + (seat - from->first_slot) * to->workers + i;
	return NO_LANE;
}

/* A lane with room for each output of an item. false: it has to wait. */
static bool find_room(const struct world *world, uint32_t seat, uint32_t serial, struct record *record)
{
	const struct plan_stage *stage = stage_of(world, seat);

	for (uint32_t edge = 0; edge < stage->n_outputs; edge++) {
		uint32_t best = NO_LANE, n_best = UINT32_MAX, only = NO_LANE;
		bool by_key = world->stages[world->edges[stage->outputs[edge]].to].balance == HERITAGE_BALANCE_KEY;

		if (by_key)
			only = lane_of_key(world, seat, &world->edges[stage->outputs[edge]], serial % KEYS);
		for (uint32_t i = 0; i < world->n_lanes; i++) {
			const struct lane *lane = &world->lanes[i];

			if (lane->edge != stage->outputs[edge] || lane->producer != seat ||
			    world->workers[seat].dealings[lane->consumer] != DEALING_DEALT || (by_key && i != only) ||
			    world->memories[lane->consumer].retired || lane->n >= lane->capacity || lane->n >= n_best)
				continue;
			best = i;
			n_best = lane->n;
		}
		if (best == NO_LANE)
			return false;
		record->outputs[record->n_outputs++] = best;
	}
	return true;
}

static bool outputs_empty(const struct world *world, uint32_t seat)
{
	for (uint32_t i = 0; i < world->n_lanes; i++)
		if (world->lanes[i].producer == seat && world->lanes[i].n)
			return false;
	return true;
}

static bool is_late(struct world *world, uint32_t seat, const struct record *record)
{
	if (record->item == NO_ITEM || !stage_of(world, seat)->deadline_ns || record->fate == LEDGER_DEAD_LETTERED ||
	    record->fate == LEDGER_CANCELLED)
		return false;
	return world->items[record->item].stalls == world->slots[seat].stage ||
	       chance_of(&world->chance, world->faults.late);
}

/* A look is an eighth of the deadline: the item is seen first within one, and found to be late within two behind the end of its time. */
static void take_too_long(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];
	const struct plan_stage *stage = stage_of(world, seat);
	uint64_t look_ns = stage->deadline_ns / 8, seen_ns = chance_between(&world->chance, 0, look_ns);
	uint64_t found_ns = chance_between(&world->chance, look_ns, 2 * look_ns);

	worker->turn_due_ns = world->now_ns + seen_ns + stage->deadline_ns;
	world_happen(world, seen_ns + stage->deadline_ns + found_ns, LOOKED, seat, worker->turn);
	if (chance_of(&world->chance, 400)) /* else it sits there for ever */
		world_happen(world, stage->deadline_ns + chance_between(&world->chance, 0, 2 * stage->grace_ns),
			     COMMITTED, seat, 0);
}

static void work(struct world *world, uint32_t seat, const struct record *record)
{
	struct worker *worker = &world->workers[seat];

	if (worker->stands_in && chance_of(&world->chance, world->faults.late)) { /* which has no deadline to keep */
		worker->turn_due_ns = world->now_ns;
		world_happen(world, 0, LOOKED, seat, worker->turn);
	}
	if (is_late(world, seat, record))
		take_too_long(world, seat);
	else
		world_happen(world, chance_between(&world->chance, worker->work_ns / 2, worker->work_ns), COMMITTED,
			     seat, 0);
}

static void begin_turn(struct world *world, uint32_t seat, const struct record *record)
{
	struct worker *worker = &world->workers[seat];
	struct memory *memory = &world->memories[seat];

	memory->record = *record;
	memory->hand = record->item;
	worker->mode = AT_WORK;
	worker->turn++;
	worker->turn_due_ns = 0;
	if (record->fate != LEDGER_DEAD_LETTERED && record->fate != LEDGER_CANCELLED && record->item != NO_ITEM &&
	    world->items[record->item].poisons == world->slots[seat].stage) {
		worker_die(world, seat, MANNER_SIGNAL);
		return;
	}
	if (chance_of(&world->chance, world->faults.crash)) {
		static const uint32_t manners[] = { MANNER_SIGNAL, MANNER_ZERO, MANNER_ONE, MANNER_NINE };

		if (chance_of(&world->chance, 500))
			worker_die(world, seat, manners[chance_below(&world->chance, 4)]);
		else
			world_happen(world, chance_between(&world->chance, 0, 2 * worker->work_ns), CRASH, seat, 0);
	}
	if (worker->mode == AT_WORK)
		work(world, seat, record);
}

/* Nothing, for now: whoever changes something will wake it. */
static void sleep_on(struct world *world, uint32_t seat)
{
	world->workers[seat].mode = IDLE;
}

static void look_as_source(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];
	struct memory *memory = &world->memories[seat];
	struct record record = { .input = NO_LANE, .item = NO_ITEM };

	if (memory->finished || worker->ending || memory->cursor == world->n_items[seat]) {
		worker->ending = true;
		finish(world, seat, 1);
	} else if (worker->stands_in) {
		worker->ending = true;
		finish(world, seat, 1);
	} else if (worker->order_seen == BOARD_DRAIN && world->rests[world->slots[seat].stage] &&
		   !outputs_empty(world, seat) && world->now_ns < worker->rest_until_ns) {
		sleep_on(world, seat);
	} else if (worker->order_seen == BOARD_DRAIN) {
		worker->ending = true;
		finish(world, seat, 1);
	} else if (chance_of(&world->chance, world->faults.fails)) {
		worker->ending = true;
		finish(world, seat, 2);
	} else if (find_room(world, seat, memory->cursor, &record)) {
		begin_turn(world, seat, &record);
	} else {
		sleep_on(world, seat);
	}
}

static void look_at_inputs(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];
	const struct plan_stage *stage = stage_of(world, seat);
	uint32_t first = chance_below(&world->chance, world->n_lanes), n_open = 0, n_lost = 0, n_stuck = 0;

	for (uint32_t i = 0; i < world->n_lanes; i++) {
		uint32_t number = (first + i) % world->n_lanes;
		const struct lane *lane = &world->lanes[number];
		struct record record = { .input = number,
					 .fate = stage->role == WEIR_SINK ? LEDGER_DELIVERED : LEDGER_CONSUMED };

		if (lane->consumer != seat)
			continue;
		n_open += lane->closed == OPEN;
		n_lost += lane->closed == LOST;
		if (!lane->n)
			continue;
		record.item = lane->items[0];
		if (worker->stands_in)
			record.fate = LEDGER_CANCELLED;
		else if (world->items[record.item].attempts >= stage->attempts)
			record.fate = LEDGER_DEAD_LETTERED;
		else if (!find_room(world, seat, world->items[record.item].serial, &record)) {
			n_stuck++;
			continue;
		}
		begin_turn(world, seat, &record);
		return;
	}
	if (n_open || n_stuck)
		sleep_on(world, seat);
	else if (n_lost && !worker->stands_in)
		leave(world, seat, true, MANNER_ONE);
	else
		finish(world, seat, 1);
}

static bool is_told(const struct world *world, uint32_t seat)
{
	return world->orders[seat] == BOARD_CANCEL && !world->workers[seat].deaf;
}

bool worker_sleeps_beside_work(const struct world *world, uint32_t seat)
{
	const struct worker *worker = &world->workers[seat];

	if (worker->mode != IDLE || worker->woken || worker->deaf || worker->ending)
		return false;
	if (worker->order_seen != world->order || is_told(world, seat))
		return true;
	if (stage_of(world, seat)->role == WEIR_SOURCE) {
		struct record record = { .n_outputs = 0 };

		return world->order == BOARD_RUN &&
		       (worker->stands_in || find_room(world, seat, world->memories[seat].cursor, &record));
	}
	for (uint32_t i = 0; i < world->n_lanes; i++) {
		const struct lane *lane = &world->lanes[i];
		struct record record = { .n_outputs = 0 };

		if (lane->consumer == seat && lane->n &&
		    (worker->stands_in || find_room(world, seat, world->items[lane->items[0]].serial, &record)))
			return true;
	}
	return false;
}

/* Told to go: whole turns are committed, nothing is closed. */
static void leave_cancelled(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];

	worker->order_seen = BOARD_CANCEL;
	worker->ended = worker->cancelled = true;
	leave(world, seat, false, MANNER_ZERO);
}

/* It may drop what it has in hand, which stays noted; or its stage takes the cancel of what it was doing for the end of the world. */
static void on_cancel(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];

	if (worker->mode != AT_WORK || worker->deaf || world->memories[seat].record.committed ||
	    !chance_of(&world->chance, 500))
		return;
	if (worker->overrun.due_ns && chance_of(&world->chance, 200))
		leave(world, seat, true, MANNER_ONE);
	else
		leave_cancelled(world, seat);
}

/* It does not ask whether the lifecycle wants to know: refused is refused. */
static void on_looked(struct world *world, uint32_t seat, uint32_t turn)
{
	const struct worker *worker = &world->workers[seat];

	if (worker->mode == AT_WORK && worker->turn == turn)
		world_post(world,
			   &(struct event){ .kind = EVENT_OVERRUN, .seat = seat, .due_ns = worker->turn_due_ns });
}

static void look(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];

	if (worker->mode == GONE || worker->mode == LEAVING || worker->mode == AT_WORK || worker->mode < WAITING)
		return;
	if (world->order == BOARD_HOLD)
		return;
	worker->dealings_seen = world->n_dealings;
	memcpy(worker->dealings, world->dealings, sizeof(worker->dealings));
	if (is_told(world, seat)) {
		leave_cancelled(world, seat);
		return;
	}
	if (!worker->deaf && world->order != worker->order_seen) {
		if (world->order == BOARD_DRAIN)
			worker->rest_until_ns = world->now_ns + 200 * MS;
		worker->order_seen = world->order;
		if (!worker->ending)
			say(world, seat, ACK, world->order);
		if (world->order == BOARD_DRAIN)
			world_happen(world, 200 * MS, WOKEN, seat, 0);
	}
	if (worker->order_seen == BOARD_CANCEL)
		leave_cancelled(world, seat);
	else if (stage_of(world, seat)->role == WEIR_SOURCE)
		look_as_source(world, seat);
	else
		look_at_inputs(world, seat);
}

/* About when it is told to end for that, by SIGTERM or, if it does not hear that, by SIGKILL: its word may be behind the signal. */
static void open_late(struct world *world, uint32_t seat)
{
	bool hears = chance_of(&world->chance, 300);
	uint64_t told_ns = world->lifecycle.start_timeout_ns + (hears ? 0 : stage_of(world, seat)->grace_ns);

	world->workers[seat].stubborn = !hears;
	world_happen(world, told_ns - chance_between(&world->chance, 0, 5 * MS), OPENED, seat, 0);
}

static void on_booted(struct world *world, uint32_t seat)
{
	world->workers[seat].mode = OPENING;
	world_post(world, &(struct event){ .kind = EVENT_HELLO, .seat = seat });
	if (chance_of(&world->chance, world->faults.never_ready))
		return;
	if (world->lifecycle.started_ns && chance_of(&world->chance, world->faults.opens_late)) {
		open_late(world, seat);
		return;
	}
	if (chance_of(&world->chance, world->faults.fails_to_open))
		leave(world, seat, true, MANNER_ONE);
	else
		world_happen(world, chance_between(&world->chance, MS / 2, 5 * MS), OPENED, seat, 0);
}

static void on_committed(struct world *world, uint32_t seat)
{
	struct worker *worker = &world->workers[seat];

	if (worker->mode != AT_WORK)
		return;
	world->memories[seat].record.committed = true;
	worker->turns++;
	world_happen(world, chance_of(&world->chance, 300) ? chance_between(&world->chance, 0, MS) : 0, APPLIED, seat,
		     0);
}

static void on_applied(struct world *world, uint32_t seat)
{
	if (world->workers[seat].mode != AT_WORK)
		return;
	record_apply(world, seat);
	world->workers[seat].mode = IDLE;
	look(world, seat);
}

static void on_exit_of(struct world *world, uint32_t seat, uint32_t manner)
{
	struct worker *worker = &world->workers[seat];
	struct event event = { .kind = EVENT_EXITED, .seat = seat };

	check_overruns(world);
	worker->exists = false;
	worker->mode = GONE;
	if (worker->left_behind)
		return;
	event.death = (struct death_facts){
		.exited_zero = manner == MANNER_ZERO,
		.exited_one = manner == MANNER_ONE,
		.ended = worker->ended,
		.cancelled = worker->cancelled,
		.progressed = worker->turns > 0 || manner == MANNER_KILLED,
		.not_run = manner == MANNER_NOT_RUN || manner == MANNER_NO_PROGRAM,
		.no_program = manner == MANNER_NO_PROGRAM,
	};
	world->answers[world->n_answers++] =
		(struct event){ .kind = EVENT_SWEPT, .done = !chance_of(&world->chance, world->faults.orphans) };
	world_post(world, &event);
}

/* What is done to it, or seen of it. */
static void befall(struct world *world, const struct happening *happening)
{
	uint32_t seat = happening->seat;
	struct worker *worker = &world->workers[seat];

	switch (happening->kind) {
	case LOOKED:
		on_looked(world, seat, happening->value);
		return;
	case CRASH:
		worker_die(world, seat, MANNER_SIGNAL);
		return;
	case CANCEL_COMES:
		on_cancel(world, seat);
		return;
	case SIGTERM_COMES:
		if (!worker->stubborn)
			worker_die(world, seat, MANNER_SIGNAL);
		return;
	case SIGKILL_COMES:
		if (worker->stuck)
			worker->mode = GONE; /* it is in the kernel, and comes out of it no more */
		else
			worker_die(world, seat, MANNER_KILLED);
		return;
	case EXIT:
		on_exit_of(world, seat, happening->value);
		return;
	default:
		return;
	}
}

void worker_take(struct world *world, const struct happening *happening)
{
	uint32_t seat = happening->seat;
	struct worker *worker = &world->workers[seat];

	if (happening->worker != worker->number)
		return; /* of one who is gone */
	switch (happening->kind) {
	case BOOTED:
		if (worker->mode == BOOTING)
			on_booted(world, seat);
		return;
	case OPENED:
		if (worker->mode != OPENING)
			return;
		worker->mode = WAITING;
		say(world, seat, SAYS_READY, 0);
		look(world, seat);
		return;
	case SAYS_READY:
		world_post(world, &(struct event){ .kind = EVENT_READY, .seat = seat });
		return;
	case WOKEN:
		worker->woken = false;
		look(world, seat);
		return;
	case COMMITTED:
		on_committed(world, seat);
		return;
	case APPLIED:
		on_applied(world, seat);
		return;
	case GOODBYE:
		world_post(world, &(struct event){ .kind = EVENT_BYE, .seat = seat, .failed = happening->value });
		return;
	case ACK:
		if (happening->value == BOARD_RUN || happening->value == BOARD_DRAIN)
			world_post(world, &(struct event){ .kind = EVENT_ACKNOWLEDGED,
							   .seat = seat,
							   .runs = happening->value == BOARD_RUN,
							   .closed = stage_of(world, seat)->role == WEIR_SOURCE &&
								     world->memories[seat].finished });
		return;
	default:
		befall(world, happening);
		return;
	}
}
