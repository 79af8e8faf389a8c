/* SPDX-License-Identifier: Apache-2.0 */
/* worker/retire.c beside the supervisor that retires a slot, and beside who looks at the lanes meanwhile. */
#include <string.h>

#include "common/observe/ledger.h"
#include "tests/explore/features.h"
#include "tests/explore/real.h"
#include "worker/input.h"
#include "worker/loop.h"
#include "common/flow/commit_priv.h"
#include "worker/retire.h"
#include "worker/wait.h"

enum { PRODUCER = 0, DEAD = 1, ALIVE = 2 };

static uint64_t at(uint64_t n_items)
{
	return world_settings.base + n_items * RECORD_SIZE;
}

/* Two items lie in its lane, the first of which it has committed: its record says so, its `done` not yet. */
void retire_prepare(void)
{
	struct commit_record *record = world_segments[DEAD].record;

	real_reset();
	world_fill(PRODUCER, 0, 0, 2);
	record->operations[0] = (struct commit_operation){
		.kind = COMMIT_DONE,
		.word = commit_word(world_segments[DEAD].base, &world_segments[DEAD].readers[0].done),
		.value = at(1),
	};
	store_relaxed(&record->state, 1);
}

/* repair_run() and seat_retire() */
void retire_supervise(unsigned thread)
{
	struct repair_report report;

	(void)thread;
	if (repair_run(&world_segments[DEAD], &report))
		explore_fail("the repair finds the record corrupt");
	store_release(&world_board->slots[DEAD].dealing, 1);
	store_release(&world_board->dealings, load_relaxed(&world_board->dealings) + 1);
}

static struct output_lane lane_to(struct real_place *place, unsigned lane, unsigned consumer)
{
	struct output_lane output = { .lane = world_lane_to(PRODUCER, lane, consumer), .peer = &place->peers[lane] };

	lane_out_rewind(&output.lane);
	return output;
}

void retire_produce(unsigned slot)
{
	struct real_place *place = real_attach(slot, DEAD, ALIVE);
	struct worker *worker = &place->worker;

	place->output_lanes[0] = lane_to(place, 0, DEAD);
	place->output_lanes[1] = lane_to(place, 1, ALIVE);
	place->output_heritage.movable = true;
	place->output = (struct output_edge){
		.heritage = &place->output_heritage, .lanes = place->output_lanes, .n_lanes = 2, .turn_lane = NO_LANE
	};
	worker->n_outputs = 1;
	while (!retire_is_due(worker))
		explore_pause((const void *[]){ &world_board->dealings }, 1);
	if (retire_move(worker))
		explore_fail("what lies in the dead lane can't be moved");
}

const char *retire_end(void)
{
	const struct lane_writer *writers = world_segments[PRODUCER].writers;

	if (load_relaxed(&writers[0].tail) != load_relaxed(&world_segments[DEAD].readers[0].done))
		return "items are left in the lane of a retired worker";
	return load_relaxed(&writers[1].tail) == at(1) ? NULL : "an item that was done is moved too";
}

/* As take_queues(): from the lane that is taken back to the one that gets it. */
void retire_sum(unsigned thread)
{
	(void)thread;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t dead = load_acquire(&world_segments[PRODUCER].writers[0].tail);
		uint64_t alive = load_acquire(&world_segments[PRODUCER].writers[1].tail);

		if (dead - at(1) + alive - at(0) == 0)
			explore_fail("an item is in no lane: taken back from one, not yet in the other");
	}
}

/* ---- beside one who sleeps ---- */

void retire_prepare_asleep(void)
{
	real_reset();
	world_fill(PRODUCER, 0, 0, 1);
	store_relaxed(&world_board->slots[DEAD].dealing, 1);
	store_relaxed(&world_board->dealings, 1);
}

void retire_consume(unsigned slot)
{
	struct real_place *place = real_attach(slot, PRODUCER, PRODUCER);
	struct worker *worker = &place->worker;
	struct input input;

	place->input_lanes[0] =
		(struct input_lane){ .lane = world_lane_from(slot, PRODUCER, 1), .peer = &place->peers[0] };
	lane_in_rewind(&place->input_lanes[0].lane);
	place->input =
		(struct input_edge){ .heritage = &place->input_heritage, .lanes = place->input_lanes, .n_lanes = 1 };
	worker->n_inputs = 1;
	worker->dealings_seen = 1;
	while (input_next(worker, &input) == INPUT_E_EMPTY)
		wait_sleep(worker, ARM_DATA, 0);
	item_check(&input.header, input.payload, 0);
}

/* ---- in a loop ---- */

/* One item, in the lane of the dead one; the other has slept through it all. */
void retire_prepare_loop(void)
{
	real_reset();
	world_fill(PRODUCER, 0, 0, 1);
	store_relaxed(&world_segments[ALIVE].status->state, WORKER_STATE_WAIT_DATA);
}

void retire_look(unsigned thread)
{
	static struct segment_armed armed;
	static struct heritage_loop_lane lanes[] = {
		{ .producer = 1, .consumer = 2, .writer_index = 1, .capacity_bytes = 1024 },
		{ .producer = 1, .consumer = 0, .writer_index = 0, .capacity_bytes = 1024 },
	};
	static struct heritage_peer heritage_peers[] = { { .slot = DEAD }, { .slot = PRODUCER }, { .slot = ALIVE } };
	struct peer peers[] = { { .segment = world_segments[DEAD] },
				{ .segment = world_segments[PRODUCER] },
				{ .segment = world_segments[ALIVE] } };
	static struct worker worker;
	struct input input;

	(void)thread;
	worker = (struct worker){
		.heritage = { .n_loop_lanes = 2, .loop_lanes = lanes, .peers = heritage_peers, .n_peers = 3 },
		.segment = { .armed = &armed },
		.board = world_board,
		.peers = peers,
		.n_peers = 3,
	};
	store_relaxed(&armed.word, 1);
	loop_attach(&worker);
	for (unsigned i = 0; i < 2; i++)
		if (loop_next(&worker, &input) == INPUT_E_CLOSED)
			explore_fail("the head ends the loop over an item that is moved meanwhile");
}
