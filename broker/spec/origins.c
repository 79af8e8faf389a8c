/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may have to read whose lanes. An item that travels as a reference lies in a lane of a stage further up, so its readers need that
 * stage's segments beside their neighbours'.
 *
 *      read -> check -> price -> write          check and price forward, read and write don't
 *        \_______________/-------^
 *      origins of price: read                   what check passes on lies in read's lanes
 *      origins of write: read, check            ... and what price passes on may lie in check's as well
 *
 *      read -> a, b                             two outputs: an item for both lies in the lane to a, and b's refers to it
 *      origins of a, b: read
 *
 * So an edge carries references if its producer forwards or has several outputs. One descriptor for each slot of an origin, so
 * where they would be too many the edge carries copies, and its consumer's own lanes are the origin of all that follows.
 * Stages are taken in the order of the stream.
 *
 * Copies travel over an edge that leads back (a reference that came back to where it started would hold the room that it needs to
 * go on) and on all of its loop, which counts on room as soon as items are done; over one whose oldest items may be dropped, for
 * nothing stays there for as long as it is read; and over one whose lanes may be retired: a moved reference would need its hold moved.
 */
#include "broker/spec/memory.h"
#include "broker/spec/reading.h"

#define ORIGIN_SLOTS_MAX 256u

uint32_t plan_origin_slots(const struct plan *plan, const struct plan_stage *stage)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < stage->n_origins; i++)
		n += plan->stages[stage->origins[i]].workers;
	return n;
}

static void add_origin(struct plan_stage *stage, uint32_t origin)
{
	for (uint32_t i = 0; i < stage->n_origins; i++)
		if (stage->origins[i] == origin)
			return;
	stage->origins = spec_grow(stage->origins, stage->n_origins, sizeof(*stage->origins));
	stage->origins[stage->n_origins++] = origin;
}

/* What one producer brings. Returns whether it may bring references at all. */
static bool add_origins_of(const struct plan *plan, struct plan_stage *stage, uint32_t from)
{
	const struct plan_stage *producer = &plan->stages[from];

	if (producer->n_outputs > 1)
		add_origin(stage, from);
	if (producer->forwards) {
		for (uint32_t i = 0; i < producer->n_inputs; i++)
			add_origin(stage, plan->edges[producer->inputs[i]].from);
		for (uint32_t i = 0; i < producer->n_origins; i++)
			add_origin(stage, producer->origins[i]);
	}
	return producer->n_outputs > 1 || producer->forwards;
}

/* Stages that read from inside a loop; owned by the caller. */
static bool *find_loops(const struct plan *plan)
{
	bool *on_loop = spec_alloc(plan->n_stages, sizeof(*on_loop));

	for (uint32_t i = 0; i < plan->n_stages; i++) {
		uint32_t *stages, n;
		int r = plan_loop(plan, i, &stages, &n);

		must(r == 0);
		for (uint32_t j = 0; j < n; j++)
			on_loop[stages[j]] = true;
		free(stages);
	}
	return on_loop;
}

static void find_origins(struct plan *plan, struct plan_stage *stage, bool on_loop)
{
	for (uint32_t i = 0; i < stage->n_inputs; i++) {
		struct plan_edge *edge = &plan->edges[stage->inputs[i]];

		edge->references = !edge->feedback && !on_loop && !stage->degrade &&
				   stage->full != HERITAGE_FULL_DROP_OLD && add_origins_of(plan, stage, edge->from);
	}
	if (plan_origin_slots(plan, stage) <= ORIGIN_SLOTS_MAX)
		return;
	for (uint32_t i = 0; i < stage->n_inputs; i++)
		plan->edges[stage->inputs[i]].references = false;
	stage->n_origins = 0;
}

void plan_find_origins(struct plan *plan)
{
	bool *on_loop = find_loops(plan);
	uint32_t *n_waiting = spec_alloc(plan->n_stages, sizeof(*n_waiting)),
		 *ready = spec_alloc(plan->n_stages, sizeof(*ready)), n_ready = 0;

	for (uint32_t i = 0; i < plan->n_stages; i++) {
		for (uint32_t j = 0; j < plan->stages[i].n_inputs; j++)
			n_waiting[i] += !plan->edges[plan->stages[i].inputs[j]].feedback;
		if (!n_waiting[i])
			ready[n_ready++] = i;
	}
	for (uint32_t next = 0; next < n_ready; next++) {
		struct plan_stage *stage = &plan->stages[ready[next]];

		find_origins(plan, stage, on_loop[ready[next]]);
		for (uint32_t i = 0; i < stage->n_outputs; i++) {
			const struct plan_edge *edge = &plan->edges[stage->outputs[i]];

			if (!edge->feedback && --n_waiting[edge->to] == 0)
				ready[n_ready++] = edge->to;
		}
	}
	free(on_loop);
	free(n_waiting);
	free(ready);
}
