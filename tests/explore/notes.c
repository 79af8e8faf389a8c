/* SPDX-License-Identifier: Apache-2.0 */
/* The item in hand of a worker that is killed: noted by the general way, the short way and an asynchronous stage. */
#include <string.h>

#include "tests/explore/features.h"
#include "tests/explore/real.h"
#include "worker/in_flight_priv.h"
#include "worker/take.h"
#include "worker/turn.h"
#include "worker/turn_priv.h"

#define NOTES 3u

/* What the notes say, in their order; sequence 0: it is not noted with the rest. */
static struct {
	uint64_t position, sequence;
	uint32_t lane;
	bool never; /* it is not the only one that may be to blame: it must not be named */
} notes[NOTES];
static bool noting;

static uint64_t position_of(uint64_t note)
{
	return world_settings.base + note * RECORD_SIZE;
}

static void last_kill(unsigned slot)
{
	world_segments[slot].hand->pad[0] = 1; /* a last point for a kill */
}

/* No two notes with a field in common. */
void note_turns(unsigned slot)
{
	struct real_place *place = real_attach(slot, 0, 0);
	struct worker *worker = &place->worker;

	real_add_input(place);
	for (unsigned i = 0; i < NOTES; i++) {
		struct input input = { .header = { .sequence = 101 + i } };

		notes[i].position = position_of(i + 1);
		notes[i].sequence = input.header.sequence;
		notes[i].lane = i & 1;
		notes[i].never = false;
		noting = true;
		place->input_lanes[0].lane.index = i & 1;
		turn_note_hand(worker, &input, notes[i].position);
		noting = false;
	}
	last_kill(slot);
}

static int stage_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	(void)context;
	(void)state;
	(void)item;
	noting = false;
	world_segments[1].hand->pad[0] = 1;
	if (!world_segments[1].hand->pad[0]) /* a kill between the two finds the stage at work */
		return WEIR_FAILED;
	noting = true;
	return WEIR_OK;
}

/* Two lanes over the same items: the first has one, the second goes on behind it. */
void note_takes(unsigned slot)
{
	struct real_place *place = real_attach(slot, 0, 0);
	struct worker *worker = &place->worker;

	real_add_input(place);
	place->input_lanes[1] = place->input_lanes[0];
	place->input_lanes[0].lane.peer = world_lane_from(slot, 2, 0).peer;
	place->input_lanes[1].lane.reader = &world_segments[slot].readers[1];
	place->input_lanes[1].lane.index = 1;
	place->input_lanes[1].lane.done = place->input_lanes[1].lane.next = place->input_lanes[1].lane.tail_cached =
		position_of(1);
	place->input.n_lanes = 2;
	worker->n_outputs = 0;
	worker->stage.process = stage_process;
	worker->stage.role = WEIR_SINK;
	for (unsigned i = 0; i < NOTES; i++) {
		notes[i].position = position_of(i);
		notes[i].sequence = 0;
		notes[i].lane = i != 0;
		notes[i].never = false;
	}
	for (unsigned i = 0; i < 2; i++) {
		uint32_t n = 0;
		bool odd;

		noting = true;
		take_plain(worker, 8, &n, &odd);
		turn_commit(worker);
	}
	noting = true;
}

/* The second is still in flight when the third is given and ends: none of the two can be named. */
void note_in_flight(unsigned slot)
{
	struct real_place *place = real_attach(slot, 0, 0);
	struct worker *worker = &place->worker;
	struct input_lane lanes[2] = { { .lane = { .index = 0 } }, { .lane = { .index = 1 } } };

	for (unsigned i = 0; i < NOTES; i++) {
		struct in_flight_item entry = { .item = { .sequence = 101 + i },
						.position = position_of(i + 1),
						.lane = &lanes[i & 1] };

		notes[i].position = entry.position;
		notes[i].sequence = entry.item.sequence;
		notes[i].lane = i & 1;
		notes[i].never = i == 2;
		noting = true;
		in_flight_note(worker, i < 2 ? 1 : 2);
		in_flight_note_hand(worker, &entry);
		noting = i == 2;
		if (i == 1)
			continue;
		noting = true;
		in_flight_clear_hand(worker, &entry);
		in_flight_note(worker, i == 0 ? 0 : 1);
	}
	last_kill(slot);
}

void note_judge(unsigned thread)
{
	struct repair_report report;
	int dead = explore_wait_death(7);

	(void)thread;
	if (dead < 0)
		return;
	if (repair_run(&world_segments[dead], &report))
		explore_fail("the repair finds the record corrupt");
	if (!report.in_hand) {
		if (explore_kill_was_whole() && !noting)
			explore_fail("an item was in hand and is not the suspect");
		return;
	}
	for (unsigned i = 0; i < NOTES; i++)
		if ((!notes[i].sequence || report.suspect_sequence == notes[i].sequence) &&
		    report.suspect_position == notes[i].position && report.suspect_lane == notes[i].lane) {
			if (notes[i].never)
				explore_fail("one of several in flight is the suspect");
			return;
		}
	explore_fail("the suspect is named by halves of two notes");
}
