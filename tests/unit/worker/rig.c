/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "worker/attach.h"
#include "worker/host.h"
#include "worker/input.h"
#include "worker/output.h"
#include "worker/turn.h"

static struct heritage_peer rig_peer(struct rig *rig, uint32_t slot)
{
	const struct segment_geometry *geometry = &rig->geometries[slot];
	struct heritage_peer peer = {
		.slot = slot,
		.doorbell_fd = rig->doorbells[slot],
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

	assert_int_equal(memfd_reopen_read_only(rig->fds[slot], &peer.segment_fd), 0);
	return peer;
}

static void rig_seat(struct rig *rig, struct worker *worker, uint32_t slot, uint32_t first_peer, uint32_t n_peers,
		     struct heritage_edge *input, struct heritage_edge *output)
{
	const struct segment_geometry *geometry = &rig->geometries[slot];
	struct text why = TEXT_NULL;
	struct heritage heritage = {
		.slot = slot,
		.generation = rig->generation,
		.n_slots = rig->board->n_slots,
		.segment_fd = dup(rig->fds[slot]),
		.board_fd = dup(rig->board_fd),
		.doorbell_fd = rig->doorbells[slot],
		.segment_size = geometry->size_bytes,
		.n_readers = geometry->n_readers,
		.n_writers = geometry->n_writers,
		.off_readers = geometry->off_readers,
		.off_writers = geometry->off_writers,
		.off_record = geometry->off_record,
		.off_data = geometry->off_data,
		.control_size = geometry->control_size_bytes,
		.off_done_bits = geometry->off_done_bits,
		.in_flight = geometry->off_done_bits ? rig->relay_in_flight : 1,
		.batch = 8,
		.attempts = 3,
		.spool_fds = { -1, -1 },
		.state_fd = -1,
		.socket_fd = -1,
		.n_peers = n_peers,
	};

	heritage.peers = calloc(n_peers, sizeof(*heritage.peers));
	for (uint32_t i = 0; i < n_peers; i++)
		heritage.peers[i] = rig_peer(rig, first_peer + i);
	heritage.inputs = input;
	heritage.n_inputs = input != NULL;
	heritage.outputs = output;
	heritage.n_outputs = output != NULL;
	memset(worker, 0, sizeof(*worker));
	worker->heritage = heritage;
	worker->watch.fd = -1;
	worker->item_number = 1;
	assert_int_equal(worker_attach(worker, &why), 0);
	text_deinit(&why);
}

static struct heritage_edge *rig_edge(struct rig *rig, bool of_producer, uint32_t own, enum heritage_order order,
				      enum heritage_balance balance, bool merge)
{
	struct heritage_edge *edge = calloc(1, sizeof(*edge));
	uint32_t n = of_producer ? rig->n_consumers : rig->n_producers;

	edge->peer_stage = strdup(of_producer ? "consumer" : "producer");
	edge->order = order;
	edge->balance = balance;
	edge->merge = merge;
	edge->first_ticket = order == HERITAGE_ORDER_KEEP && rig->n_consumers > 1 ? own : 0;
	edge->ticket_step = order == HERITAGE_ORDER_KEEP ? rig->n_consumers : 1;
	edge->lanes = calloc(n, sizeof(*edge->lanes));
	edge->n_lanes = n;
	for (uint32_t i = 0; i < n; i++)
		edge->lanes[i] = (struct heritage_lane){
			.peer = i,
			.own_index = i,
			.peer_index = own,
			.capacity_bytes = RIG_LANE_SIZE,
			.off_data = rig->geometries[of_producer ? own : i].off_data +
				    (uint64_t)(of_producer ? i : own) * RIG_LANE_SIZE,
		};
	return edge;
}

void rig_init(struct rig *rig, uint32_t n_producers, uint32_t n_consumers, enum heritage_order order,
	      enum heritage_balance balance, bool merge)
{
	uint64_t sizes[RIG_MAX] = { RIG_LANE_SIZE, RIG_LANE_SIZE, RIG_LANE_SIZE, RIG_LANE_SIZE }, offsets[RIG_MAX];

	memset(rig, 0, sizeof(*rig));
	rig->n_producers = n_producers;
	rig->n_consumers = n_consumers;
	for (uint32_t i = 0; i < n_producers + n_consumers; i++) {
		segment_plan(&rig->geometries[i], i, i < n_producers ? 0 : n_producers,
			     i < n_producers ? n_consumers : 0, sizes, offsets);
		assert_int_equal(segment_create(&rig->geometries[i], "rig", &rig->fds[i]), 0);
		assert_int_equal(doorbell_open(&rig->doorbells[i]), 0);
	}
	assert_int_equal(board_create(n_producers + n_consumers, &rig->board, &rig->board_fd), 0);
	for (uint32_t i = 0; i < n_producers; i++)
		rig_seat(rig, &rig->producers[i], i, n_producers, n_consumers, NULL,
			 rig_edge(rig, true, i, order, balance, merge));
	for (uint32_t i = 0; i < n_consumers; i++)
		rig_seat(rig, &rig->consumers[i], n_producers + i, 0, n_producers,
			 rig_edge(rig, false, i, order, balance, merge), NULL);
}

/* One lane; `peer` is its other end's slot, and the chain's slots are each other's peers by number. */
static struct heritage_edge *chain_edge(const struct rig *rig, uint32_t producer, uint32_t peer)
{
	struct heritage_edge *edge = calloc(1, sizeof(*edge));

	edge->peer_stage = strdup(peer == producer ? "producer" : "consumer");
	edge->lanes = calloc(1, sizeof(*edge->lanes));
	edge->n_lanes = 1;
	edge->lanes[0] = (struct heritage_lane){
		.peer = peer,
		.capacity_bytes = RIG_LANE_SIZE,
		.off_data = rig->geometries[producer].off_data,
	};
	return edge;
}

void rig_replace_relay(struct rig *rig, uint32_t generation)
{
	struct weir_context context = rig->relay.context;
	struct weir_stage stage = rig->relay.stage;
	struct client *client = rig->relay.client;

	worker_detach(&rig->relay);
	rig->generation = generation;
	rig_seat(rig, &rig->relay, 1, 0, 3, chain_edge(rig, 0, 0), chain_edge(rig, 1, 2));
	rig->relay.context = context;
	rig->relay.stage = stage;
	rig->relay.client = client;
	rig->relay.order_seen = BOARD_RUN;
	rig->relay.heritage.lifeline_fd = rig->relay.heritage.cancel_fd = rig->relay.heritage.scopes_fd = -1;
}

static void rig_set_stage(struct worker *worker, const struct weir_stage *stage)
{
	struct heritage nowhere = { .control_endpoint = (char *)(uintptr_t) "ipc:///nowhere/weir" };

	worker->context.host = &worker_host;
	worker->stage = *stage;
	worker->order_seen = BOARD_RUN;
	worker->heritage.lifeline_fd = worker->heritage.cancel_fd = worker->heritage.scopes_fd = -1;
	assert_int_equal(client_open(&nowhere, &worker->client), 0);
}

/* Edge 0 keeps the first lane; each other lane gets an edge like it. Undone before the lanes are freed. */
static void split_edges(struct worker *worker)
{
	uint32_t n = worker->n_inputs ? worker->inputs[0].n_lanes : worker->outputs[0].n_lanes;

	if (worker->n_inputs) {
		worker->inputs = realloc(worker->inputs, n * sizeof(*worker->inputs));
		for (uint32_t i = 0; i < n; i++) {
			worker->inputs[i] = worker->inputs[0];
			worker->inputs[i].lanes += i;
			worker->inputs[i].n_lanes = 1;
		}
		worker->n_inputs = n;
	} else {
		worker->outputs = realloc(worker->outputs, n * sizeof(*worker->outputs));
		for (uint32_t i = 0; i < n; i++) {
			worker->outputs[i] = worker->outputs[0];
			worker->outputs[i].lanes += i;
			worker->outputs[i].n_lanes = 1;
		}
		worker->n_outputs = n;
	}
}

static void join_edges(struct worker *worker)
{
	if (worker->n_inputs) {
		worker->inputs[0].n_lanes = worker->n_inputs;
		worker->n_inputs = 1;
	} else {
		worker->outputs[0].n_lanes = worker->n_outputs;
		worker->n_outputs = 1;
	}
}

void rig_employ(struct rig *rig, struct worker *worker, const struct weir_stage *stage)
{
	rig->employed = worker;
	rig_order(rig, BOARD_RUN);
	rig_set_stage(worker, stage);
	split_edges(worker);
}

void rig_order(struct rig *rig, uint32_t order)
{
	for (uint32_t i = 0; order == BOARD_CANCEL && i < rig->board->n_slots; i++) {
		store_relaxed(&rig->board->slots[i].cause, load_relaxed(&rig->board->cause));
		store_release(&rig->board->slots[i].order, order);
	}
	store_release(&rig->board->order, order);
	for (uint32_t i = 0; order < BOARD_CANCEL && i < rig->board->n_slots; i++)
		store_release(&rig->board->slots[i].order, order == BOARD_DRAIN ? BOARD_DRAIN : BOARD_HOLD);
}

void rig_init_chain(struct rig *rig, const struct weir_stage *stage)
{
	rig_init_chain_asynchronous(rig, stage, 1);
}

void rig_init_chain_asynchronous(struct rig *rig, const struct weir_stage *stage, uint32_t in_flight)
{
	uint64_t size = RIG_LANE_SIZE, offset;

	memset(rig, 0, sizeof(*rig));
	rig->n_producers = rig->n_consumers = 1;
	rig->has_relay = true;
	rig->relay_in_flight = in_flight;
	for (uint32_t i = 0; i < 3; i++) {
		(i == 1 && in_flight > 1 ? segment_plan_asynchronous : segment_plan)(&rig->geometries[i], i, i > 0,
										     i < 2, &size, &offset);
		assert_int_equal(segment_create(&rig->geometries[i], "rig", &rig->fds[i]), 0);
		assert_int_equal(doorbell_open(&rig->doorbells[i]), 0);
	}
	assert_int_equal(board_create(3, &rig->board, &rig->board_fd), 0);
	store_relaxed(&rig->board->order, BOARD_RUN);
	rig_seat(rig, &rig->producers[0], 0, 0, 3, NULL, chain_edge(rig, 0, 1));
	rig_seat(rig, &rig->relay, 1, 0, 3, chain_edge(rig, 0, 0), chain_edge(rig, 1, 2));
	rig_seat(rig, &rig->consumers[0], 2, 0, 3, chain_edge(rig, 1, 1), NULL);
	rig_set_stage(&rig->relay, stage);
}

void rig_deinit(struct rig *rig)
{
	uint32_t n = rig->board->n_slots;

	if (rig->employed) {
		client_close(rig->employed->client);
		join_edges(rig->employed);
	}
	if (rig->has_relay) {
		client_close(rig->relay.client);
		worker_detach(&rig->relay);
	}
	for (uint32_t i = 0; i < rig->n_producers; i++)
		worker_detach(&rig->producers[i]);
	for (uint32_t i = 0; i < rig->n_consumers; i++)
		worker_detach(&rig->consumers[i]);
	for (uint32_t i = 0; i < n; i++) {
		close(rig->fds[i]);
		close(rig->doorbells[i]);
	}
	board_detach(rig->board);
	close(rig->board_fd);
}

int rig_push(struct worker *producer, const char *text)
{
	int r = output_push(producer, 0, text, strlen(text));

	if (r == 0)
		output_item_end(producer);
	return r;
}

void rig_commit(struct worker *worker)
{
	worker->changed = true;
	assert_int_equal(turn_commit(worker), 0);
}

const char *rig_take(struct worker *consumer)
{
	static char text[RIG_LANE_SIZE];
	struct input input;

	switch (input_next(consumer, &input)) {
	case INPUT_E_EMPTY:
		return "-";
	case INPUT_E_CLOSED:
		return ".";
	case INPUT_E_BROKEN:
		return "!";
	default:
		break;
	}
	snprintf(text, sizeof(text), "%.*s", (int)input.size_bytes, (const char *)input.payload);
	input_take(consumer, &input);
	return input.header.kind == ITEM_RUN_END ? "|" : text;
}
