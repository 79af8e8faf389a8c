/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the plan that one worker needs, as its heritage. Runs in the supervisor at every start of a worker: running out of memory is
 * an error here, not the end. A failed copy is remembered and looked at once, at the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/spec/plan.h"
#include "common/base/error.h"

struct filling {
	const struct plan *plan;
	const struct plan_slot *slot;
	const struct plan_stage *stage;
	struct heritage *heritage;
	uint32_t *loop; /* stages of the loop whose head it is; owned */
	uint32_t n_loop;
	bool failed;
};

static char *copy_string(struct filling *filling, const char *string)
{
	char *copy = string ? strdup(string) : NULL;

	if (string && !copy)
		filling->failed = true;
	return copy;
}

static void *zeroed(struct filling *filling, size_t n, size_t size_bytes)
{
	void *memory = n ? calloc(n, size_bytes) : NULL;

	if (n && !memory)
		filling->failed = true;
	return memory;
}

static void copy_option(struct filling *filling, const struct heritage_option *from, struct heritage_option *to)
{
	to->name = copy_string(filling, from->name);
	to->type = from->type;
	to->number = from->number;
	to->string = copy_string(filling, from->string);
	to->line = from->line;
	to->column = from->column;
	if (!from->list)
		return;
	to->list = zeroed(filling, from->n_list + 1u, sizeof(char *));
	if (!to->list)
		return;
	to->n_list = from->n_list;
	for (uint32_t i = 0; i < from->n_list; i++)
		to->list[i] = copy_string(filling, from->list[i]);
}

static void fill_options(struct filling *filling)
{
	filling->heritage->options = zeroed(filling, filling->stage->n_options, sizeof(struct heritage_option));
	if (!filling->heritage->options)
		return;
	filling->heritage->n_options = filling->stage->n_options;
	for (uint32_t i = 0; i < filling->stage->n_options; i++)
		copy_option(filling, &filling->stage->options[i], &filling->heritage->options[i]);
}

static int compare_slots(const void *a, const void *b)
{
	uint32_t x = ((const struct heritage_peer *)a)->slot, y = ((const struct heritage_peer *)b)->slot;

	return (x > y) - (x < y);
}

/* Slots of a neighbouring stage, not yet sorted and perhaps there already by another edge. */
static void add_peers(struct filling *filling, uint32_t stage_index)
{
	const struct plan_stage *stage = &filling->plan->stages[stage_index];

	for (uint32_t slot = stage->first_slot; slot < stage->first_slot + stage->workers; slot++) {
		const struct segment_geometry *geometry = &filling->plan->slots[slot].geometry;

		filling->heritage->peers[filling->heritage->n_peers++] = (struct heritage_peer){
			.slot = slot,
			.segment_fd = -1,
			.doorbell_fd = -1,
			.segment_size = geometry->size_bytes,
			.n_readers = geometry->n_readers,
			.n_writers = geometry->n_writers,
			.off_readers = geometry->off_readers,
			.off_writers = geometry->off_writers,
			.off_record = geometry->off_record,
			.off_data = geometry->off_data,
			.control_size = geometry->control_size_bytes,
			.off_done_bits = geometry->off_done_bits,
		};
	}
}

static void fill_peers(struct filling *filling)
{
	const struct plan_stage *stage = filling->stage;
	struct heritage *heritage = filling->heritage;
	uint32_t n_all = filling->slot->geometry.n_readers + filling->slot->geometry.n_writers, n = 0;

	for (uint32_t i = 0; i < filling->n_loop; i++)
		n_all += filling->plan->stages[filling->loop[i]].workers;
	heritage->peers = zeroed(filling, n_all, sizeof(*heritage->peers));
	if (!heritage->peers)
		return;
	for (uint32_t i = 0; i < stage->n_inputs; i++)
		add_peers(filling, filling->plan->edges[stage->inputs[i]].from);
	for (uint32_t i = 0; i < stage->n_outputs; i++)
		add_peers(filling, filling->plan->edges[stage->outputs[i]].to);
	for (uint32_t i = 0; i < filling->n_loop; i++)
		add_peers(filling, filling->loop[i]);
	qsort(heritage->peers, heritage->n_peers, sizeof(*heritage->peers), compare_slots);
	for (uint32_t i = 0; i < heritage->n_peers; i++)
		if (n == 0 || heritage->peers[n - 1].slot != heritage->peers[i].slot)
			heritage->peers[n++] = heritage->peers[i];
	heritage->n_peers = n;
}

/* All lanes of one slot, in the order of its writer indices: as layout.c drew them. */
static void fill_origin(struct filling *filling, uint32_t slot, struct heritage_origin *ret)
{
	const struct plan *plan = filling->plan;
	const struct plan_slot *planned = &plan->slots[slot];
	const struct plan_stage *stage = &plan->stages[planned->stage];
	uint32_t n = planned->geometry.n_writers;

	*ret = (struct heritage_origin){ .slot = slot,
					 .segment_fd = -1,
					 .segment_size = planned->geometry.size_bytes,
					 .off_data = planned->geometry.off_data };
	ret->lanes = zeroed(filling, n, sizeof(*ret->lanes));
	if (!ret->lanes)
		return;
	for (uint32_t i = 0; i < stage->n_outputs; i++) {
		const struct plan_edge *edge = &plan->edges[stage->outputs[i]];
		uint32_t consumers = plan->stages[edge->to].workers;

		for (uint32_t c = 0; c < consumers; c++) {
			const struct plan_lane *lane =
				&plan->lanes[edge->first_lane + planned->worker_index * consumers + c];

			ret->lanes[ret->n_lanes++] =
				(struct heritage_origin_lane){ lane->off_data, lane->capacity_bytes };
		}
	}
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Stages have ascending slots, so sorting the stages sorts the slots. */
static void fill_origins(struct filling *filling)
{
	const struct plan_stage *stage = filling->stage;
	uint32_t n = plan_origin_slots(filling->plan, stage), *origins;

	filling->heritage->origins = zeroed(filling, n, sizeof(*filling->heritage->origins));
	origins = zeroed(filling, stage->n_origins, sizeof(*origins));
	if (filling->heritage->origins && origins) {
		memcpy(origins, stage->origins, stage->n_origins * sizeof(*origins));
		qsort(origins, stage->n_origins, sizeof(*origins), compare_numbers);
		for (uint32_t i = 0; i < stage->n_origins; i++) {
			const struct plan_stage *origin = &filling->plan->stages[origins[i]];

			for (uint32_t slot = origin->first_slot; slot < origin->first_slot + origin->workers; slot++)
				fill_origin(filling, slot, &filling->heritage->origins[filling->heritage->n_origins++]);
		}
	}
	free(origins);
}

static uint32_t find_peer(const struct heritage *heritage, uint32_t slot)
{
	const struct heritage_peer wanted = { .slot = slot };
	const struct heritage_peer *found =
		bsearch(&wanted, heritage->peers, heritage->n_peers, sizeof(wanted), compare_slots);

	return found ? (uint32_t)(found - heritage->peers) : UINT32_MAX;
}

static void fill_edge(struct filling *filling, uint32_t number, bool is_input, struct heritage_edge *ret)
{
	const struct plan_edge *edge = &filling->plan->edges[number];
	const struct plan_stage *from = &filling->plan->stages[edge->from], *to = &filling->plan->stages[edge->to];
	uint32_t n = is_input ? from->workers : to->workers, index = filling->slot->worker_index;

	ret->peer_stage = copy_string(filling, is_input ? from->name : to->name);
	ret->order = edge->order;
	ret->balance = to->balance;
	ret->balance_key = copy_string(filling, to->balance_key);
	ret->full = to->full;
	ret->rendezvous = to->rendezvous;
	ret->feedback = edge->feedback;
	ret->credit = edge->credit / from->workers;
	ret->movable = !is_input && to->degrade;
	ret->run_bytes = edge->run_bytes;
	ret->run_records = edge->run_records;
	ret->run_wait_ns = edge->run_wait_ns;
	ret->merge = is_input && edge->merge;
	ret->references = edge->references;
	ret->names = is_input ? 0 : edge->names;
	ret->first_ticket = ret->merge ? index : 0; /* a lone consumer has index 0 */
	ret->ticket_step = ret->merge ? to->workers : 0;
	ret->lanes = zeroed(filling, n, sizeof(*ret->lanes));
	if (!ret->lanes)
		return;
	ret->n_lanes = n;
	for (uint32_t i = 0; i < n; i++) {
		const struct plan_lane *lane =
			&filling->plan->lanes[edge->first_lane +
					      (is_input ? i * to->workers + index : index * to->workers + i)];

		ret->lanes[i] = (struct heritage_lane){
			.peer = find_peer(filling->heritage, is_input ? lane->producer : lane->consumer),
			.own_index = is_input ? lane->reader_index : lane->writer_index,
			.peer_index = is_input ? lane->writer_index : lane->reader_index,
			.off_data = lane->off_data,
			.capacity_bytes = lane->capacity_bytes,
			.off_hold = is_input ? lane->off_hold : 0,
		};
	}
}

static void fill_edges(struct filling *filling)
{
	const struct plan_stage *stage = filling->stage;
	struct heritage *heritage = filling->heritage;

	heritage->inputs = zeroed(filling, stage->n_inputs, sizeof(*heritage->inputs));
	heritage->outputs = zeroed(filling, stage->n_outputs, sizeof(*heritage->outputs));
	if (filling->failed)
		return;
	heritage->n_inputs = stage->n_inputs;
	heritage->n_outputs = stage->n_outputs;
	for (uint32_t i = 0; i < stage->n_inputs; i++)
		fill_edge(filling, stage->inputs[i], true, &heritage->inputs[i]);
	for (uint32_t i = 0; i < stage->n_outputs; i++)
		fill_edge(filling, stage->outputs[i], false, &heritage->outputs[i]);
}

static uint32_t loop_end(const struct filling *filling, uint32_t slot)
{
	return slot == filling->heritage->slot ? HERITAGE_SELF : find_peer(filling->heritage, slot);
}

/* The lanes that lead to one slot of the loop from inside the loop; to the head: only the ways back. */
static void fill_loop_slot(struct filling *filling, uint32_t stage, uint32_t worker, uint32_t *n)
{
	const struct plan *plan = filling->plan;
	const struct plan_stage *to = &plan->stages[stage];
	bool is_head = to == filling->stage;

	for (uint32_t i = 0; i < to->n_inputs; i++) {
		const struct plan_edge *edge = &plan->edges[to->inputs[i]];

		if (is_head && !edge->feedback)
			continue;
		for (uint32_t p = 0; p < plan->stages[edge->from].workers; p++, (*n)++) {
			const struct plan_lane *lane = &plan->lanes[edge->first_lane + p * to->workers + worker];

			if (filling->heritage->loop_lanes)
				filling->heritage->loop_lanes[*n] = (struct heritage_loop_lane){
					.producer = loop_end(filling, lane->producer),
					.consumer = loop_end(filling, lane->consumer),
					.writer_index = lane->writer_index,
					.reader_index = lane->reader_index,
					.capacity_bytes = lane->capacity_bytes,
				};
		}
	}
}

static void fill_loop_lanes(struct filling *filling, uint32_t *n)
{
	const struct plan *plan = filling->plan;

	for (uint32_t i = 0; i < filling->n_loop; i++)
		for (uint32_t worker = 0; worker < plan->stages[filling->loop[i]].workers; worker++)
			fill_loop_slot(filling, filling->loop[i], worker, n);
	fill_loop_slot(filling, (uint32_t)(filling->stage - plan->stages), filling->slot->worker_index, n);
}

/* Counted first, then filled, each stage after those that feed it. */
static void fill_loop(struct filling *filling)
{
	uint32_t n = 0;

	if (!filling->n_loop)
		return;
	fill_loop_lanes(filling, &n);
	filling->heritage->loop_lanes = zeroed(filling, n, sizeof(struct heritage_loop_lane));
	if (!filling->heritage->loop_lanes)
		return;
	filling->heritage->n_loop_lanes = n;
	n = 0;
	fill_loop_lanes(filling, &n);
}

static void fill_own(struct filling *filling, uint32_t slot)
{
	const struct segment_geometry *geometry = &filling->slot->geometry;
	const struct plan_stage *stage = filling->stage;

	*filling->heritage = (struct heritage){
		.pipeline = copy_string(filling, filling->plan->pipeline),
		.stage = copy_string(filling, stage->name),
		.kind = copy_string(filling, stage->kind),
		.plugin = copy_string(filling, stage->plugin),
		.spec = copy_string(filling, filling->plan->spec_path),
		.role = (uint32_t)stage->role,
		.slot = slot,
		.worker_index = filling->slot->worker_index,
		.n_workers = stage->workers,
		.n_slots = filling->plan->n_slots,
		.segment_fd = -1,
		.board_fd = -1,
		.doorbell_fd = -1,
		.lifeline_fd = -1,
		.cancel_fd = -1,
		.scopes_fd = -1,
		.spool_fds = { -1, -1 },
		.state_fd = -1,
		.socket_fd = -1,
		.state_bytes = stage->state_bytes,
		.segment_size = geometry->size_bytes,
		.n_readers = geometry->n_readers,
		.n_writers = geometry->n_writers,
		.off_readers = geometry->off_readers,
		.off_writers = geometry->off_writers,
		.off_record = geometry->off_record,
		.off_data = geometry->off_data,
		.control_size = geometry->control_size_bytes,
		.off_done_bits = geometry->off_done_bits,
		.ordered = stage->order == PLAN_ORDER_FIFO && stage->workers > 1,
		.forwards = stage->forwards,
		.batch = stage->batch,
		.in_flight = stage->in_flight,
		.deadline_ns = stage->keeps_deadline ? 0 : stage->deadline_ns,
		.expires_ns = stage->role == WEIR_SOURCE ? 0 : filling->plan->expires_ns,
		.expires = copy_string(filling, stage->expires),
		.admission_ns = stage->admission_ns,
		.attempts = stage->attempts,
		.dead_letter_path = copy_string(filling, stage->dead_letter_path),
	};
}

int plan_heritage(const struct plan *plan, uint32_t slot, struct heritage *ret_heritage)
{
	struct filling filling = { .plan = plan };
	struct heritage heritage;

	if (slot >= plan->n_slots)
		return error_origin(-EINVAL);
	filling.slot = &plan->slots[slot];
	filling.stage = &plan->stages[filling.slot->stage];
	filling.heritage = &heritage;
	fill_own(&filling, slot);
	filling.failed = filling.failed || plan_loop(plan, filling.slot->stage, &filling.loop, &filling.n_loop) < 0;
	fill_options(&filling);
	fill_peers(&filling);
	fill_origins(&filling);
	if (!filling.failed)
		fill_edges(&filling);
	if (!filling.failed)
		fill_loop(&filling);
	free(filling.loop);
	if (filling.failed) {
		heritage_deinit(&heritage);
		return error_origin(-ENOMEM);
	}
	*ret_heritage = heritage;
	return 0;
}
