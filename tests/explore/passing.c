/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References over worker/pins.c: slot 1 passes on what lies in slot 0's lane, which has room for one item only, and slot 2 reads it
 * there. Its lane to slot 2 is larger than the others, because a reference's record does not divide theirs.
 */
#include <string.h>

#include "common/flow/reference.h"
#include "common/observe/ledger.h"
#include "tests/explore/features.h"
#include "tests/explore/real.h"
#include "worker/input.h"
#include "worker/output.h"
#include "worker/pins.h"
#include "worker/turn.h"
#include "worker/turn_priv.h"
#include "worker/wait.h"

static void forward(struct worker *worker, const struct input *input)
{
	struct output_edge *edge = &worker->outputs[0];
	struct input_lane *from = &worker->inputs[0].lanes[0];
	const struct item_reference reference = { .slot = 0,
						  .writer = 0,
						  .position = from->lane.next + sizeof(struct item_header),
						  .size_bytes = input->header.size_bytes };
	uint32_t held = pins_of_input(worker, from), lane;
	void *payload;

	/* as place_choose(), place_push() */
	if (!pins_possible(worker, &edge->lanes[0], held, from->lane.next) ||
	    output_choose(worker, edge, sizeof(reference), &lane, &payload) != 0)
		explore_fail("no room for a reference");
	memcpy(payload, &reference, sizeof(reference));
	output_build(worker, edge, lane, ITEM_REFERENCE, reference.size_bytes);
	pins_add(worker, &edge->lanes[lane], held, from->lane.next);
	worker->item_emitted++;
	output_item_end(worker);
}

static struct worker *attach_relay(unsigned slot)
{
	static struct text *no_text;
	struct real_place *place = real_attach(slot, 0, 2);
	struct worker *worker = &place->worker;

	place->output_heritage.references = true;
	worker->heritage.outputs = &place->output_heritage;
	worker->heritage.n_outputs = 1;
	worker->segment.geometry.n_readers = worker->segment.geometry.n_writers = 1;
	/* as attach_input(): nothing is freed before the pins are known */
	place->input_lanes[0] = (struct input_lane){ .lane = world_lane_from(slot, 0, 0), .peer = &place->peers[0] };
	place->input_lanes[0].lane.held = true;
	place->input_lanes[0].lane.held_from = load_relaxed(&place->input_lanes[0].lane.reader->free);
	lane_in_rewind(&place->input_lanes[0].lane);
	place->input =
		(struct input_edge){ .heritage = &place->input_heritage, .lanes = place->input_lanes, .n_lanes = 1 };
	worker->n_inputs = 1;
	real_add_output(place);
	place->output_lanes[0].lane.capacity_bytes = LANE_MAX;
	if (pins_attach(worker, no_text))
		explore_fail("the references of the last generation make no sense");
	return worker;
}

static void pass_one(struct worker *worker, const struct input *input)
{
	forward(worker, input);
	input_take(worker, input);
	worker->cursor.ledger[LEDGER_TAKEN]++;
	real_stage_cursor(worker);
	turn_commit(worker);
}

void pass_relay(unsigned slot)
{
	struct worker *worker = attach_relay(slot);
	const void *const wait_for[] = { &worker->inputs[0].lanes[0].lane.peer->tail,
					 &worker->inputs[0].lanes[0].lane.peer->closed,
					 &worker->outputs[0].lanes[0].lane.peer->free };
	struct input input;
	int r;

	while ((r = input_next(worker, &input)) != INPUT_E_CLOSED) {
		if (r == INPUT_E_BROKEN)
			explore_fail("the relay finds its lane broken");
		if (r == INPUT_E_EMPTY) {
			turn_release(worker); /* as wait_is_over() */
			explore_pause(wait_for, 3);
			continue;
		}
		pass_one(worker, &input);
	}
	lane_out_close(&worker->outputs[0].lanes[0].lane);
	while (turn_release(worker), pins_in_inputs(worker)) /* as turn_linger() */
		explore_pause(wait_for + 2, 1);
}

/* The same with its real sleeps: with what it holds it sleeps until it is asked for room. */
void pass_relay_asleep(unsigned slot)
{
	struct worker *worker = attach_relay(slot);
	struct input input;
	int r;

	while ((r = input_next(worker, &input)) != INPUT_E_CLOSED) {
		if (r == INPUT_E_BROKEN)
			explore_fail("the relay finds its lane broken");
		if (r == INPUT_E_EMPTY) {
			wait_sleep(worker, ARM_DATA, 0);
			continue;
		}
		pass_one(worker, &input);
	}
	turn_close(worker);
	turn_linger(worker);
}

/* Checks what a reference in slot 2's lane says of slot 0's. */
static void check_reference(struct item_header *header, const void *payload, uint64_t sequence)
{
	const struct reference_lane origin = { .data = world_lane_to(0, 0, 1).data,
					       .capacity_bytes = world_settings.capacity };
	struct item_reference reference;

	if (header->kind != ITEM_REFERENCE)
		explore_fail("the reader finds its lane broken");
	reference = reference_read(payload);
	if (reference_resolve(&reference, &origin, &payload))
		explore_fail("a reference makes no sense");
	header->size_bytes = (uint32_t)reference.size_bytes;
	item_check(header, payload, sequence);
}

void pass_consume_asleep(unsigned slot)
{
	struct real_place *place = real_attach(slot, slot - 1, slot - 1);
	struct worker *worker = &place->worker;
	struct input input;
	int r;

	real_add_input(place);
	place->input_lanes[0].lane.capacity_bytes = LANE_MAX;
	while ((r = input_next(worker, &input)) != INPUT_E_CLOSED) {
		struct item_header header = input.header;

		if (r == INPUT_E_BROKEN)
			explore_fail("the reader finds its lane broken");
		if (r == INPUT_E_EMPTY) {
			wait_sleep(worker, ARM_DATA, 0);
			continue;
		}
		check_reference(&header, input.payload, worker->cursor.sequence);
		input_take(worker, &input);
		worker->cursor.ledger[LEDGER_TAKEN]++;
		worker->cursor.sequence++;
		real_stage_cursor(worker);
		turn_commit(worker);
	}
}

struct end {
	struct segment *segment;
	struct lane_in in;
	struct commit commit;
	struct cursor cursor;
};

static struct end end;

void pass_consume(unsigned slot)
{
	end = (struct end){ .segment = &world_segments[slot], .in = world_lane_from(slot, slot - 1, 0) };
	end.in.capacity_bytes = LANE_MAX;
	lane_in_rewind(&end.in);
	end.cursor = *cursor_current(end.segment);
	commit_init(&end.commit, end.segment);
	for (;;) {
		struct item_header header, checked;
		const void *payload;
		int r = lane_in_peek(&end.in, &header, &payload);

		if (r == LANE_E_CLOSED)
			break;
		if (r == LANE_E_EMPTY) {
			explore_pause((const void *[]){ &end.in.peer->tail, &end.in.peer->closed }, 2);
			continue;
		}
		if (r == LANE_E_BROKEN)
			explore_fail("the reader finds its lane broken");
		checked = header;
		check_reference(&checked, payload, end.cursor.sequence++);
		lane_in_advance(&end.in, &header);
		memset(end.cursor.stage, (int)end.cursor.sequence, sizeof(end.cursor.stage));
		end.cursor.ledger[LEDGER_TAKEN]++;
		commit_add_cursor(&end.commit, &end.cursor);
		commit_add_done(&end.commit, &end.in);
		commit_publish(&end.commit);
		end.in.done = end.in.next;
		lane_in_release(&end.in);
	}
}

void pass_supervise(unsigned thread)
{
	int dead;

	(void)thread;
	while ((dead = explore_wait_death(7)) >= 0) {
		struct repair_report report;

		if (repair_run(&world_segments[dead], &report))
			explore_fail("the repair finds the record corrupt");
		explore_spawn((unsigned)dead);
	}
}

const char *pass_end(void)
{
	if (world_cursor(2)->sequence != world_settings.items)
		return "items are lost or done twice";
	if (load_relaxed(&world_segments[1].readers[0].free) != load_relaxed(&world_segments[0].writers[0].tail))
		return "room that nobody needs any more is not given back";
	return NULL;
}
