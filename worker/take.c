/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way. What turn.c does for any item costs some hundred instructions: runs, merges, marks, several outputs, suspects.
 * None of that concerns an item that comes by a plain edge while no suspect is about, so here it costs a look at the
 * header, a note of what is in hand, the stage's own work, and three sums.
 *
 * The same promises hold: the note is written before the stage is called, the books (lane.next, the ledger) change after it has
 * said WEIR_OK and before anything can be committed, and an emit that leaves the window finds them as turn.c would have them.
 */
#include "worker/take.h"

#include <string.h>

#include "common/base/words.h"
#include "worker/output.h"
#include "worker/window.h"

/* The note names this lane from now on. */
static void take_note_lane(struct segment_hand *hand, const struct lane_in *lane)
{
	store_relaxed(&hand->busy, 0); /* [S2] first: a note half overwritten names nobody */
	fence_release();
	store_relaxed(&hand->lane, lane->index);
	store_relaxed(&hand->position, lane->next);
	store_release(&hand->busy, 1);
}

/* n items, of size_bytes together, that the stage has said WEIR_OK to; the lane is read up to `next`. */
static inline void take_count(struct worker *worker, struct input_lane *from, uint64_t next, enum ledger line,
			      uint64_t n)
{
	from->lane.next = next;
	from->touched = true; /* again: an emit may have committed what came before */
	worker->changed = true;
	worker->cursor.ledger[line] += n;
	worker->cursor.ledger[LEDGER_TAKEN] += n;
}

/* Anything but a plain yes. Returns 0 if the turn may go on. */
static int take_conclude(struct worker *worker, struct input_lane *from, const struct weir_item *item, int status)
{
	int r = turn_conclude(worker, item, status);

	if (r != 0)
		return r;
	take_count(worker, from, from->lane.next + item_record_size(item->size_bytes), LEDGER_TAKEN, 0);
	worker->phase = PHASE_PROCESS;
	worker->emit_refused = 0;
	worker->reason[0] = '\0';
	return 0;
}

/* What of a lane a turn may take now. */
struct take {
	const unsigned char *data;
	uint64_t mask, tail, end; /* end: positions from here on are left to the next turn */
	uint64_t size_sum;        /* payload of what the stage has said WEIR_OK to */
};

/* The header of the item at `next` if it is plain data that lies there whole, else NULL. */
static inline const struct item_header *take_look(const struct take *take, uint64_t next, struct weir_item *item)
{
	const unsigned char *record = take->data + (next & take->mask);
	uint64_t left = take->tail - next, word;
	struct item_header header;

	if ((int64_t)(take->end - next) <= 0)
		return NULL;
	lane_prefetch(record, left);
	word = load_relaxed((const atomic_u64 *)record); /* once: what is checked is what is used */
	memcpy(&header, &word, sizeof(word));
	if (header.kind != ITEM_DATA || header.flags || item_record_size(header.size_bytes) > left)
		return NULL;
	item->data = record + sizeof(header);
	item->size_bytes = header.size_bytes;
	item->sequence = ((const struct item_header *)record)->sequence;
	item->accepted_ns = ((const struct item_header *)record)->accepted_ns;
	return (const struct item_header *)record;
}

/* One item of a stage that emits: what is before it must stand in the books, because an emit may commit it. */
static inline int take_operate(struct worker *worker, struct input_lane *from, struct take *take,
			       const struct weir_item *item)
{
	int status;

	words_copy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
	worker->context.accepted_ns = item->accepted_ns;
	window_item_begin(worker);
	status = worker->stage.process(&worker->context, worker->state, item);
	if (__builtin_expect(status != WEIR_OK || worker->emit_refused, 0))
		return take_conclude(worker, from, item, status);
	take_count(worker, from, from->lane.next + item_record_size(item->size_bytes),
		   worker->item_emitted || window_item_emitted(worker) ? worker->ledger_done : worker->ledger_quiet, 1);
	take->size_sum += item->size_bytes;
	if (worker->item_emitted)
		output_item_end(worker);
	return 0;
}

/* The turn has built its share. Else the window is open again, if a record that went the general way has shut it. */
static inline bool take_is_full(struct worker *worker)
{
	if (worker->window.is_open)
		return false;
	if (output_turn_full(worker))
		return true;
	window_open(worker);
	return false;
}

static inline void take_note(struct segment_hand *hand, uint64_t sequence, uint64_t position)
{
	store_relaxed(&hand->sequence, sequence);
	store_relaxed(&hand->position, position);
}

/* A stage without outputs: nothing can be committed before the turn ends, so the books are made up once. */
static int take_sink(struct worker *worker, struct input_lane *from, struct take *take, uint32_t batch, uint32_t *n)
{
	struct segment_hand *hand = worker->segment.hand;
	struct weir_item item = { .input = worker->next_input, .attempt = 0 };
	uint64_t next = from->lane.next, size_sum = 0;
	uint32_t n_done = 0;
	int r = 0;

	while (*n + n_done < batch && take_look(take, next, &item)) {
		int status;

		if (worker_cancelled(worker)) {
			r = WEIR_CANCELLED;
			break;
		}
		take_note(hand, item.sequence, next);
		words_copy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
		status = worker->stage.process(&worker->context, worker->state, &item);
		if (__builtin_expect(status != WEIR_OK || worker->produce_wanted, 0)) {
			take_count(worker, from, next, worker->ledger_quiet, n_done);
			take->size_sum += size_sum;
			*n += n_done + 1;
			return take_conclude(worker, from, &item, status);
		}
		next += item_record_size(item.size_bytes);
		size_sum += item.size_bytes;
		n_done++;
	}
	if (n_done)
		take_count(worker, from, next, worker->ledger_quiet, n_done);
	take->size_sum += size_sum;
	*n += n_done;
	return r;
}

static int take_operator(struct worker *worker, struct input_lane *from, struct take *take, uint32_t batch, uint32_t *n)
{
	struct segment_hand *hand = worker->segment.hand;
	struct weir_item item = { .input = worker->next_input, .attempt = 0 };
	int r = 0;

	while (r == 0 && *n < batch && !worker->produce_wanted && !take_is_full(worker) &&
	       take_look(take, from->lane.next, &item)) {
		if (worker_cancelled(worker))
			return WEIR_CANCELLED;
		take_note(hand, item.sequence, from->lane.next);
		r = take_operate(worker, from, take, &item);
		*n += r == 0;
	}
	return r;
}

static int take_from(struct worker *worker, struct input_lane *from, uint32_t batch, uint32_t *n)
{
	struct lane_in *lane = &from->lane;
	uint64_t begin = lane->next, turn_end = lane->done + lane_turn_bytes(lane->capacity_bytes);
	struct take take = { .data = lane->data, .mask = lane->capacity_bytes - 1 };
	int r;

	if (lane->next == lane->tail_cached && lane_in_refresh(lane) != 0)
		return 0;
	take.tail = lane->tail_cached;
	take.end = (int64_t)(take.tail - turn_end) < (int64_t)sizeof(struct item_header) ?
			   take.tail - sizeof(struct item_header) + 1 :
			   turn_end;
	take_note_lane(worker->segment.hand, lane);
	r = worker->n_outputs ? take_operator(worker, from, &take, batch, n) : take_sink(worker, from, &take, batch, n);
	worker->taken_bytes += lane->next - begin;
	counter_add(worker, COUNTER_BYTES_IN, take.size_sum);
	return r;
}

/* The lanes of one edge, beginning with its current one. */
static int take_edge(struct worker *worker, struct input_edge *edge, uint32_t batch, uint32_t *n)
{
	int r = 0;

	for (uint32_t i = 0; i < edge->n_lanes && r == 0 && *n < batch && !worker->produce_wanted; i++) {
		r = take_from(worker, &edge->lanes[edge->current], batch, n);
		if (r == 0 && *n < batch)
			edge->current = edge->current + 1 < edge->n_lanes ? edge->current + 1 : 0;
	}
	return r;
}

int take_plain(struct worker *worker, uint32_t batch, uint32_t *n)
{
	int r = 0;

	worker->emit_refused = 0;
	worker->reason[0] = '\0';
	worker->phase = PHASE_PROCESS;
	for (uint32_t i = 0; i < worker->n_inputs && r == 0 && *n < batch && !worker->produce_wanted; i++) {
		r = take_edge(worker, &worker->inputs[worker->next_input], batch, n);
		if (r == 0 && *n < batch)
			worker->next_input = worker->next_input + 1 < worker->n_inputs ? worker->next_input + 1 : 0;
	}
	worker->phase = PHASE_NONE;
	return r;
}
