/* SPDX-License-Identifier: Apache-2.0 */
/* A rendezvous, a reader that leaves, and the head of a loop that looks whether all is quiet. */
#include <string.h>

#include "common/observe/ledger.h"
#include "tests/explore/features.h"
#include "tests/explore/real.h"
#include "worker/admission.h"
#include "worker/input.h"
#include "worker/leave.h"
#include "worker/loop.h"
#include "worker/output.h"
#include "worker/turn.h"
#include "worker/wait.h"

static void emit(struct worker *worker)
{
	uint64_t payload[WORDS_OF_PAYLOAD];

	item_fill(payload, worker->cursor.sequence);
	while (output_push(worker, 0, payload, sizeof(payload)) == OUTPUT_E_FULL) {
		real_stage_cursor(worker);
		turn_commit(worker);
		wait_sleep(worker, ARM_SPACE, worker->need_bytes);
	}
	output_item_end(worker);
	real_stage_cursor(worker);
	turn_commit(worker);
}

/* ---- rendezvous ---- */

/* Stands for whatever the reader does with an item: who was told that it is done may rely on it. */
static unsigned char *effect_of(unsigned slot)
{
	return &world_segments[slot].hand->pad[0];
}

void meet_produce(unsigned slot)
{
	struct real_place *place = real_attach(slot, 1, 1);
	struct worker *worker = &place->worker;

	real_add_output(place);
	place->output_heritage.rendezvous = true;
	worker->rendezvous = true;
	while (worker->cursor.sequence < world_settings.items) {
		emit(worker);
		admission_hand_over(worker);
		if (*effect_of(1) != (unsigned char)worker->cursor.sequence)
			explore_fail("the sender goes on before its reader has done");
	}
	turn_close(worker);
}

void meet_consume(unsigned slot)
{
	struct real_place *place = real_attach(slot, 0, 0);
	struct worker *worker = &place->worker;
	struct input input;
	int r;

	real_add_input(place);
	while ((r = input_next(worker, &input)) != INPUT_E_CLOSED) {
		if (r == INPUT_E_EMPTY) {
			wait_sleep(worker, ARM_DATA, 0);
			continue;
		}
		item_check(&input.header, input.payload, worker->cursor.sequence);
		input_take(worker, &input);
		worker->cursor.ledger[LEDGER_TAKEN]++;
		*effect_of(slot) = (unsigned char)++worker->cursor.sequence;
		real_stage_cursor(worker);
		turn_commit(worker);
	}
}

/* ---- leaving ---- */

void leave_produce(unsigned slot)
{
	struct real_place *place = real_attach(slot, 1, 1);
	struct worker *worker = &place->worker;

	real_add_output(place);
	worker->stage.role = WEIR_SOURCE;
	while (worker->cursor.sequence < world_settings.items) {
		worker->turns_to_left = 0;
		if (leave_follow(worker) == WEIR_CLOSED)
			break;
		emit(worker);
	}
	turn_close(worker);
}

void leave_consume(unsigned slot)
{
	struct real_place *place = real_attach(slot, 0, 0);
	struct worker *worker = &place->worker;
	struct input input;
	int r;

	real_add_input(place);
	leave_announce(worker);
	while ((r = input_next(worker, &input)) != INPUT_E_CLOSED) {
		if (r == INPUT_E_EMPTY) {
			wait_sleep(worker, ARM_DATA, 0);
			continue;
		}
		item_check(&input.header, input.payload, worker->cursor.sequence);
		if (!leave_has_left(worker, 0))
			leave_ask(worker, 0);
		input_take(worker, &input);
		worker->cursor.ledger[LEDGER_TAKEN]++;
		worker->cursor.sequence++;
		real_stage_cursor(worker);
		turn_commit(worker);
	}
}

void leave_supervise(unsigned thread)
{
	int dead;

	(void)thread;
	while ((dead = explore_wait_death(3)) >= 0) {
		struct repair_report report;

		if (repair_run(&world_segments[dead], &report))
			explore_fail("the repair finds the record corrupt");
		world_check_repaired((unsigned)dead);
		if (load_relaxed(&world_segments[1].readers[0].left) && !(world_cursor(1)->inputs_left & 1))
			explore_fail("a reader has said that it leaves, and wants the items again");
		doorbell_ring(!dead);
		explore_spawn((unsigned)dead);
	}
}

const char *leave_end(void)
{
	if (load_relaxed(&world_segments[1].readers[0].done) != load_relaxed(&world_segments[0].writers[0].tail))
		return "items are left in the lane";
	return load_relaxed(&world_segments[1].readers[0].left) ? NULL : "the reader has left, and does not say so";
}

/* ---- a loop ---- */

void loop_prepare(void)
{
	real_reset();
	world_fill(0, 0, 0, 1);
	store_relaxed(&world_segments[1].status->state, WORKER_STATE_WAIT_DATA);
}

/* Takes the item with one commit, and emits what it makes of it with another (WEIR_MORE); then sleeps again. */
void loop_stage(unsigned slot)
{
	struct real_place *place = real_attach(slot, 0, 2);
	struct worker *worker = &place->worker;
	struct input input;

	real_add_input(place);
	real_add_output(place);
	worker_set_state(worker, WORKER_STATE_BUSY, NO_LANE);
	if (input_next(worker, &input) != 0)
		explore_fail("the item is not there");
	input_take(worker, &input);
	turn_commit(worker);
	emit(worker);
	worker_set_state(worker, WORKER_STATE_WAIT_DATA, NO_LANE);
}

void loop_look(unsigned thread)
{
	static struct segment_armed armed;
	static struct heritage_loop_lane lanes[] = {
		{ .producer = 0, .consumer = 1, .capacity_bytes = 1024 },
		{ .producer = 1, .consumer = 2, .capacity_bytes = 1024 }, /* the head's; it takes nothing meanwhile */
	};
	static struct heritage_peer heritage_peers[SLOTS] = { { .slot = 0 }, { .slot = 1 }, { .slot = 2 } };
	static struct peer peers[SLOTS];
	static struct worker worker;
	struct input input;

	(void)thread;
	for (unsigned i = 0; i < SLOTS; i++)
		peers[i] = (struct peer){ .segment = world_segments[i] };
	worker = (struct worker){
		.heritage = { .n_loop_lanes = 2, .loop_lanes = lanes, .peers = heritage_peers, .n_peers = SLOTS },
		.segment = { .armed = &armed },
		.board = world_board,
		.peers = peers,
		.n_peers = SLOTS,
	};
	store_relaxed(&armed.word, 1);
	loop_attach(&worker);
	for (unsigned i = 0; i < 2; i++)
		if (loop_next(&worker, &input) == INPUT_E_CLOSED)
			explore_fail("the head ends the loop over an item");
}
