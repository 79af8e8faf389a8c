/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From stages and inputs to slots, edges, lanes and bytes.
 *
 *     edges in the order of the stages that read, and of the words in their `from`
 *     slots in the order of the stages; stage s has first_slot .. first_slot + workers - 1
 *     lanes of edge e: first_lane + producer index * consumers + consumer index
 *
 *     producer's segment: its writers are the lanes of its 1st output edge to consumer 0, 1, ..., then of its 2nd, ...
 *     consumer's segment: its readers are the lanes of its 1st input edge from producer 0, 1, ..., then of its 2nd, ...
 */
#include "broker/spec/memory.h"
#include "broker/spec/reading.h"
#include "common/base/quantity.h"
#include "common/memory/board.h"
#include "common/stage/exec_block.h"

static bool is_ordered(const struct plan_stage *stage)
{
	return stage->order == PLAN_ORDER_FIFO && stage->workers > 1;
}

/* How runs travel: see heritage.h. Rules have made sure that an ordered stage has one input, from one worker or an ordered stage. */
static void order_edge(const struct plan *plan, struct plan_edge *edge)
{
	const struct plan_stage *from = &plan->stages[edge->from], *to = &plan->stages[edge->to];
	const struct heritage_option *mode = plan_option(to, "mode"), *block = plan_option(to, "block"),
				     *wait = plan_option(to, "block_wait");
	int64_t bytes;

	if (edge->feedback)
		return; /* what comes back is in no order with what comes in */
	if (is_ordered(from)) {
		edge->merge = is_ordered(to) || (to->workers == 1 && to->in_flight == 1);
		edge->order = edge->merge ? HERITAGE_ORDER_KEEP : HERITAGE_ORDER_NONE;
	} else if (is_ordered(to)) {
		edge->order = HERITAGE_ORDER_DEAL;
		if (!to->plugin && mode && mode->string && mode->string[0] == 'b' && block &&
		    quantity_size(block->string, &bytes) == 0) {
			edge->run_bytes = (uint64_t)bytes;
			edge->run_wait_ns = wait ? (uint64_t)wait->number : 0;
		}
	}
}

static void add_edge_number(uint32_t **numbers, uint32_t *n, uint32_t edge)
{
	*numbers = spec_grow(*numbers, *n, sizeof(uint32_t));
	(*numbers)[(*n)++] = edge;
}

static void lay_edges(const struct reading *reading, struct plan *plan)
{
	for (uint32_t to = 0; to < plan->n_stages; to++) {
		const struct stage_reading *stage = &reading->stages[to];

		for (uint32_t i = 0; i < stage->n_inputs; i++) {
			uint32_t from = stage->inputs[i].from, number = plan->n_edges++;
			struct plan_edge *edge;

			plan->edges = spec_grow(plan->edges, number, sizeof(*plan->edges));
			edge = &plan->edges[number];
			*edge = (struct plan_edge){ .from = from,
						    .to = to,
						    .feedback = stage->inputs[i].credit > 0,
						    .credit = stage->inputs[i].credit,
						    .names = stage->inputs[i].names,
						    .lane_bytes = plan->stages[to].lane_bytes,
						    .first_lane = plan->n_lanes,
						    .position = stage->inputs[i].position };
			order_edge(plan, edge);
			plan->n_lanes += plan->stages[from].workers * plan->stages[to].workers;
			add_edge_number(&plan->stages[to].inputs, &plan->stages[to].n_inputs, number);
			add_edge_number(&plan->stages[from].outputs, &plan->stages[from].n_outputs, number);
		}
	}
}

static void lay_slots(struct plan *plan)
{
	plan->slots = spec_alloc(plan->n_slots, sizeof(*plan->slots));
	for (uint32_t i = 0; i < plan->n_stages; i++)
		for (uint32_t worker = 0; worker < plan->stages[i].workers; worker++)
			plan->slots[plan->stages[i].first_slot + worker] =
				(struct plan_slot){ .stage = i, .worker_index = worker };
}

static void lay_lanes(struct plan *plan)
{
	uint32_t *n_readers = spec_alloc(plan->n_slots, sizeof(*n_readers)),
		 *n_writers = spec_alloc(plan->n_slots, sizeof(*n_writers));

	plan->lanes = spec_alloc(plan->n_lanes, sizeof(*plan->lanes));
	/* Edges are numbered by their readers, and a stage's outputs ascend: one pass gives both indices. */
	for (uint32_t number = 0; number < plan->n_edges; number++) {
		const struct plan_edge *edge = &plan->edges[number];
		const struct plan_stage *from = &plan->stages[edge->from], *to = &plan->stages[edge->to];

		for (uint32_t p = 0; p < from->workers; p++)
			for (uint32_t c = 0; c < to->workers; c++) {
				uint32_t producer = from->first_slot + p, consumer = to->first_slot + c;

				plan->lanes[edge->first_lane + p * to->workers + c] = (struct plan_lane){
					.edge = number,
					.producer = producer,
					.consumer = consumer,
					.capacity_bytes = edge->lane_bytes,
					.writer_index = n_writers[producer]++,
					.reader_index = n_readers[consumer]++,
				};
			}
	}
	for (uint32_t slot = 0; slot < plan->n_slots; slot++) {
		plan->slots[slot].geometry.n_readers = n_readers[slot];
		plan->slots[slot].geometry.n_writers = n_writers[slot];
	}
	free(n_readers);
	free(n_writers);
}

/* The slot's lanes in the order of its writer indices. */
static void lay_segment(struct plan *plan, uint32_t slot)
{
	struct plan_slot *planned = &plan->slots[slot];
	const struct plan_stage *stage = &plan->stages[planned->stage];
	uint32_t n = planned->geometry.n_writers, writer = 0;
	uint64_t *sizes = spec_alloc(n, sizeof(*sizes)), *offsets = spec_alloc(n, sizeof(*offsets));
	struct plan_lane **lanes = spec_alloc(n, sizeof(struct plan_lane *));

	for (uint32_t i = 0; i < stage->n_outputs; i++) {
		const struct plan_edge *edge = &plan->edges[stage->outputs[i]];
		uint32_t consumers = plan->stages[edge->to].workers;

		for (uint32_t c = 0; c < consumers; c++, writer++) {
			lanes[writer] = &plan->lanes[edge->first_lane + planned->worker_index * consumers + c];
			sizes[writer] = edge->lane_bytes;
		}
	}
	must(writer == n);
	segment_plan_with(&planned->geometry,
			  (stage->in_flight > 1 ? SEGMENT_ASYNCHRONOUS : 0) | (plan->unrecorded ? 0 : SEGMENT_RECORDED),
			  slot, planned->geometry.n_readers, n, sizes, offsets);
	for (uint32_t i = 0; i < n; i++)
		lanes[i]->off_data = offsets[i];
	free(lanes);
	free(sizes);
	free(offsets);
}

/* Behind the lanes: a hold for each input lane, as large as the lane. */
static void lay_holds(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_lanes; i++) {
		struct plan_lane *lane = &plan->lanes[i];
		struct segment_geometry *geometry = &plan->slots[lane->consumer].geometry;

		if (plan->stages[plan->edges[lane->edge].to].full != HERITAGE_FULL_DROP_OLD)
			continue;
		geometry->holds = true;
		plan->slots[lane->producer].geometry.drops = true;
		lane->off_hold = geometry->size_bytes;
		geometry->size_bytes += lane->capacity_bytes;
	}
}

/* All spools of one worker. A block of a size fills its first one up to that, and one item of half of a lane more. */
uint64_t plan_spools_bytes(const struct plan_stage *stage)
{
	const struct heritage_option *block = plan_option(stage, "block"), *mode = plan_option(stage, "mode");
	uint64_t bytes = stage->n_spools * stage->spool_bytes;
	int64_t size;

	if (stage->plugin || !stage->n_spools || !block || quantity_size(block->string, &size) != 0 ||
	    (mode && mode->string[0] != 'b'))
		return bytes;
	return bytes - stage->spool_bytes + exec_block_input_bound((uint64_t)size, stage->spool_bytes) +
	       stage->lane_bytes / 2 + SEGMENT_PAGE_SIZE;
}

static bool works_at_first(const struct plan *plan, uint32_t slot)
{
	const struct plan_slot *planned = &plan->slots[slot];

	return !plan_rests_at_first(&plan->stages[planned->stage], planned->worker_index);
}

/* at_first: without what lanes to and from a seat that rests would hold. */
static uint64_t memory_bound(const struct plan *plan, bool at_first)
{
	uint64_t bytes = board_size(plan->n_slots);

	for (uint32_t slot = 0; slot < plan->n_slots; slot++) {
		const struct plan_stage *stage = &plan->stages[plan->slots[slot].stage];
		bool works = !at_first || works_at_first(plan, slot);

		bytes += plan->slots[slot].geometry.size_bytes + (works ? plan_spools_bytes(stage) : 0);
		bytes += works && stage->state_bytes ? PLAN_STATE_MEMORY_BYTES : 0;
	}
	for (uint32_t i = 0; at_first && i < plan->n_lanes; i++) {
		const struct plan_lane *lane = &plan->lanes[i];

		if (!works_at_first(plan, lane->producer) || !works_at_first(plan, lane->consumer))
			bytes -= lane->capacity_bytes + (lane->off_hold ? lane->capacity_bytes : 0);
	}
	return bytes;
}

static bool source_is_finite(const struct plan_stage *stage)
{
	if (stage->plugin)
		return false;
	return strcmp(stage->kind, "generate") != 0 || plan_option(stage, "count");
}

static bool check_limits(struct reading *reading)
{
	struct plan *plan = reading->plan;
	uint64_t n_lanes = 0;

	for (uint32_t i = 0; i < plan->n_stages; i++) {
		plan->stages[i].first_slot = plan->n_slots;
		plan->n_slots += plan->stages[i].workers;
		for (uint32_t j = 0; j < reading->stages[i].n_inputs; j++)
			n_lanes += (uint64_t)plan->stages[i].workers *
				   plan->stages[reading->stages[i].inputs[j].from].workers;
	}
	if (plan->n_slots > SLOTS_MAX)
		reading_error(reading, ((struct spec_position){ 0, 0 }), NULL,
			      "%u workers in all; a pipeline has at most %u", plan->n_slots, SLOTS_MAX);
	if (n_lanes > LANES_MAX)
		reading_error(
			reading, ((struct spec_position){ 0, 0 }), NULL,
			"%llu lanes in all, one from each worker to each that reads from it; a pipeline has at most %u",
			(unsigned long long)n_lanes, LANES_MAX);
	return plan->n_slots <= SLOTS_MAX && n_lanes <= LANES_MAX;
}

void reading_lay_out(struct reading *reading)
{
	struct plan *plan = reading->plan;

	if (!check_limits(reading))
		return;
	lay_edges(reading, plan);
	lay_slots(plan);
	lay_lanes(plan);
	for (uint32_t slot = 0; slot < plan->n_slots; slot++)
		lay_segment(plan, slot);
	lay_holds(plan);
	plan_find_origins(plan);
	plan->memory_bound_bytes = memory_bound(plan, false);
	plan->memory_start_bytes = memory_bound(plan, true);
	plan->finite = true;
	for (uint32_t i = 0; i < plan->n_stages; i++)
		if (plan->stages[i].role == WEIR_SOURCE && !source_is_finite(&plan->stages[i]))
			plan->finite = false;
}
