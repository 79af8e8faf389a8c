/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker is awake or asleep, and may have items in hand:
 *
 *      unblock      process  block    unblock     done          block
 *      [ process    ][ item 7 ------------------- ][ process     ][ wait-in ...
 *                             [ wait-out ]
 *
 * An item ends with its `done`; with the next one, where items do not overlap and nothing says more (a stage with a loop of its own); with
 * its worker. Where they overlap (in_flight) they stand beside each other, and the worker is asleep or awake for itself.
 *
 * What is noted of turns is noted late: the note of a take may come before that of the emit that it took from. Such a flow begins when the
 * take ends, in what its producer did then. Behind a gap (events were overwritten) nothing is known until the next event.
 */
#include "broker/trace/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "broker/trace/ctf.h"
#include "broker/trace/timeline_lane.h"
#include "common/base/must.h"
#include "common/memory/segment_layout.h"

#define ITEMS_MAX 4096u /* open in one worker: as many as a stage may have in flight */

struct track {
	bool is_open, is_asleep;
	struct timeline_slice slice;  /* PROCESS or WAIT; within an item that does not overlap, PROCESS is not told */
	struct timeline_slice *items; /* open, in the order of their begins */
	uint32_t n_items, capacity;
	struct traceparent trace; /* of the last RECORDER_TRACE: its RECORDER_PARENT follows */
	uint64_t seen_ns;         /* its last event */
};

struct timeline {
	const struct trace_names *names;
	const struct timeline_writer *writers;
	uint32_t n_writers;
	struct track *tracks; /* of the slots, then the supervisor's, which has only instants */
	struct timeline_lane *lanes;
	uint64_t n_numbers;
};

struct timeline *timeline_new(const struct trace_names *names, const struct timeline_writer *writers,
			      uint32_t n_writers)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));

	must(timeline);
	*timeline = (struct timeline){ .names = names, .writers = writers, .n_writers = n_writers };
	timeline->tracks = calloc(names->n_seats + 1, sizeof(*timeline->tracks));
	timeline->lanes = calloc(names->n_lanes + 1, sizeof(*timeline->lanes));
	must(timeline->tracks && timeline->lanes);
	return timeline;
}

const char *timeline_wait_name(uint32_t waits_for)
{
	if (waits_for & WAIT_FOR_ITEM)
		return waits_for & WAIT_FOR_DUE ? "wait-ext" : "wait-in";
	return waits_for & (WAIT_FOR_ROOM | WAIT_FOR_CREDIT | WAIT_FOR_COMMIT | WAIT_FOR_READERS | WAIT_FOR_STORE) ?
		       "wait-out" :
		       "wait-ext";
}

/* ---- telling ---- */

static void tell_slice(const struct timeline *timeline, const struct timeline_slice *slice)
{
	for (uint32_t i = 0; i < timeline->n_writers; i++)
		if (timeline->writers[i].slice)
			timeline->writers[i].slice(timeline->writers[i].context, slice);
}

static void tell_instant(const struct timeline *timeline, uint32_t slot, const struct trace_event *event)
{
	for (uint32_t i = 0; i < timeline->n_writers; i++)
		if (timeline->writers[i].instant)
			timeline->writers[i].instant(timeline->writers[i].context, slot, event);
}

static void tell_flow(struct timeline *timeline, struct timeline_flow flow)
{
	flow.number = ++timeline->n_numbers;
	for (uint32_t i = 0; i < timeline->n_writers; i++)
		if (timeline->writers[i].flow)
			timeline->writers[i].flow(timeline->writers[i].context, &flow);
}

/* ---- slices ---- */

static bool overlaps(const struct timeline *timeline, uint32_t slot)
{
	return timeline->names->stages[timeline->names->seats[slot].stage].in_flight;
}

/* Begins to be awake, or asleep. */
static void open_slice(struct timeline *timeline, uint32_t slot, enum timeline_kind kind, uint64_t begin_ns)
{
	struct track *track = &timeline->tracks[slot];

	track->is_open = true;
	track->slice = (struct timeline_slice){ .kind = kind, .slot = slot, .begin_ns = begin_ns, .lane = UINT32_MAX };
}

/* Awake with an item in hand that is told itself: so is the item. */
static bool is_hidden(const struct timeline *timeline, const struct track *track)
{
	return track->slice.kind == TIMELINE_PROCESS && track->n_items && !overlaps(timeline, track->slice.slot);
}

/* It was about to sleep, and there was something after all. */
static bool is_nothing(const struct timeline_slice *slice)
{
	return slice->kind == TIMELINE_WAIT && slice->end_ns == slice->begin_ns;
}

static void close_slice(struct timeline *timeline, uint32_t slot, uint64_t end_ns)
{
	struct track *track = &timeline->tracks[slot];

	if (!track->is_open)
		return;
	track->is_open = false;
	track->slice.end_ns = end_ns;
	if (!is_hidden(timeline, track) && !is_nothing(&track->slice))
		tell_slice(timeline, &track->slice);
	if (track->slice.kind == TIMELINE_WAIT)
		for (uint32_t i = 0; i < track->n_items; i++)
			track->items[i].waited_ns += end_ns - track->slice.begin_ns;
}

static void end_item(struct timeline *timeline, struct track *track, uint32_t index, uint64_t end_ns, uint32_t outcome)
{
	struct timeline_slice item = track->items[index];

	item.end_ns = end_ns;
	item.outcome = outcome;
	tell_slice(timeline, &item);
	memmove(&track->items[index], &track->items[index + 1],
		(--track->n_items - index) * sizeof(track->items[index]));
}

/* All that is open: the worker has ended, or nothing is known from here on. */
static void close_track(struct timeline *timeline, uint32_t slot, uint64_t end_ns)
{
	struct track *track = &timeline->tracks[slot];

	close_slice(timeline, slot, end_ns);
	while (track->n_items)
		end_item(timeline, track, 0, end_ns, TIMELINE_UNKNOWN);
}

/* The slice that this event lies in, a new one if none is known. */
static struct timeline_slice *slice_at(struct timeline *timeline, uint32_t slot, uint64_t now_ns)
{
	struct track *track = &timeline->tracks[slot];

	if (!track->is_open)
		open_slice(timeline, slot, TIMELINE_PROCESS, now_ns);
	return &track->slice;
}

/* A time that a slice ends with, as one that surely lies in it, though not before that other one. */
static uint64_t within(const struct timeline_slice *slice, uint64_t now_ns, uint64_t least_ns)
{
	return now_ns > slice->begin_ns && now_ns > least_ns ? now_ns - 1 : now_ns;
}

/* ---- items ---- */

static void add_item(struct timeline *timeline, uint32_t slot, const struct recorder_record *record)
{
	struct track *track = &timeline->tracks[slot];
	bool beside = overlaps(timeline, slot);

	if (!beside)
		close_slice(timeline, slot, record->time_ns);
	while (track->n_items && (!beside || track->n_items == ITEMS_MAX))
		end_item(timeline, track, 0, record->time_ns, TIMELINE_UNKNOWN);
	if (track->n_items == track->capacity) {
		track->capacity = track->capacity ? 2 * track->capacity : 1;
		track->items = reallocarray(track->items, track->capacity, sizeof(*track->items));
		must(track->items);
	}
	track->items[track->n_items++] = (struct timeline_slice){ .kind = TIMELINE_ITEM,
								  .slot = slot,
								  .begin_ns = record->time_ns,
								  .lane = record->place,
								  .sequence = record->first,
								  .attempt = record->count,
								  .number = ++timeline->n_numbers,
								  .overlaps = beside };
	slice_at(timeline, slot, record->time_ns);
}

/* The open item that is meant, the oldest of its number; n_items: none. */
static uint32_t find_item(const struct track *track, const struct recorder_record *record)
{
	for (uint32_t i = 0; i < track->n_items; i++)
		if (track->items[i].sequence == record->first &&
		    (record->place == UINT32_MAX || record->place == track->items[i].lane))
			return i;
	return track->n_items;
}

/* Two events, as one has no room for all of it; the second one says which item. */
static void note_trace(struct track *track, const struct recorder_record *record)
{
	if (record->kind == RECORDER_TRACE) {
		track->trace = (struct traceparent){ .trace_high = record->first,
						     .trace_low = record->second,
						     .flags = record->count };
		return;
	}
	for (uint32_t i = track->n_items; i--;)
		if (track->items[i].sequence == record->first && track->items[i].lane == record->place) {
			track->items[i].trace = track->trace;
			track->items[i].trace.parent = record->second;
			return;
		}
}

/* Of an item whose begin was not noted only the end is told. */
static void finish_item(struct timeline *timeline, const struct trace_event *event)
{
	const struct recorder_record *record = &event->record;
	struct track *track = &timeline->tracks[event->slot];
	uint32_t index = find_item(track, record);

	if (index == track->n_items) {
		tell_instant(timeline, event->slot, event);
		return;
	}
	if (!track->items[index].overlaps)
		close_slice(timeline, event->slot, record->time_ns);
	end_item(timeline, track, index, record->time_ns, record->count);
	slice_at(timeline, event->slot, record->time_ns);
}

/* ---- sleeps ---- */

static void fall_asleep(struct timeline *timeline, uint32_t slot, const struct recorder_record *record)
{
	close_slice(timeline, slot, record->time_ns);
	open_slice(timeline, slot, TIMELINE_WAIT, record->time_ns);
	timeline->tracks[slot].slice.waits_for = record->count;
	timeline->tracks[slot].slice.lane = record->place;
}

/* Who has woken it was seen to ring while it slept. */
static void tell_wake(struct timeline *timeline, uint32_t slot, const struct timeline_slice *wait,
		      const struct recorder_record *record)
{
	const struct trace_lane *lane;
	uint64_t rung_ns;
	bool by_producer;

	if (record->place >= timeline->names->n_lanes || wait->begin_ns == record->time_ns)
		return;
	lane = &timeline->names->lanes[record->place];
	by_producer = lane->consumer == slot;
	if (!timeline_lane_find_wake(&timeline->lanes[record->place], by_producer, wait->begin_ns, record->second,
				     &rung_ns))
		return;
	tell_flow(timeline, (struct timeline_flow){ .from_slot = by_producer ? lane->producer : lane->consumer,
						    .to_slot = slot,
						    .lane = record->place,
						    .from_ns = rung_ns,
						    .to_ns = within(wait, record->time_ns, rung_ns),
						    .is_wake = true });
}

static void wake_up(struct timeline *timeline, uint32_t slot, const struct recorder_record *record)
{
	struct track *track = &timeline->tracks[slot];
	struct timeline_slice *wait = &track->slice;

	if (!track->is_open || wait->kind != TIMELINE_WAIT) {
		uint64_t began_ns =
			record->time_ns - (record->first < record->time_ns ? record->first : record->time_ns);

		if (track->is_open || began_ns < track->seen_ns) /* not before what is known */
			began_ns = track->seen_ns;
		close_slice(timeline, slot, began_ns);
		open_slice(timeline, slot, TIMELINE_WAIT, began_ns);
	}
	wait->waits_for = record->count;
	if (record->place != UINT32_MAX)
		wait->lane = record->place;
	tell_wake(timeline, slot, wait, record);
	close_slice(timeline, slot, record->time_ns);
	open_slice(timeline, slot, TIMELINE_PROCESS, record->time_ns);
}

/* ---- lanes ---- */

static void tell_items(struct timeline *timeline, uint32_t number, uint64_t from_ns, uint64_t to_ns)
{
	const struct trace_lane *lane = &timeline->names->lanes[number];

	tell_flow(timeline, (struct timeline_flow){ .from_slot = lane->producer,
						    .to_slot = lane->consumer,
						    .lane = number,
						    .from_ns = from_ns,
						    .to_ns = to_ns });
}

static void take(struct timeline *timeline, uint32_t slot, const struct recorder_record *record)
{
	uint64_t now_ns = within(&timeline->tracks[slot].slice, record->time_ns, 0), emitted_ns;

	if (record->place < timeline->names->n_lanes &&
	    timeline_lane_take(&timeline->lanes[record->place], record->count, record->second, now_ns, &emitted_ns))
		tell_items(timeline, record->place, emitted_ns, now_ns > emitted_ns ? now_ns : emitted_ns);
}

static void emit(struct timeline *timeline, uint32_t slot, const struct recorder_record *record)
{
	const struct timeline_slice *slice = &timeline->tracks[slot].slice;
	uint64_t now_ns = within(slice, record->time_ns, 0), taken_ns;

	if (record->place < timeline->names->n_lanes &&
	    timeline_lane_emit(&timeline->lanes[record->place], record->count, record->second, now_ns, &taken_ns) &&
	    slice->begin_ns <= taken_ns)
		tell_items(timeline, record->place, taken_ns, taken_ns);
}

static void ring(struct timeline *timeline, uint32_t slot, const struct recorder_record *record)
{
	if (record->place < timeline->names->n_lanes)
		timeline_lane_wake(&timeline->lanes[record->place],
				   timeline->names->lanes[record->place].producer == slot, record->second,
				   record->time_ns);
}

static void count_turns(struct timeline_slice *slice, const struct recorder_record *record)
{
	slice->turns += record->count;
	slice->taken += record->first;
	slice->emitted += record->second;
}

/* ---- events ---- */

static void add_of_worker(struct timeline *timeline, const struct trace_event *event)
{
	const struct recorder_record *record = &event->record;
	uint32_t slot = event->slot;

	if (record->kind == RECORDER_BLOCK) {
		fall_asleep(timeline, slot, record);
		return;
	}
	if (record->kind == RECORDER_UNBLOCK) {
		wake_up(timeline, slot, record);
		return;
	}
	slice_at(timeline, slot, record->time_ns);
	switch (record->kind) {
	case RECORDER_TURNS:
		count_turns(&timeline->tracks[slot].slice, record);
		break;
	case RECORDER_TAKE:
		take(timeline, slot, record);
		break;
	case RECORDER_EMIT:
		emit(timeline, slot, record);
		break;
	case RECORDER_WAKE:
		ring(timeline, slot, record);
		break;
	case RECORDER_PROCESS:
		add_item(timeline, slot, record);
		break;
	case RECORDER_TRACE:
	case RECORDER_PARENT:
		note_trace(&timeline->tracks[slot], record);
		break;
	case RECORDER_DONE:
		finish_item(timeline, event);
		break;
	default:
		tell_instant(timeline, slot, event);
	}
}

/* What is done to a worker stands on its track. */
static void add_of_supervisor(struct timeline *timeline, const struct trace_event *event)
{
	const struct recorder_record *record = &event->record;
	const char *place = recorder_lines[record->kind].place;
	bool has_seat = place && strcmp(place, "seat") == 0 && record->place < timeline->names->n_seats;

	if (has_seat && record->kind == RECORDER_EXIT)
		close_track(timeline, record->place, record->time_ns);
	tell_instant(timeline, has_seat ? record->place : CTF_SUPERVISOR, event);
}

/* Nothing is known of what lies between. */
static void add_gap(struct timeline *timeline, const struct trace_event *event, uint64_t seen_ns)
{
	const struct trace_event gap = { .record.time_ns = seen_ns ? seen_ns : event->record.time_ns,
					 .slot = event->slot,
					 .n_lost = event->n_lost };

	if (event->slot < timeline->names->n_seats)
		close_track(timeline, event->slot, gap.record.time_ns);
	tell_instant(timeline, event->slot, &gap);
}

void timeline_add(struct timeline *timeline, const struct trace_event *event)
{
	const struct trace_event known = { .record = event->record, .slot = event->slot };
	bool is_worker = event->slot < timeline->names->n_seats;
	struct track *track = &timeline->tracks[is_worker ? event->slot : timeline->names->n_seats];

	if (event->n_lost)
		add_gap(timeline, event, track->seen_ns);
	if (known.record.kind != RECORDER_NOTHING && is_worker)
		add_of_worker(timeline, &known);
	else if (known.record.kind != RECORDER_NOTHING)
		add_of_supervisor(timeline, &known);
	track->seen_ns = event->record.time_ns;
}

void timeline_free(struct timeline *timeline)
{
	if (!timeline)
		return;
	for (uint32_t i = 0; i < timeline->names->n_seats; i++) {
		close_track(timeline, i, timeline->tracks[i].seen_ns);
		free(timeline->tracks[i].items);
	}
	for (uint32_t i = 0; i < timeline->names->n_lanes; i++)
		timeline_lane_deinit(&timeline->lanes[i]);
	free(timeline->tracks);
	free(timeline->lanes);
	free(timeline);
}
