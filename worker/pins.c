/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins.
 *
 *      A's lane to B     free -->[ item 7 | item 8 | item 9 ...            B may not let `free` pass item 7
 *                                    ^        ^
 *      B's lane to C          ..[ ref 7 ][ ref 8 ]..   <-- C's free         before C's `free` has passed ref 7
 *
 * A pin is (end of the reference in an output lane, what it holds). Per output lane they stand in a ring in the order of the records, so
 * one comparison with the consumer's `free` tells which have ended. What is held is one ring more for each input lane, and
 * for each output lane whose bytes other output lanes refer to (an item for several edges): (position, how many pins). Its
 * oldest entry with pins is what lane_in_release() and lane_out_reserve() go by. All of it is private memory of a fixed size;
 * when a ring is full the item is copied instead.
 *
 * A chain needs no more than that: the reference that C passes on to D is pinned in C, so C's `free` stays before ref 8 until D has
 * freed its own, and so does B's pin on item 8.
 *
 * Pins die with their process, and the repair leaves `free` alone. The next generation reads its output lanes from the consumer's
 * `free` on:
 *
 *      a reference into own lanes     says which and where: pinned as before
 *      any other                      does not say which input record it came from: one pin at the lane's end (a barrier) holds
 *                                     every input lane where its `free` is, until the consumer has freed all that stood there
 *
 * Who waits for data while it holds pins is armed for space too (wait.c), or the chain stalls: its producer waits for room, it for data,
 * and its consumer, which has just freed everything, for more. To be woken for that costs more than to pass an item on. So the first
 * of a chain, while its producer has room for long, is armed for being asked instead: a producer that goes to sleep for
 * room rings such readers. Further down nobody could ask: who waits there is the first one's producer.
 */
#include "worker/pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/must.h"
#include "common/flow/reference.h"
#include "worker/turn.h"

#ifndef PINS_MAX       /* tests/crash makes do with a few */
#define PINS_MAX 1024u /* power of two; per lane */
#endif
#ifdef WEIR_EXPLORE /* its lanes have room for one item */
#define STAY_PART 1u
#else
#define STAY_PART 4u /* of a lane that may stay held while nobody asks for it */
#endif
#define ALL_INPUTS UINT32_MAX

struct pin {
	uint64_t end;   /* of the reference, in its output lane */
	uint32_t held;  /* which; ALL_INPUTS: a barrier */
	uint32_t entry; /* of its ring, counted from the first ever */
};

/* The references in one output lane. */
struct pin_lane {
	struct pin *pins;
	uint32_t first, n; /* counted from the first ever */
	uint64_t free_seen;
	struct output_lane *lane;
};

struct held_entry {
	uint64_t position; /* start of the record */
	uint32_t n_pins;
};

/* What is held in one lane: an input lane, or an output lane of one's own. */
struct held {
	struct held_entry *entries;
	uint32_t first, n;
	bool changed; /* listed in pins.changed */
	bool patient; /* an input whose producer sleeps when it lacks room, and asks then: see pins_may_stay() */
	struct input_lane *input;
	struct output_lane *output;
};

struct pins {
	uint32_t n_inputs, n_outputs; /* lanes */
	uint32_t n_pins;
	struct pin_lane *lanes; /* n_outputs */
	struct held *held;      /* inputs, then outputs */
	uint32_t *changed, n_changed;
	void *rings; /* what all pins and entries point into; pages come with use */
};

uint32_t pins_of_input(const struct worker *worker, const struct input_lane *lane)
{
	(void)worker;
	return lane->lane.index;
}

uint32_t pins_of_output(const struct worker *worker, const struct output_lane *lane)
{
	return worker->pins->n_inputs + lane->lane.index;
}

static struct held_entry *entry_of(const struct held *held, uint32_t number)
{
	return &held->entries[number % PINS_MAX];
}

/* ---- holding ---- */

/* Where the producer may drop the oldest items nothing is referred to, and `free` runs ahead of `done`: that is the hold's business. */
static bool has_hold(const struct held *held)
{
	return held->input && held->input->hold.record;
}

static void held_show(const struct held *held)
{
	bool any = held->n != 0;
	uint64_t from = any ? entry_of(held, held->first)->position : 0;

	if (has_hold(held))
		return;
	if (held->input) {
		held->input->lane.held = any;
		held->input->lane.held_from = from;
	} else {
		held->output->lane.held = any;
		held->output->lane.held_from = from;
	}
}

static bool held_possible(const struct held *held, uint64_t position)
{
	const struct held_entry *last = entry_of(held, held->first + held->n - 1);

	if (!held->n || last->position == position)
		return true;
	return held->n < PINS_MAX && (int64_t)(position - last->position) > 0;
}

/* Returns the number of the entry. */
static uint32_t held_add(struct held *held, uint64_t position)
{
	uint32_t last = held->first + held->n - 1;

	if (held->n && entry_of(held, last)->position == position) {
		entry_of(held, last)->n_pins++;
		return last;
	}
	*entry_of(held, last + 1) = (struct held_entry){ .position = position, .n_pins = 1 };
	held->n++;
	if (held->n == 1)
		held_show(held);
	return last + 1;
}

/* At attach the records come lane by lane, not in their own order: one entry, at the oldest, for them all. */
static uint32_t held_recall(struct held *held, uint64_t position)
{
	struct held_entry *entry = entry_of(held, held->first);

	if (!held->n)
		return held_add(held, position);
	if ((int64_t)(position - entry->position) < 0)
		entry->position = position;
	entry->n_pins++;
	held_show(held);
	return held->first;
}

static void held_end(struct pins *pins, uint32_t number, uint32_t entry)
{
	struct held *held = &pins->held[number];

	entry_of(held, entry)->n_pins--;
	if (held->changed || entry_of(held, held->first)->n_pins)
		return;
	held->changed = true;
	pins->changed[pins->n_changed++] = number;
}

static void pin_end(struct pins *pins, const struct pin *pin)
{
	pins->n_pins--;
	if (pin->held != ALL_INPUTS)
		held_end(pins, pin->held, pin->entry);
	else /* barriers come first, so theirs is each input's first entry */
		for (uint32_t i = 0; i < pins->n_inputs; i++)
			held_end(pins, i, pin->entry);
}

static void add_pin(struct pins *pins, struct pin_lane *lane, struct pin pin)
{
	lane->pins[(lane->first + lane->n++) % PINS_MAX] = pin;
	pins->n_pins++;
}

/* Entries at the front that nobody holds any more go away. */
static void settle_held(struct pins *pins)
{
	for (uint32_t i = 0; i < pins->n_changed; i++) {
		struct held *held = &pins->held[pins->changed[i]];

		while (held->n && !entry_of(held, held->first)->n_pins) {
			held->first++;
			held->n--;
		}
		held_show(held);
	}
}

bool pins_possible(struct worker *worker, const struct output_lane *lane, uint32_t held, uint64_t position)
{
	const struct pins *pins = worker->pins;
	const struct pin_lane *references = &pins->lanes[lane->lane.index];

	/* one place is left for the barrier of the next generation */
	if (references->n >= PINS_MAX - 1 || !held_possible(&pins->held[held], position))
		pins_release(worker);
	return references->n < PINS_MAX - 1 && held_possible(&pins->held[held], position);
}

void pins_add(struct worker *worker, const struct output_lane *lane, uint32_t held, uint64_t position)
{
	struct pins *pins = worker->pins;

	add_pin(pins, &pins->lanes[lane->lane.index],
		(struct pin){ .end = lane->lane.built, .held = held, .entry = held_add(&pins->held[held], position) });
}

void pins_drop(struct worker *worker)
{
	struct pins *pins = worker->pins;

	for (uint32_t i = 0; pins->n_pins && i < pins->n_outputs; i++) {
		struct pin_lane *lane = &pins->lanes[i];

		while (lane->n) {
			const struct pin *last = &lane->pins[(lane->first + lane->n - 1) % PINS_MAX];

			if ((int64_t)(last->end - lane->lane->lane.built) <= 0)
				break;
			lane->n--;
			pin_end(pins, last);
		}
	}
	pins_release(worker);
}

/* ---- releasing ---- */

static void end_pins(struct pins *pins, struct pin_lane *lane)
{
	uint64_t now = load_acquire(&lane->lane->lane.peer->free); /* [L2] mate: lane_in_release */

	/* Nonsense is not believed; who reserves room in that lane will say so. */
	if (now - lane->free_seen > lane->lane->lane.tail - lane->free_seen)
		return;
	lane->free_seen = now;
	while (lane->n && (int64_t)(lane->pins[lane->first % PINS_MAX].end - now) <= 0) {
		const struct pin *pin = &lane->pins[lane->first % PINS_MAX];

		lane->first++;
		lane->n--;
		pin_end(pins, pin);
	}
}

static void release_input(struct input_lane *input)
{
	if (lane_in_release(&input->lane))
		turn_touch(input->peer, ARM_SPACE, lane_in_room(&input->lane));
}

bool pins_release(struct worker *worker)
{
	struct pins *pins = worker->pins;
	bool released = false;

	for (uint32_t i = 0; pins->n_pins && i < pins->n_outputs; i++)
		if (pins->lanes[i].n)
			end_pins(pins, &pins->lanes[i]);
	settle_held(pins);
	while (pins->n_changed) {
		struct held *held = &pins->held[pins->changed[--pins->n_changed]];

		held->changed = false;
		if (held->input && !has_hold(held)) {
			release_input(held->input);
			released = true;
		}
	}
	return released;
}

bool pins_any(const struct worker *worker)
{
	return worker->pins && worker->pins->n_pins;
}

bool pins_in_inputs(const struct worker *worker)
{
	const struct pins *pins = worker->pins;

	for (uint32_t i = 0; pins_any(worker) && i < pins->n_inputs; i++)
		if (pins->held[i].n)
			return true;
	return false;
}

/* ---- asleep ---- */

bool pins_may_stay(const struct worker *worker)
{
	const struct pins *pins = worker->pins;

	for (uint32_t i = 0; pins_any(worker) && i < pins->n_inputs; i++) {
		const struct held *held = &pins->held[i];
		const struct lane_in *lane = held->n ? &held->input->lane : NULL;

		if (lane &&
		    (!held->patient || lane_in_room(lane) < lane->capacity_bytes - lane->capacity_bytes / STAY_PART))
			return false;
	}
	return true;
}

bool pins_are_awaited(const struct worker *worker)
{
	const struct pins *pins = worker->pins;

	for (uint32_t i = 0; pins_any(worker) && i < pins->n_inputs; i++) {
		const struct held *held = &pins->held[i];

		if (held->n && load_acquire(&held->input->peer->doorbell.armed->word) & ARM_SPACE) /* [D1] */
			return true;
	}
	return false;
}

/* ---- attach ---- */

static int lane_is_broken(const struct output_edge *edge, uint32_t lane, struct text *why)
{
	text_printf(why, "lane %u to '%s' is broken: its records make no sense", lane, edge->heritage->peer_stage);
	return error_origin(-EBADMSG);
}

/* One reference that the last generation has emitted. Returns true if it is a stranger's. */
static bool recall_reference(struct worker *worker, struct pin_lane *lane, const struct item_reference *reference,
			     uint64_t end)
{
	struct pins *pins = worker->pins;
	uint64_t position = reference->position - sizeof(struct item_header);
	const struct lane_out *own;

	if (reference->slot != worker->heritage.slot)
		return true;
	if (reference->writer >= pins->n_outputs)
		return false; /* never written by weir: the consumer will say so */
	own = &pins->held[pins->n_inputs + reference->writer].output->lane;
	if (position % ITEM_ALIGNMENT || own->tail - position > own->capacity_bytes)
		return false;
	add_pin(pins, lane,
		(struct pin){ .end = end,
			      .held = pins->n_inputs + reference->writer,
			      .entry = held_recall(&pins->held[pins->n_inputs + reference->writer], position) });
	return false;
}

/* Reads [consumer's free, tail) of one output lane, believing nothing. */
static int recall_lane(struct worker *worker, const struct output_edge *edge, uint32_t number, bool *ret_strangers,
		       struct text *why)
{
	struct output_lane *output = &edge->lanes[number];
	struct pin_lane *lane = &worker->pins->lanes[output->lane.index];
	uint64_t at = output->lane.free_cached, tail = output->lane.tail;

	lane->free_seen = at;
	*ret_strangers = false;
	if (tail - at > output->lane.capacity_bytes || at % ITEM_ALIGNMENT || tail % ITEM_ALIGNMENT)
		return lane_is_broken(edge, number, why);
	while (at != tail) {
		const unsigned char *record = output->lane.data + (at & (output->lane.capacity_bytes - 1));
		struct item_header header;

		memcpy(&header, record, sizeof(header));
		if (tail - at < sizeof(header) || item_record_size(header.size_bytes) > tail - at ||
		    !item_makes_sense(&header))
			return lane_is_broken(edge, number, why);
		at += item_record_size(header.size_bytes);
		if (header.kind == ITEM_REFERENCE) {
			const struct item_reference reference =
				reference_read(record + sizeof(header) + item_extension_size(&header));

			if (lane->n == PINS_MAX - 1)
				return lane_is_broken(edge, number, why);
			*ret_strangers |= recall_reference(worker, lane, &reference, at);
		}
	}
	return 0;
}

/* The lanes' ends of those with strangers' references, all pinning every input where it is. */
static void raise_barrier(struct pins *pins, struct pin_lane *lane)
{
	uint32_t entry = 0;

	for (uint32_t i = 0; i < pins->n_inputs; i++) {
		const struct lane_reader *reader = pins->held[i].input->lane.reader;
		uint64_t done = load_relaxed(&reader->done), from = load_relaxed(&reader->free);

		/* a dead worker's nonsense holds nothing */
		entry = held_recall(&pins->held[i],
				    done - from <= pins->held[i].input->lane.capacity_bytes ? from : done);
	}
	add_pin(pins, lane, (struct pin){ .end = lane->lane->lane.tail, .held = ALL_INPUTS, .entry = entry });
}

static int recall_all(struct worker *worker, struct text *why)
{
	struct pins *pins = worker->pins;

	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++) {
			bool strangers;
			int r = recall_lane(worker, &worker->outputs[i], j, &strangers, why);

			if (r < 0)
				return r;
			if (strangers)
				raise_barrier(pins, &pins->lanes[worker->outputs[i].lanes[j].lane.index]);
		}
	/* The consumer's free may be ahead of what is held in an own lane. */
	for (uint32_t i = 0; i < pins->n_outputs; i++) {
		struct lane_out *lane = &pins->lanes[i].lane->lane;

		if (lane->held && (int64_t)(lane->held_from - lane->free_cached) < 0)
			lane->free_cached = lane->held_from;
	}
	return 0;
}

static void list_outputs(struct worker *worker)
{
	struct pins *pins = worker->pins;

	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		struct output_edge *edge = &worker->outputs[i];

		for (uint32_t j = 0; j < edge->n_lanes + edge->n_retired + edge->n_closed; j++) {
			struct output_lane *lane = &edge->lanes[j];

			pins->lanes[lane->lane.index].lane = lane;
			pins->held[pins->n_inputs + lane->lane.index].output = lane;
		}
	}
}

void pins_follow(struct worker *worker)
{
	list_outputs(worker);
}

static void list_lanes(struct worker *worker)
{
	struct pins *pins = worker->pins;

	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; j < worker->inputs[i].n_lanes; j++) {
			struct input_lane *lane = &worker->inputs[i].lanes[j];

			pins->held[lane->lane.index].input = lane;
			pins->held[lane->lane.index].patient = !worker->inputs[i].heritage->references &&
							       worker->inputs[i].heritage->full == HERITAGE_FULL_BLOCK;
		}
	list_outputs(worker);
}

bool pins_wanted(const struct heritage *heritage)
{
	for (uint32_t i = 0; i < heritage->n_outputs; i++)
		if (heritage->outputs[i].references)
			return true;
	return false;
}

/* One block: pages that are never used cost nothing. */
static void take_rings(struct pins *pins)
{
	uint32_t n_held = pins->n_inputs + pins->n_outputs;
	struct held_entry *entries;
	struct pin *all;

	pins->rings = calloc(PINS_MAX, pins->n_outputs * sizeof(struct pin) + n_held * sizeof(struct held_entry));
	must(pins->rings);
	all = pins->rings;
	entries = (struct held_entry *)(void *)(all + (size_t)pins->n_outputs * PINS_MAX);
	for (uint32_t i = 0; i < pins->n_outputs; i++)
		pins->lanes[i].pins = all + (size_t)i * PINS_MAX;
	for (uint32_t i = 0; i < n_held; i++)
		pins->held[i].entries = entries + (size_t)i * PINS_MAX;
}

int pins_attach(struct worker *worker, struct text *why)
{
	struct pins *pins;
	uint32_t n_held;

	int r;

	if (!pins_wanted(&worker->heritage))
		return 0;
	pins = calloc(1, sizeof(*pins));
	must(pins);
	worker->pins = pins;
	pins->n_inputs = worker->segment.geometry.n_readers;
	pins->n_outputs = worker->segment.geometry.n_writers;
	n_held = pins->n_inputs + pins->n_outputs;
	pins->lanes = calloc(pins->n_outputs, sizeof(*pins->lanes));
	pins->held = calloc(n_held, sizeof(*pins->held));
	pins->changed = calloc(n_held, sizeof(*pins->changed));
	must(pins->lanes && pins->held && pins->changed);
	take_rings(pins);
	list_lanes(worker);
	r = recall_all(worker, why);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < pins->n_inputs; i++) {
		held_show(&pins->held[i]);
		if (!has_hold(&pins->held[i]))
			lane_in_release(&pins->held[i].input->lane);
	}
	return 0;
}

void pins_detach(struct worker *worker)
{
	if (!worker->pins)
		return;
	free(worker->pins->rings);
	free(worker->pins->lanes);
	free(worker->pins->held);
	free(worker->pins->changed);
	free(worker->pins);
	worker->pins = NULL;
}
