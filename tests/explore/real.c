/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers whose turns and sleeps are the real ones. worker/turn.c is included, because functions that matter are its own (turn_produce,
 * turn_take); the rest of worker/ that moves items is compiled beside this. What takes no part (messages, children, dead letters) is
 * answered for in stubs.c.
 */
#include "worker/turn.c"

#include "common/observe/ledger.h"
#include "tests/explore/real.h"

static struct real_place places[SLOTS];

void real_reset(void)
{
	memset(places, 0, sizeof(places));
}

static struct peer peer_of(unsigned slot)
{
	return (struct peer){ .segment = world_segments[slot],
			      .doorbell = { .armed = world_segments[slot].armed, .fd = world_doorbells[slot] } };
}

struct real_place *real_attach(unsigned slot, unsigned first_peer, unsigned second_peer)
{
	struct real_place *place = &places[slot];
	struct worker *worker = &place->worker;

	place->peers[0] = peer_of(first_peer);
	place->peers[1] = peer_of(second_peer);
	place->heritage_peers[0].slot = first_peer;
	place->heritage_peers[1].slot = second_peer;
	place->input_heritage = place->output_heritage =
		(struct heritage_edge){ .peer_stage = (char *)(uintptr_t) "peer", .lanes = place->heritage_lanes };
	*worker = (struct worker){
		.heritage = { .slot = slot,
			      .doorbell_fd = world_doorbells[slot],
			      .lifeline_fd = -1,
			      .cancel_fd = -1,
			      .scopes_fd = -1,
			      .attempts = 3,
			      .batch = 8,
			      .peers = place->heritage_peers,
			      .n_peers = LANES },
		.segment = world_segments[slot],
		.board = world_board,
		.peers = place->peers,
		.n_peers = first_peer == second_peer ? 1 : LANES,
		.inputs = &place->input,
		.outputs = &place->output,
		.item_number = 1,
		.watch = { .fd = -1 },
		.armed_epoch = ++place->generation << 32,
	};
	worker->cursor = *cursor_current(&worker->segment);
	commit_init(&worker->commit, &worker->segment);
	return place;
}

void real_add_input(struct real_place *place)
{
	place->input_lanes[0] =
		(struct input_lane){ .lane = world_lane_in(place->worker.heritage.slot), .peer = &place->peers[0] };
	place->input =
		(struct input_edge){ .heritage = &place->input_heritage, .lanes = place->input_lanes, .n_lanes = 1 };
	place->worker.n_inputs = 1;
}

void real_add_output(struct real_place *place)
{
	place->output_lanes[0] = (struct output_lane){ .lane = world_lane_out(place->worker.heritage.slot),
						       .peer = &place->peers[place->worker.n_inputs % LANES] };
	if (place->worker.n_peers == 1)
		place->output_lanes[0].peer = &place->peers[0];
	place->output = (struct output_edge){
		.heritage = &place->output_heritage, .lanes = place->output_lanes, .n_lanes = 1, .turn_lane = NO_LANE
	};
	place->worker.n_outputs = 1;
}

void real_stage_cursor(struct worker *worker)
{
	memset(worker->cursor.stage, (int)worker->cursor.sequence, sizeof(worker->cursor.stage));
}

static struct worker *attach(unsigned slot)
{
	struct real_place *place = real_attach(slot, !slot, !slot);

	if (slot)
		real_add_input(place);
	else
		real_add_output(place);
	return &place->worker;
}

void real_produce(unsigned slot)
{
	struct worker *worker = attach(slot);
	uint64_t payload[WORDS_OF_PAYLOAD];

	while (worker->cursor.sequence < world_settings.items) {
		item_fill(payload, worker->cursor.sequence);
		if (output_push(worker, 0, payload, sizeof(payload)) == OUTPUT_E_FULL) {
			real_stage_cursor(worker);
			turn_commit(worker);
			wait_sleep(worker, ARM_SPACE, worker->need_bytes);
			continue;
		}
		output_item_end(worker);
		if (worker->cursor.sequence % world_settings.batch == 0) {
			real_stage_cursor(worker);
			turn_commit(worker);
		}
	}
	real_stage_cursor(worker);
	turn_commit(worker);
	turn_close(worker);
}

void real_consume(unsigned slot)
{
	struct worker *worker = attach(slot);
	struct input input;
	int r;

	while ((r = input_next(worker, &input)) != INPUT_E_CLOSED) {
		if (r == INPUT_E_BROKEN)
			explore_fail("the consumer finds its lane broken");
		if (r == INPUT_E_EMPTY) {
			wait_sleep(worker, ARM_DATA, 0);
			continue;
		}
		item_check(&input.header, input.payload, worker->cursor.sequence);
		input_take(worker, &input);
		worker->cursor.ledger[LEDGER_TAKEN]++;
		worker->cursor.sequence++;
		real_stage_cursor(worker);
		turn_commit(worker);
	}
	worker->cursor.expected[0] = 0;
}

void real_supervise(unsigned thread)
{
	int dead;

	(void)thread;
	while ((dead = explore_wait_death(3)) >= 0) {
		struct repair_report report;

		if (repair_run(&world_segments[dead], &report))
			explore_fail("the repair finds the record corrupt");
		world_check_repaired((unsigned)dead);
		doorbell_ring(!dead);
		explore_spawn((unsigned)dead);
	}
}

/* ---- the short way: real turns, and a stage that uses the inline calls ---- */

static int stage_produce(struct weir_context *context, void *state)
{
	struct worker *worker = worker_of(context);
	uint64_t payload[WORDS_OF_PAYLOAD];
	bool any = false;

	(void)state;
	while (context->sequence < world_settings.items && weir_window_serves(context, 0, sizeof(payload))) {
		item_fill(payload, context->sequence);
		weir_emit(context, 0, payload, sizeof(payload));
		memset(worker->cursor.stage, (int)context->sequence, sizeof(worker->cursor.stage));
		any = true;
	}
	worker->full = !any;
	worker->need_bytes = RECORD_SIZE;
	return context->sequence < world_settings.items ? WEIR_MORE : WEIR_CLOSED;
}

static int stage_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	struct worker *worker = worker_of(context);
	const struct item_header header = { .size_bytes = (uint32_t)item->size_bytes, .sequence = item->sequence };

	(void)state;
	item_check(&header, item->data, worker->cursor.sequence++);
	real_stage_cursor(worker);
	return WEIR_OK;
}

static int stage_finish(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return WEIR_OK;
}

void real_produce_plain(unsigned slot)
{
	struct worker *worker = attach(slot);

	worker->stage = (struct weir_stage){ .role = WEIR_SOURCE,
					     .produce = stage_produce,
					     .cursor_size_bytes = CURSOR_STAGE_SIZE };
	worker->plain_output = true;
	turn_prepare(worker);
	while (worker->cursor.sequence < world_settings.items)
		turn_produce(worker);
	turn_close(worker);
}

void real_consume_plain(unsigned slot)
{
	struct worker *worker = attach(slot);
	int r;

	worker->stage = (struct weir_stage){ .role = WEIR_SINK,
					     .process = stage_process,
					     .finish = stage_finish,
					     .cursor_size_bytes = CURSOR_STAGE_SIZE };
	worker->plain_input = true;
	turn_prepare(worker);
	while ((r = turn_take(worker)) != WEIR_CLOSED)
		if (r == TURN_IDLE)
			wait_sleep(worker, ARM_DATA, 0);
		else if (r != 0)
			explore_fail("a turn of the sink fails");
}
