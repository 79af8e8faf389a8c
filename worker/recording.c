/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes into the flight recorder.
 *
 * A fast turn takes less than a microsecond, and a look at the clock a tenth of that. So turns are noted together, as many as fit into
 * some ten microseconds, sixteen at most: where lanes have got to, how many items went in and out. One note for each lane that has
 * moved, and one for the turns. Before each sleep and each ring what has not been noted yet is noted, so a stop never hides the turn
 * in front of it. Lanes are noted with positions, so what was left out between two notes is known from them.
 *
 * Where an item takes ten microseconds or longer, each is noted: when it is given to the stage, and what that says of it. Such turns
 * go the general way (worker/turn.c), so the short way asks nothing of this. A stage with items in flight is judged by how often they come.
 *
 *      turn turn turn ... turn | block ... unblock | process done process done ... turns | ring
 *                        notes   notes                                             notes   notes
 *
 * Times. A note of turns and one of a ring are stamped before the turn can be seen and before the bell is written to; an unblock after the
 * sleep. So a wake comes before the unblock that it causes, whatever processor either ran on.
 *
 * A sleep waits for a peer to get to a position in a lane: as a reader, for a first record behind what it has taken; as a writer, for
 * free to leave room for a record. A wake says where its process has got to. So a wake belongs to the unblock of the same lane whose
 * position it reaches.
 */
#include "worker/recording.h"

#include "common/base/clock.h"
#include "worker/baggage.h"
#include "worker/credit.h"
#include "worker/output.h"

#define NOTE_EVERY_NS (10 * NS_PER_US)
#define NOTE_COST_NS 500 /* and so much later for each event: a hundredth of that is what it takes */
#define STRIDE_MAX 16u
#define SLOW_ITEM_NS (10 * NS_PER_US)

void recording_begin(struct worker *worker, struct recorder_ring *ring)
{
	struct recording *recording = &worker->recording;

	recorder_init(&recording->recorder, ring, RECORDER_SLOT_EVENTS);
	recording->stride = recording->turns_left = ring ? 1 : 0;
	recording->taken = cursor_current(&worker->segment)->ledger[LEDGER_TAKEN];
	recording->emitted = cursor_current(&worker->segment)->ledger[LEDGER_EMITTED];
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++)
			worker->inputs[i].lanes[j].noted = worker->inputs[i].lanes[j].lane.done;
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++)
			worker->outputs[i].lanes[j].noted = worker->outputs[i].lanes[j].lane.tail;
}

void recording_clock(struct worker *worker)
{
	worker->recording.recorder.now_ns = clock_now_ns();
}

static void note(struct worker *worker, enum recorder_kind kind, uint32_t place, uint32_t count, uint64_t first,
		 uint64_t second)
{
	recorder_write(&worker->recording.recorder, kind, place, count, first, second);
}

/* ---- turns ---- */

/* An item that waits for its commit is not counted: its lane stands in front of it. */
static uint32_t note_inputs(struct worker *worker)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++) {
			struct input_lane *lane = &worker->inputs[i].lanes[j];
			uint64_t done = load_relaxed(&lane->lane.reader->done);

			if (done == lane->noted)
				continue;
			note(worker, RECORDER_TAKE, lane->lane.index, (uint32_t)(done - lane->noted),
			     load_relaxed(&worker->segment.hand->sequence), done);
			lane->noted = done;
			n++;
		}
	return n;
}

static uint32_t note_outputs(struct worker *worker)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++) {
			struct output_lane *lane = &worker->outputs[i].lanes[j];

			if (lane->lane.tail == lane->noted)
				continue;
			note(worker, RECORDER_EMIT, RECORDER_LANE_OUT | lane->lane.index,
			     (uint32_t)(lane->lane.tail - lane->noted), worker->cursor.sequence, lane->lane.tail);
			lane->noted = lane->lane.tail;
			n++;
		}
	return n;
}

/* How many turns the next note is for. */
static void pace(struct recording *recording, uint32_t n_turns, uint32_t n_events)
{
	uint64_t took_ns = recording->recorder.now_ns - recording->noted_ns;
	uint64_t wanted_ns = NOTE_EVERY_NS + (uint64_t)n_events * NOTE_COST_NS;

	if (took_ns >= 2 * wanted_ns)
		recording->stride = 1;
	else if (took_ns < wanted_ns && n_turns >= recording->stride && recording->stride < STRIDE_MAX)
		recording->stride *= 2;
}

/* Does an item take long? Of items in flight: does one come seldom enough? */
static void judge(struct worker *worker, uint64_t n_items)
{
	struct recording *recording = &worker->recording;
	uint64_t since_ns = worker->in_flight ? recording->noted_ns : recording->busy_since_ns;

	if (since_ns && n_items)
		recording->each_item = (recording->recorder.now_ns - since_ns) / n_items >= SLOW_ITEM_NS;
}

void recording_turns(struct worker *worker)
{
	struct recording *recording = &worker->recording;
	const uint64_t *ledger = worker->cursor.ledger;
	uint64_t n_taken = ledger[LEDGER_TAKEN] - recording->taken,
		 n_emitted = ledger[LEDGER_EMITTED] - recording->emitted;
	uint32_t n_turns = recording->stride - recording->turns_left;

	if (n_turns) {
		uint32_t n_events = note_inputs(worker) + note_outputs(worker) + 1;

		note(worker, RECORDER_TURNS, RECORDER_NOWHERE, n_turns, n_taken, n_emitted);
		pace(recording, n_turns, n_events);
		judge(worker, n_taken);
		recording->noted_ns = recording->recorder.now_ns;
		recording->taken = ledger[LEDGER_TAKEN];
		recording->emitted = ledger[LEDGER_EMITTED];
	}
	recording->turns_left = recording->stride;
	recording->busy_since_ns = recording->recorder.now_ns;
}

/* ---- rings ---- */

/* Who goes to sleep just behind this look is rung with an older time on it: that is before its unblock, too. */
void recording_before_ring(struct worker *worker, const struct peer *peer, uint32_t events)
{
	if (worker->recording.recorder.ring && load_relaxed(&peer->doorbell.armed->word) & events)
		recording_clock(worker);
}

static void write_wake(struct worker *worker, const struct peer *peer, uint32_t events, uint32_t place,
		       uint64_t position)
{
	note(worker, RECORDER_WAKE, place, events, peer->segment.geometry.slot, position);
}

/* It has rung once, for all that the two have in common: of those lanes one is what the peer waits for. */
void recording_wake(struct worker *worker, const struct peer *peer, uint32_t events)
{
	if (!worker->recording.recorder.ring)
		return;
	recording_turns(worker);
	for (uint32_t i = 0; i < worker->n_outputs && events & ARM_DATA; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++) {
			const struct output_lane *lane = &worker->outputs[i].lanes[j];

			if (lane->peer == peer)
				write_wake(worker, peer, ARM_DATA, RECORDER_LANE_OUT | lane->lane.index,
					   lane->lane.tail);
		}
	for (uint32_t i = 0; i < worker->n_inputs && events & ARM_SPACE; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++) {
			const struct input_lane *lane = &worker->inputs[i].lanes[j];

			if (lane->peer == peer)
				write_wake(worker, peer, ARM_SPACE, lane->lane.index,
					   load_relaxed(&lane->lane.reader->free));
		}
}

/* ---- sleeps ---- */

struct place {
	uint32_t lane;
	uint64_t position;
};
#define PLACE_NONE ((struct place){ RECORDER_NOWHERE, 0 })

/* Where its tail has to be for a record to lie behind what was taken. */
static struct place place_of_input(const struct input_lane *lane)
{
	return (struct place){ lane->lane.index, lane->lane.next + sizeof(struct item_header) };
}

/* Where its free has to be for a record to find room behind what was built. */
static struct place place_of_output(const struct output_lane *lane, uint64_t need_bytes)
{
	uint64_t end = lane->lane.built + lane->lane.reserve_bytes + need_bytes, capacity = lane->lane.capacity_bytes;

	return (struct place){ RECORDER_LANE_OUT | lane->lane.index, end > capacity ? end - capacity : 0 };
}

static struct place only_input(const struct worker *worker, const struct wait_request *request)
{
	const struct input_edge *edge = &worker->inputs[request->input_number ? request->input_number - 1 : 0];

	if ((!request->input_number && worker->n_inputs != 1) || edge->n_lanes != 1)
		return PLACE_NONE;
	return place_of_input(&edge->lanes[0]);
}

static struct place only_output(struct worker *worker, uint64_t need_bytes)
{
	uint32_t lane, output = output_awaited(worker, need_bytes, &lane);

	if (output >= worker->n_outputs || lane == NO_LANE)
		return PLACE_NONE;
	return place_of_output(&worker->outputs[output].lanes[lane], need_bytes);
}

/* Room that is only room: not a reader's commit, not a lane of a slot that is given up. */
static bool is_for_room(uint32_t what)
{
	return (what & (WAIT_FOR_ITEM | WAIT_FOR_ROOM)) == WAIT_FOR_ROOM;
}

void recording_block(struct worker *worker, const struct wait_request *request, uint32_t what, uint64_t now_ns)
{
	struct recording *recording = &worker->recording;
	struct place place = PLACE_NONE;

	if (!recording->recorder.ring)
		return;
	recording->recorder.now_ns = now_ns;
	recording_turns(worker);
	if (is_for_room(what) && !worker->retiring)
		place = only_output(worker, request->need_bytes);
	else if (what & WAIT_FOR_ITEM && !(what & WAIT_FOR_ROOM) && worker->n_inputs)
		place = only_input(worker, request);
	recording->waits_for = what;
	note(worker, RECORDER_BLOCK, place.lane, what, request->need_bytes, place.position);
}

static struct place lying_input(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++) {
			const struct input_lane *lane = &worker->inputs[i].lanes[j];

			if (load_relaxed(&lane->lane.peer->tail) != lane->lane.next)
				return place_of_input(lane);
		}
	return PLACE_NONE;
}

static struct place roomy_output(const struct worker *worker, uint64_t need_bytes)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++) {
			const struct output_lane *lane = &worker->outputs[i].lanes[j];
			struct place place = place_of_output(lane, need_bytes);

			if ((int64_t)(load_relaxed(&lane->lane.peer->free) - place.position) >= 0)
				return place;
		}
	return PLACE_NONE;
}

void recording_unblock(struct worker *worker, const struct wait_request *request, uint64_t now_ns, uint64_t slept_ns)
{
	struct recording *recording = &worker->recording;
	struct place place = PLACE_NONE;

	if (!recording->recorder.ring)
		return;
	recording->recorder.now_ns = now_ns;
	if (recording->waits_for & WAIT_FOR_ITEM)
		place = lying_input(worker);
	if (place.lane == RECORDER_NOWHERE && recording->waits_for & WAIT_FOR_ROOM && !worker->retiring)
		place = roomy_output(worker, request->need_bytes);
	note(worker, RECORDER_UNBLOCK, place.lane, recording->waits_for, slept_ns, place.position);
	recording->busy_since_ns = now_ns;
}

/* ---- items, and what is rare ---- */

void recording_given(struct worker *worker)
{
	const struct segment_hand *hand = worker->segment.hand;
	struct traceparent traceparent;
	bool traced = worker->recording.recorder.ring && baggage_traceparent(worker, &traceparent);

	if (!recording_each_item(worker) && (!traced || !(traceparent.flags & TRACEPARENT_SAMPLED)))
		return;
	recording_clock(worker);
	note(worker, RECORDER_PROCESS, load_relaxed(&hand->lane), worker->suspect_attempts,
	     load_relaxed(&hand->sequence), load_relaxed(&hand->position));
	if (!traced)
		return;
	note(worker, RECORDER_TRACE, load_relaxed(&hand->lane), traceparent.flags, traceparent.trace_high,
	     traceparent.trace_low);
	note(worker, RECORDER_PARENT, load_relaxed(&hand->lane), 0, load_relaxed(&hand->sequence), traceparent.parent);
}

/* It was noted that the stage was given the item, or what is said of it is worth a note by itself. */
static bool is_told(const struct worker *worker, int status)
{
	struct traceparent traceparent;

	return recording_each_item(worker) || (status != WEIR_OK && status != WEIR_MORE && status != WEIR_HELD) ||
	       (baggage_traceparent(worker, &traceparent) && traceparent.flags & TRACEPARENT_SAMPLED);
}

void recording_said(struct worker *worker, const struct weir_item *item, int status)
{
	const struct segment_hand *hand = worker->segment.hand;

	bool noted = load_relaxed(&hand->sequence) == item->sequence; /* of several in flight it may be another one */

	if (!worker->recording.recorder.ring || !is_told(worker, status))
		return;
	recording_clock(worker);
	note(worker, RECORDER_DONE, noted ? load_relaxed(&hand->lane) : RECORDER_NOWHERE, (uint32_t)status,
	     item->sequence, noted ? load_relaxed(&hand->position) : 0);
}

void recording_note(struct worker *worker, enum recorder_kind kind, uint32_t count, uint64_t first, uint64_t second)
{
	if (!worker->recording.recorder.ring)
		return;
	recording_clock(worker);
	note(worker, kind, RECORDER_NOWHERE, count, first, second);
}
