/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way. What turn.c does for any item costs some hundred instructions: runs, merges, marks, several outputs, suspects.
 * None of that concerns an item that comes by a plain edge while no suspect is about, so here it costs a look at the
 * header, a note of what is in hand, the stage's own work, and three sums. Nor does it concern one that is neither the first nor the
 * end of its run: all of a run lies in one lane, and has one ticket, which is compared with the kind of the record.
 *
 * The same promises hold: the note is written before the stage is called, the books (lane.next, the ledger) change after it has
 * said WEIR_OK or WEIR_HELD and before anything can be committed. What waits to be told to them stands in worker->take: a commit in
 * the middle of an item, and whatever is neither of the two, calls take_settle() first, and finds them as turn.c would have them.
 */
#include "worker/take.h"

#include <string.h>

#include "common/base/words.h"
#include "worker/baggage.h"
#include "worker/keyed.h"
#include "worker/loop.h"
#include "worker/output.h"
#include "worker/postpone.h"
#include "worker/wait.h"
#include "worker/window.h"

/* The note names this lane from now on. */
static void take_note_lane(struct segment_hand *hand, const struct lane_in *lane)
{
	store_relaxed(&hand->busy, 0); /* [S2] first: a note half overwritten names nobody */
	fence_release();               /* [S2] */
	store_relaxed(&hand->lane, lane->index);
	store_relaxed(&hand->position, lane->next);
	store_release(&hand->busy, 1); /* [S2] mate: find_suspect */
}

/* Tells the books what of this lane is done: all before `next`. */
static void take_tell(struct worker *worker, uint64_t next)
{
	struct take *take = &worker->take;
	uint64_t n_ended = take->n_left_told - take->n_left, n_done = n_ended - take->n_quiet - take->n_held;

	if (!n_ended)
		return;
	take->from->lane.next = next;
	take->from->touched = true;
	worker->changed = true;
	worker->cursor.ledger[worker->ledger_quiet] += take->n_quiet;
	worker->cursor.ledger[worker->ledger_done] += n_done;
	worker->cursor.ledger[LEDGER_HELD] += take->n_held;
	worker->cursor.ledger[LEDGER_TAKEN] += n_ended;
	take->n_left_told = take->n_left;
	take->n_quiet = 0;
	take->n_held = 0;
}

/* Where the item in hand begins stands in the note. */
void take_settle(struct worker *worker)
{
	take_tell(worker, load_relaxed(&worker->segment.hand->position));
}

/* Anything but a plain yes. Returns 0 if the turn may go on; WEIR_WAIT: with other lanes. */
static int take_conclude(struct worker *worker, const struct weir_item *item, int status)
{
	struct input_lane *from = worker->take.from;
	int r;

	take_settle(worker);
	r = turn_conclude(worker, item, status);
	if (r == WEIR_WAIT) {
		postpone(worker, from);
	} else if (r != 0) {
		return r;
	} else {
		from->lane.next += item_record_size(item->size_bytes);
		from->touched = true;
		worker->changed = true;
	}
	worker->phase = PHASE_PROCESS;
	worker->emit_refused = 0;
	worker->reason[0] = '\0';
	return r;
}

/*
 * An item that has asked the runtime for something, or of which the stage has said something else than a plain yes. Its caller counts it
 * as no longer left.
 */
static int take_end(struct worker *worker, const struct weir_item *item, int status)
{
	worker->asked = false;
	if (status != WEIR_OK || worker->emit_refused) {
		int r = take_conclude(worker, item, status);

		worker->take.n_left_told--; /* the books know it */
		return r;
	}
	if (!window_item_emitted(worker) && !worker->item_emitted)
		worker->take.n_quiet++;
	counter_add(worker, COUNTER_BYTES_IN, item->size_bytes);
	if (worker->item_emitted)
		output_item_end(worker);
	if (worker->keyed)
		keyed_item_end(worker);
	if (worker->baggage.n_words)
		baggage_end(worker);
	return 0;
}

/* What comes from outside into a loop goes through its head's gate. */
static bool take_may(const struct worker *worker, const struct input_edge *edge)
{
	return !worker->loop || edge->heritage->feedback;
}

/*
 * What of a lane a turn may take now. A lane is mapped twice in a row, so all of it lies between two addresses; its positions are these
 * plus an offset. How far the next record is from `last`, behind which no whole record begins, says what may be done with it:
 *
 *      record ..  near ............... end ...... last  tail       near: up to here what will be asked for has come, too
 *      asked for ahead  |  not any more |  next turn  |
 */
struct reach {
	int64_t left;                /* from the next record to `last`, bytes; less than 0: nothing begins there */
	int64_t near_left, end_left; /* the same from the two other places */
	uint64_t offset;
	struct segment_hand *hand;
	const atomic_u32 *order; /* of this slot; a new one of all stands there, too */
	uint32_t order_before;   /* when this turn began */
	uint32_t plain_order;    /* the one with which an item needs no second look; of a stage with a cursor none is */
	uint64_t record_max;     /* out, of the head of a loop: the largest that was given to the stage */
	uint64_t ticket;         /* of the run at work; 0 where there are none */
	bool odd;                /* out: what lies next is not plain data, or not of this run */
};
#define NO_ORDER UINT32_MAX

/* What is asked of each item counts: so the two loops below are compiled once for each way that one is, and none asks which it is. */
enum way { WAY_PLAIN, WAY_RUNS, WAY_LOOP };

#ifdef __OPTIMIZE__
#define EACH_FOR_ITSELF inline __attribute__((always_inline))
#else
#define EACH_FOR_ITSELF
#endif

static inline uint32_t take_order(const struct reach *reach)
{
	return load_acquire(reach->order); /* [B1] mate: order_board */
}

static inline uint64_t take_position(const struct reach *reach, const unsigned char *record)
{
	return reach->offset + (uint64_t)(uintptr_t)record;
}

/*
 * True if the record is plain data (of the run at work) that lies there whole. Its first word without kind and flags of plain data is
 * its size; of any other record it is more than REACH_MAX.
 */
#define REACH_MAX ((uint64_t)UINT32_MAX)
static EACH_FOR_ITSELF bool take_look(struct reach *reach, const unsigned char *record, enum way way,
				      uint64_t *ret_size_bytes)
{
	uint64_t word, size_bytes;

	if (__builtin_expect(reach->left > reach->near_left, 1))
		lane_prefetch_ahead(record);
	else if (reach->left <= reach->end_left)
		return false;
	word = load_relaxed((const atomic_u64 *)record); /* once: what is checked is what is used */
	size_bytes = word ^ (uint64_t)ITEM_DATA << 32;
	*ret_size_bytes = size_bytes;
	reach->odd = size_bytes > (uint64_t)reach->left ||
		     (way == WAY_RUNS && ((const struct item_header *)record)->ticket != reach->ticket);
	return !reach->odd;
}

/*
 * What comes before an item seldom enough for one question: a new order, and the copy of the cursor that the stage had before it. Returns 0
 * if the item may be given to the stage, else as wait_ordered().
 */
static EACH_FOR_ITSELF int take_prepare(struct worker *worker, const struct reach *reach)
{
	uint32_t order = take_order(reach);

	if (__builtin_expect(order == reach->plain_order, 1))
		return 0;
	if (order != reach->order_before)
		return wait_ordered(order);
	words_copy(worker->cursor_before, worker->cursor.stage, worker->stage.cursor_size_bytes);
	return 0;
}

/* True if an item comes next that may be given to the stage; else *ret_r says why not, 0: nothing plain lies there. */
static EACH_FOR_ITSELF bool take_comes(struct worker *worker, struct reach *reach, const unsigned char *record,
				       enum way way, uint64_t *ret_size_bytes, int *ret_r)
{
	if (!take_look(reach, record, way, ret_size_bytes))
		return false;
	*ret_r = take_prepare(worker, reach);
	return *ret_r == 0;
}

/* Notes what the stage gets in hand next, and makes an item of it. */
static EACH_FOR_ITSELF void take_present(const struct reach *reach, const unsigned char *record, uint64_t size_bytes,
					 struct weir_item *item)
{
	struct segment_hand *hand = reach->hand;
	const struct item_header *header = (const struct item_header *)record;
	const uint64_t sequence = header->sequence;

	store_relaxed(&hand->sequence, sequence);
	store_relaxed(&hand->position, take_position(reach, record));
	item->data = record + sizeof(*header);
	item->size_bytes = size_bytes;
	item->sequence = sequence;
	item->accepted_ns = header->accepted_ns;
}

/* Returns where the record behind this one begins. */
static EACH_FOR_ITSELF const unsigned char *take_step(struct reach *reach, const unsigned char *record,
						      uint64_t size_bytes)
{
	uint64_t record_bytes = item_record_size(size_bytes);

	reach->left -= (int64_t)record_bytes;
	return record + record_bytes;
}

/* The turn has built its share. Else the window is open again, if a record that went the general way has shut it. */
static inline bool take_is_full(struct worker *worker)
{
	if (worker->keyed_full)
		return true;
	if (worker->window.is_open)
		return false;
	if (output_turn_full(worker))
		return true;
	window_open(worker);
	return false;
}

static void take_count_quiet(struct take *take, uint32_t n)
{
	take->n_left_told = n;
	take->n_left = 0;
	take->n_quiet = n;
}

/* A stage without outputs: nothing can be committed before the turn ends, so it is counted here, and told once. */
static EACH_FOR_ITSELF int take_sink(struct worker *worker, struct reach *reach, const unsigned char *record,
				     uint32_t n_wanted, enum way way, uint32_t *ret_n)
{
	struct weir_item item = { .input = worker->next_input, .attempt = 0 };
	uint64_t size_sum = 0, size_bytes;
	uint32_t n_left = n_wanted;
	int r = 0, status = WEIR_OK;

	worker->asked = false;
	while (n_left && take_comes(worker, reach, record, way, &size_bytes, &r)) {
		take_present(reach, record, size_bytes, &item);
		record = take_step(reach, record, size_bytes);
		size_sum += size_bytes;
		status = worker->stage.process(&worker->context, worker->state, &item);
		if (__builtin_expect(status | worker->asked, 0))
			break;
		n_left--;
	}
	*ret_n = n_wanted - n_left;
	take_count_quiet(&worker->take, *ret_n);
	worker->context.accepted_ns = item.accepted_ns; /* for the meter */
	if (status == WEIR_OK && !worker->asked) {
		counter_add(worker, COUNTER_BYTES_IN, size_sum);
		take_tell(worker, take_position(reach, record));
		return r;
	}
	counter_add(worker, COUNTER_BYTES_IN, size_sum - item.size_bytes);
	++*ret_n;
	return take_conclude(worker, &item, status);
}

/*
 * A stage that emits. What an emit can't put into the window may commit the items before this one: then take_settle() is called for
 * them, from what stands in worker->take at that time. Whatever an item has done beside what the window holds, it has asked the
 * runtime for (worker->asked): so most need but one look.
 */
static EACH_FOR_ITSELF int take_operator(struct worker *worker, struct reach *reach, const unsigned char *record,
					 uint32_t n_wanted, enum way way, uint32_t *ret_n)
{
	struct weir_item item = { .input = worker->next_input, .attempt = 0 };
	struct take *take = &worker->take;
	uint64_t size_sum = 0, size_bytes;
	int r = 0;

	worker->asked = false;
	take->n_left = take->n_left_told = worker->produce_wanted || take_is_full(worker) ? 0 : n_wanted;
	window_item_begin(worker);
	for (; take->n_left && take_comes(worker, reach, record, way, &size_bytes, &r); take->n_left--) {
		int status;

		take_present(reach, record, size_bytes, &item);
		worker->context.accepted_ns = item.accepted_ns;
		if (way == WAY_LOOP && item_record_size(size_bytes) > reach->record_max)
			reach->record_max = item_record_size(size_bytes);
		record = take_step(reach, record, size_bytes);
		size_sum += size_bytes;
		status = worker->stage.process(&worker->context, worker->state, &item);
		if (__builtin_expect(!(status | worker->asked), 1)) {
			if (!window_item_emitted(worker))
				take->n_quiet++;
			window_item_begin(worker);
			continue;
		}
		if (status == WEIR_HELD && !worker->asked) { /* of who gathers, nearly every one */
			take->n_held++;
			window_item_begin(worker);
			continue;
		}
		size_sum -= item.size_bytes;
		r = take_end(worker, &item, status);
		window_item_begin(worker);
		if (r != 0 || worker->produce_wanted || take_is_full(worker)) {
			take->n_left--;
			break;
		}
	}
	take_tell(worker, take_position(reach, record));
	counter_add(worker, COUNTER_BYTES_IN, size_sum);
	*ret_n = r == 0 || r == WEIR_WAIT ? n_wanted - take->n_left : 0;
	return r;
}

/*
 * A sink that may produce() holds items back, as an operator does; and one with keyed state asks for something with each item. The head of
 * a loop has several inputs, and outputs.
 */
static int take_all(struct worker *worker, struct reach *reach, const unsigned char *record, uint32_t n_wanted,
		    uint32_t *ret_n)
{
	const bool operates = worker->n_outputs || worker->stage.produce || worker->keyed;

	if (worker->runs_input)
		return operates ? take_operator(worker, reach, record, n_wanted, WAY_RUNS, ret_n) :
				  take_sink(worker, reach, record, n_wanted, WAY_RUNS, ret_n);
	if (worker->loop)
		return take_operator(worker, reach, record, n_wanted, WAY_LOOP, ret_n);
	return operates ? take_operator(worker, reach, record, n_wanted, WAY_PLAIN, ret_n) :
			  take_sink(worker, reach, record, n_wanted, WAY_PLAIN, ret_n);
}

/* Takes of what was there at the last look. */
static int take_known(struct worker *worker, struct input_lane *from, uint64_t turn_end, uint32_t batch, uint32_t *n,
		      bool *ret_odd)
{
	const struct lane_in *lane = &from->lane;
	const unsigned char *record = lane->data + (lane->next & (lane->capacity_bytes - 1));
	uint64_t left = lane->tail_cached - lane->next, near = lane_prefetch_end(left);
	int64_t turn_left = (int64_t)(turn_end - lane->next);
	int64_t header_left = (int64_t)(left < REACH_MAX ? left : REACH_MAX) - (int64_t)sizeof(struct item_header);
	int64_t end = turn_left <= header_left ? turn_left : header_left + 1;
	struct reach reach = { .left = header_left,
			       .near_left = header_left - ((int64_t)near < end ? (int64_t)near : end),
			       .end_left = header_left - end,
			       .offset = lane->next - (uint64_t)(uintptr_t)record,
			       .hand = worker->segment.hand,
			       .order = &worker->board->slots[worker->heritage.slot].order,
			       .ticket = worker->cursor.expected[worker->next_input] };
	uint32_t n_taken, order;
	int r;

	reach.order_before = take_order(&reach);
	order = board_order_of(worker->board, worker->heritage.slot);
	if (order >= BOARD_CANCEL || order != worker->order_seen)
		return wait_ordered(order);
	reach.plain_order = worker->stage.cursor_size_bytes ? NO_ORDER : reach.order_before;
	worker->take.from = from;
	r = take_all(worker, &reach, record, batch - *n, &n_taken);
	*n += n_taken;
	if (worker->loop)
		loop_took(worker, reach.record_max);
	*ret_odd = *ret_odd || reach.odd;
	return r;
}

/* Looks at the producer's line once at most. */
static int take_from(struct worker *worker, struct input_lane *from, uint32_t batch, uint32_t *n, bool *ret_odd)
{
	struct lane_in *lane = &from->lane;
	uint64_t begin = lane->next, turn_end = lane->done + lane_turn_bytes(lane->capacity_bytes);
	bool looks = lane->next == lane->tail_cached;
	int r = from->postponed ? LANE_E_EMPTY : looks ? lane_in_refresh(lane) : 0;

	if (r == 0) {
		worker->meter.lane = from;
		take_note_lane(worker->segment.hand, lane);
		r = take_known(worker, from, turn_end, batch, n, ret_odd);
		if (r == 0 && !looks && *n < batch && !worker->produce_wanted && lane->next == lane->tail_cached &&
		    lane_in_refresh(lane) == 0)
			r = take_known(worker, from, turn_end, batch, n, ret_odd);
		worker->taken_bytes += lane->next - begin;
		return r == WEIR_WAIT ? 0 : r;
	}
	*ret_odd = *ret_odd || r == LANE_E_BROKEN;
	return 0;
}

/* The lanes of one edge, beginning with its current one. */
static int take_edge(struct worker *worker, struct input_edge *edge, uint32_t batch, uint32_t *n, bool *ret_odd)
{
	int r = 0;

	for (uint32_t i = 0; i < edge->n_lanes && r == 0 && *n < batch && !worker->produce_wanted; i++) {
		r = take_from(worker, &edge->lanes[edge->current], batch, n, ret_odd);
		if (r == 0 && *n < batch)
			edge->current = edge->current + 1 < edge->n_lanes ? edge->current + 1 : 0;
	}
	return r;
}

static void take_begin(struct worker *worker)
{
	worker->emit_refused = 0;
	worker->reason[0] = '\0';
	worker->phase = PHASE_PROCESS;
}

int take_run(struct worker *worker, uint32_t batch, uint32_t *n)
{
	struct input_edge *edge = &worker->inputs[0];
	bool odd = false;
	int r;

	if (edge->heritage->merge && !edge->in_run)
		return 0;
	take_begin(worker);
	r = take_from(worker, &edge->lanes[edge->current], batch, n, &odd);
	worker->phase = PHASE_NONE;
	return r;
}

int take_plain(struct worker *worker, uint32_t batch, uint32_t *n, bool *ret_odd)
{
	int r = 0;

	*ret_odd = false;
	take_begin(worker);
	for (uint32_t i = 0; i < worker->n_inputs && r == 0 && *n < batch && !worker->produce_wanted; i++) {
		struct input_edge *edge = &worker->inputs[worker->next_input];

		if (take_may(worker, edge))
			r = take_edge(worker, edge, batch, n, ret_odd);
		if (r == 0 && *n < batch)
			worker->next_input = worker->next_input + 1 < worker->n_inputs ? worker->next_input + 1 : 0;
	}
	worker->phase = PHASE_NONE;
	return r;
}

/*
 * Two lines of the record that has come, and two of where its answer will stand, all on their way at once. The latter this process had
 * before; but the reader's processor fetches ahead of what it reads.
 */
static void take_fetch(const struct worker *worker, const struct lane_in *lane)
{
	const unsigned char *record = lane->data + (lane->next & (lane->capacity_bytes - 1));

	prefetch_to_read(record);
	prefetch_to_read(record + LANE_LINE_BYTES);
	if (worker->window.is_open) {
		prefetch_to_write(worker->context.next);
		prefetch_to_write(worker->context.next + LANE_LINE_BYTES);
	}
}

/* The producer's line is asked for only if what is known of it says nothing. */
static bool take_has(const struct lane_in *lane)
{
	return lane->next != lane->tail_cached || load_relaxed(&lane->peer->tail) != lane->next;
}

bool take_lies(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++) {
		const struct input_edge *edge = &worker->inputs[i];

		for (uint32_t j = 0; j < edge->n_lanes && take_may(worker, edge); j++)
			if (!edge->lanes[j].postponed && take_has(&edge->lanes[j].lane)) {
				take_fetch(worker, &edge->lanes[j].lane);
				return true;
			}
	}
	return false;
}
