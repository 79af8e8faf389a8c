/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline by chance: one or two sources, operators, one or two sinks; every stage but the sources reads from one or two before
 * it, so there are chains, fans and diamonds. Its policies, what will go wrong, and what people will want, by chance as well.
 */
#include "tests/simulate/world.h"

#define MS NS_PER_MS

static const char *const stage_names[STAGES_MAX] = { "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7" };

static void make_policy(struct world *world, struct plan_stage *stage)
{
	struct chance *chance = &world->chance;

	stage->restart_type = (enum plan_restart)(chance_of(chance, 700) ? PLAN_TRANSIENT :
						  chance_of(chance, 500) ? PLAN_PERMANENT :
									   PLAN_TEMPORARY);
	stage->restart_intensity = chance_below(chance, 7);
	stage->restart_period_ns = chance_between(chance, 10 * MS, 30 * NS_PER_S);
	stage->backoff_min_ns = chance_between(chance, MS, 20 * MS);
	stage->backoff_max_ns = stage->backoff_min_ns * chance_between(chance, 1, 50);
	stage->grace_ns = chance_between(chance, 10 * MS, 500 * MS);
	stage->deadline_ns =
		stage->role != WEIR_SOURCE && chance_of(chance, 600) ? chance_between(chance, 5 * MS, 100 * MS) : 0;
	stage->attempts = 1 + chance_below(chance, 3);
	stage->drop_branch = chance_of(chance, 200);
	stage->degrade =
		!stage->drop_branch && stage->role != WEIR_SOURCE && stage->workers > 1 && chance_of(chance, 400);
}

/* How many there are at first, and whether a key decides who gets an item. */
static void make_bounds(struct world *world, struct plan_stage *stage)
{
	struct chance *chance = &world->chance;

	stage->workers_min = 1;
	stage->unscalable = stage->role == WEIR_SOURCE ? "a source" : NULL;
	if (stage->unscalable || stage->workers == 1)
		return;
	if (chance_of(chance, 400))
		stage->workers_resting = chance_below(chance, stage->workers);
	if (!stage->degrade && chance_of(chance, 400))
		stage->balance = HERITAGE_BALANCE_KEY;
}

static void make_stages(struct world *world)
{
	struct plan *plan = &world->plan;
	uint32_t n_sources = 1 + chance_below(&world->chance, 10) / 5,
		 n_sinks = 1 + chance_below(&world->chance, 10) / 6;

	plan->n_stages = n_sources + n_sinks + chance_below(&world->chance, STAGES_MAX - n_sources - n_sinks);
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		struct plan_stage *stage = &world->stages[i];

		stage->name = (char *)(uintptr_t)stage_names[i];
		stage->role = i < n_sources ? WEIR_SOURCE : i >= plan->n_stages - n_sinks ? WEIR_SINK : WEIR_OPERATOR;
		stage->workers = 1 + (chance_of(&world->chance, 500) ? chance_below(&world->chance, 3) : 0);
		stage->first_slot = plan->n_slots;
		world->rests[i] = chance_of(&world->chance, 800);
		make_policy(world, stage);
		make_bounds(world, stage);
		for (uint32_t worker = 0; worker < stage->workers; worker++) {
			world->n_items[plan->n_slots] = chance_below(&world->chance, ITEMS_PER_SOURCE_MAX);
			world->slots[plan->n_slots++] = (struct plan_slot){ .stage = i, .worker_index = worker };
		}
	}
}

static void join(struct world *world, uint32_t from, uint32_t to)
{
	struct plan *plan = &world->plan;
	const struct plan_stage *producer = &world->stages[from], *consumer = &world->stages[to];
	uint32_t capacity = 1 + chance_below(&world->chance, 8);

	if (plan->n_edges == EDGES_MAX || producer->n_outputs == OUTPUTS_MAX ||
	    world->n_lanes + producer->workers * consumer->workers > LANES_MAX)
		return;
	for (uint32_t i = 0; i < plan->n_edges; i++)
		if (world->edges[i].from == from && world->edges[i].to == to)
			return;
	world->edges[plan->n_edges] = (struct plan_edge){ .from = from, .to = to, .first_lane = world->n_lanes };
	for (uint32_t i = 0; i < producer->workers; i++)
		for (uint32_t j = 0; j < consumer->workers; j++)
			world->lanes[world->n_lanes++] = (struct lane){ .edge = plan->n_edges,
									.producer = producer->first_slot + i,
									.consumer = consumer->first_slot + j,
									.capacity = capacity };
	world->stages[from].n_outputs++;
	world->stages[to].n_inputs++;
	plan->n_edges++;
}

static uint32_t before(struct world *world, uint32_t stage)
{
	uint32_t from;

	do
		from = chance_below(&world->chance, stage);
	while (world->stages[from].role == WEIR_SINK);
	return from;
}

/* Everybody but sinks is read, everybody but sources reads. */
static void make_edges(struct world *world)
{
	uint32_t last = world->plan.n_stages - 1, n = 0;

	for (uint32_t i = 0; i <= last; i++)
		if (world->stages[i].role != WEIR_SOURCE)
			join(world, before(world, i), i);
	for (uint32_t i = 0; i <= last; i++)
		if (world->stages[i].role != WEIR_SINK && !world->stages[i].n_outputs)
			join(world, i, last);
	if (chance_of(&world->chance, 400) && world->stages[last - 1].role != WEIR_SOURCE)
		join(world, before(world, last - 1), last - 1);
	for (uint32_t i = 0; i <= last; i++) {
		world->stages[i].outputs = &world->numbers[n];
		for (uint32_t edge = 0; edge < world->plan.n_edges; edge++)
			if (world->edges[edge].from == i)
				world->numbers[n++] = edge;
	}
	for (uint32_t i = 0; i <= last; i++) {
		world->stages[i].inputs = &world->numbers[n];
		for (uint32_t edge = 0; edge < world->plan.n_edges; edge++)
			if (world->edges[edge].to == i)
				world->numbers[n++] = edge;
	}
}

/* A third of all runs is quiet, so that ends and drains are seen undisturbed. */
static void make_faults(struct world *world)
{
	struct chance *chance = &world->chance;
	struct faults *faults = &world->faults;

	if (chance_of(chance, 300))
		return;
	*faults = (struct faults){
		.crash = chance_below(chance, 60),
		.fork = chance_of(chance, 200) ? chance_below(chance, 200) : 0,
		.never_ready = chance_of(chance, 200) ? chance_below(chance, 100) : 0,
		.opens_late = chance_of(chance, 300) ? chance_below(chance, 500) : 0,
		.fails_to_open = chance_of(chance, 100) ? chance_below(chance, 100) : 0,
		.fails = chance_of(chance, 200) ? chance_below(chance, 20) : 0,
		.exec = chance_of(chance, 200) ? chance_below(chance, 200) : 0,
		.hang = chance_of(chance, 200) ? chance_below(chance, 500) : 0,
		.deaf = chance_of(chance, 200) ? chance_below(chance, 300) : 0,
		.stubborn = chance_of(chance, 300) ? chance_below(chance, 500) : 0,
		.stuck = chance_of(chance, 60) ? chance_below(chance, 300) : 0,
		.poison = chance_of(chance, 300) ? chance_below(chance, 60) : 0,
		.senseless = chance_of(chance, 60) ? chance_below(chance, 200) : 0,
		.orphans = chance_of(chance, 100) ? chance_below(chance, 300) : 0,
		.late = chance_of(chance, 500) ? chance_below(chance, 100) : 0,
		.stall = chance_of(chance, 400) ? chance_below(chance, 300) : 0,
	};
}

static void make_requests(struct world *world)
{
	static const enum event_kind kinds[] = { EVENT_DRAIN,  EVENT_DRAIN,        EVENT_CANCEL,
						 EVENT_SIGNAL, EVENT_SIGNAL,       EVENT_RESUME,
						 EVENT_RESUME, EVENT_CANCEL_STAGE, EVENT_CANCEL_STAGE };
	struct chance *chance = &world->chance;
	uint32_t n = chance_below(chance, 5);
	uint64_t at_ns = 0;

	for (uint32_t i = 0; i < n && i < 4; i++) {
		struct request *request = &world->requests[i];

		*request = (struct request){ .kind = i == 0 && chance_of(chance, 600) ? EVENT_DRAIN :
											kinds[chance_below(chance, 9)],
					     .cause = CAUSE_USER,
					     .seat = chance_below(chance, world->plan.n_slots) };
		if (i > 0 && world->requests[i - 1].kind == EVENT_DRAIN && chance_of(chance, 700))
			request->kind = EVENT_RESUME;
		request->after_ns = chance_of(chance, 300) ? chance_between(chance, MS, 3 * NS_PER_S) : 0;
		at_ns += i == 0                 ? chance_between(chance, 0, 80 * MS) :
			 chance_of(chance, 700) ? chance_between(chance, 0, 20 * MS) :
						  chance_between(chance, 0, 300 * MS);
		world_happen(world, at_ns, REQUEST, 0, i);
	}
}

/* Somebody drains, and takes it back while items still lie in the lanes: seldom by chance alone. */
static void make_resume(struct world *world)
{
	uint64_t at_ns = chance_between(&world->chance, 12 * MS, 40 * MS);
	bool cancels = chance_of(&world->chance, 300); /* a stage, while it is being taken back */

	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		world->n_items[i] = ITEMS_PER_SOURCE_MAX;
	for (uint32_t i = 0; i < 4; i++) {
		world->requests[i] = (struct request){ .kind = i % 2 ? EVENT_RESUME : EVENT_DRAIN };
		if (i == 2 && cancels)
			world->requests[i] =
				(struct request){ .kind = EVENT_CANCEL_STAGE,
						  .cause = CAUSE_USER,
						  .seat = chance_below(&world->chance, world->plan.n_slots) };
		world_happen(world, at_ns, REQUEST, 0, i);
		at_ns += chance_between(&world->chance, 0, i % 2 && !cancels ? 10 * MS : 4 * MS);
	}
}

/* A stage is cancelled while items lie in the lanes, and often another one, or the same again, and then somebody drains. */
static void make_stage_cancels(struct world *world)
{
	static const enum event_kind kinds[] = { EVENT_CANCEL_STAGE, EVENT_CANCEL_STAGE, EVENT_DRAIN, EVENT_RESUME };
	uint64_t at_ns = chance_between(&world->chance, 5 * MS, 60 * MS);
	uint32_t n = 1 + chance_below(&world->chance, 4);

	for (uint32_t i = 0; i < n; i++) {
		world->requests[i] = (struct request){ .kind = kinds[i],
						       .cause = CAUSE_DOWNSTREAM_GONE,
						       .seat = chance_below(&world->chance, world->plan.n_slots) };
		world_happen(world, at_ns, REQUEST, 0, i);
		at_ns += chance_between(&world->chance, 0, 20 * MS);
	}
}

/* Other plans, one after the other or over each other or over a stage that grows and shrinks, and often the end behind them. */
static void make_reloads(struct world *world)
{
	static const enum event_kind kinds[] = { EVENT_RELOAD,       EVENT_RELOAD, EVENT_RELOAD, EVENT_RELOAD_ABANDONED,
						 EVENT_CANCEL_STAGE, EVENT_DRAIN,  EVENT_SCALE,  EVENT_SCALE };
	struct chance *chance = &world->chance;
	uint64_t at_ns = chance_between(chance, 5 * MS, 40 * MS);

	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		world->n_items[i] = ITEMS_PER_SOURCE_MAX;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t seat = chance_below(chance, world->plan.n_slots);

		world->requests[i] =
			(struct request){ .kind = i == 0 ? EVENT_RELOAD : kinds[chance_below(chance, 7)],
					  .cause = CAUSE_USER,
					  .seat = seat,
					  .n = 1 +
					       chance_below(chance, world->stages[world->slots[seat].stage].workers) };
		world_happen(world, at_ns, REQUEST, 0, i);
		at_ns += chance_between(chance, 0, chance_of(chance, 500) ? 4 * MS : 40 * MS);
	}
}

/* Stages grow and shrink while items lie in the lanes, and sometimes somebody drains. */
static void make_scalings(struct world *world)
{
	struct chance *chance = &world->chance;
	uint64_t at_ns = chance_between(chance, 5 * MS, 40 * MS);
	uint32_t n = 1 + chance_below(chance, 8);

	if (chance_of(chance, 500)) /* looks come between the board and those who are to see it */
		world->work_max_ns = 20 * MS;
	for (uint32_t i = 0; i < world->plan.n_slots; i++)
		world->n_items[i] = ITEMS_PER_SOURCE_MAX;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t seat = chance_below(chance, world->plan.n_slots);

		world->requests[i] =
			(struct request){ .kind = chance_of(chance, 950) ? EVENT_SCALE : EVENT_DRAIN,
					  .seat = seat,
					  .n = 1 +
					       chance_below(chance, world->stages[world->slots[seat].stage].workers) };
		world_happen(world, at_ns, REQUEST, 0, i);
		at_ns += chance_between(chance, 0, 15 * MS);
	}
}

void world_spec(struct world *world)
{
	struct plan *plan = &world->plan;
	struct chance *chance = &world->chance;

	*plan = (struct plan){ .stages = world->stages, .edges = world->edges, .slots = world->slots };
	plan->strategy = (enum plan_strategy)chance_below(chance, 3);
	plan->drain_ns = chance_between(chance, 50 * MS, 5 * NS_PER_S);
	plan->deadline_ns = chance_of(chance, 150) ? chance_between(chance, MS, 2 * NS_PER_S) : 0;
	make_stages(world);
	make_edges(world);
	make_faults(world);
	world->work_max_ns = 2 * MS;
	if (chance_of(chance, 350))
		make_scalings(world);
	else if (chance_of(chance, 300))
		make_resume(world);
	else if (chance_of(chance, 200))
		make_stage_cancels(world);
	else if (chance_of(chance, 350))
		make_reloads(world);
	else
		make_requests(world);
}
