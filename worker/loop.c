/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a loop, its one gate.
 *
 *      outside --> head --> a --> b --> out
 *                   ^             |
 *                   +-------------+            feedback, at most `credit` items (worker/credit.c)
 *
 * No deadlock. The head lets an item in only while everything in the loop, and this item, take at most half of the smallest lane
 * of the loop. So whatever lane they all pile up in, none is ever full: no stage of the loop waits for room in it, the head drains
 * what comes back, and waiting for credit ends. This holds as long as a stage puts no more into the loop than it takes
 * out of it (half of a lane is left for items that grow); else no room is enough. One item may always go round alone.
 *
 * The end. When all that feeds the head has closed, the loop must be seen to be empty, though items move while one looks. They move one
 * way, and the head, which looks, is one process and moves none meanwhile. So it looks in their direction, at each stage: are its lanes
 * empty, is it asleep for want of input, does it hold nothing? An item that has left a lane before it was looked at is in the next
 * one (a commit moves tails before dones), in hand (the stage does not sleep), or held (HELD moves with the commit). Once
 * round and nothing found: there is nothing (twice, where a worker was retired: is_quiet()). Then the head ends, closes, and closing
 * goes round as everywhere.
 *
 * Where stages do put more in than they take out, the loop fills up and stands still, each waiting for room at the next, round to the head,
 * which no longer takes what comes back. That can't be undone, as nothing may be dropped; but the head can see it, and says it.
 *
 * Nobody rings the head when items leave the loop elsewhere, so while it waits for that it looks by itself, ever more rarely.
 */
#include "worker/loop.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/must.h"
#include "worker/cancelled.h"
#include "worker/leave.h"
#include "worker/turn.h"
#include "worker/wait.h"

#define LOOK_NS_MIN NS_PER_MS
#define LOOK_NS_MAX (64 * NS_PER_MS)
#define STANDSTILL_NS (5 * NS_PER_S) /* without any move: then it is worth a word */

struct loop_lane {
	const atomic_u64 *tail, *done;
	const struct peer *consumer; /* NULL: the head itself */
	bool last_of_consumer;       /* the next lane leads to somebody else */
};

struct loop {
	struct loop_lane *lanes;
	uint32_t n_lanes;
	uint64_t limit_bytes;
	uint64_t used_bytes;    /* at the last look */
	uint64_t let_in_bytes;  /* since then */
	uint64_t largest_bytes; /* record that was taken; stands for items that are held, whose size nobody knows */
	uint64_t look_ns;       /* pause before the next look */
	bool looked, waits;     /* in this turn; nothing to take, but there may be without a ring */
	bool quiet;             /* nothing feeds the head any more, and the loop was seen to be empty: it stays so */
	bool over;              /* the head has ended */

	uint64_t moved;    /* sum of all positions, when it was last seen to change ... */
	uint64_t moved_ns; /* ... at that time */
	bool said;         /* that it stands still since then */
};

/* ---- looking ---- */

static bool is_retired(const struct worker *worker, const struct peer *peer)
{
	return load_acquire(&worker->board->slots[worker->heritage.peers[peer - worker->peers].slot].dealing) ==
	       BOARD_RETIRED; /* [B2] mate: seat_retire */
}

/* Items that it holds; UINT64_MAX while it commits too fast to be read. What a retired one held nobody will ever settle. */
static uint64_t held_by(const struct worker *worker, const struct peer *peer)
{
	struct cursor cursor;

	if (is_retired(worker, peer))
		return 0;
	return cursor_snapshot(&peer->segment, &cursor) == 0 ? cursor.ledger[LEDGER_HELD] : UINT64_MAX;
}

static uint64_t filled(const struct loop_lane *lane)
{
	uint64_t done = load_acquire(lane->done); /* [L4] mate: commit_store */

	return load_acquire(lane->tail) - done; /* [L6] mate: commit_store */
}

static uint64_t look_around(struct worker *worker)
{
	const struct loop *loop = worker->loop;
	uint64_t used_bytes = 0;

	for (uint32_t i = 0; i < loop->n_lanes; i++) {
		const struct loop_lane *lane = &loop->lanes[i];
		uint64_t held = lane->consumer && lane->last_of_consumer ? held_by(worker, lane->consumer) : 0;

		used_bytes += filled(lane) + (held == UINT64_MAX ? 1 : held) * loop->largest_bytes;
	}
	return used_bytes;
}

/* Nothing in hand, and nothing to come by itself. */
static bool is_idle(const struct worker *worker, const struct peer *peer)
{
	uint32_t state = load_acquire(&peer->segment.status->state); /* [S3] mate: worker_set_state_at */

	return is_retired(worker, peer) ||
	       ((state == WORKER_STATE_WAIT_DATA || state == WORKER_STATE_ENDED) && held_by(worker, peer) == 0);
}

/* See above: in the order of the lanes, which is that of the items. */
static bool is_quiet_once(const struct worker *worker)
{
	const struct loop *loop = worker->loop;

	for (uint32_t i = 0; i < loop->n_lanes; i++) {
		const struct loop_lane *lane = &loop->lanes[i];

		if (filled(lane) != 0 || (lane->consumer && lane->last_of_consumer && !is_idle(worker, lane->consumer)))
			return false;
	}
	return true;
}

/*
 * What lies in the lane of a retired worker moves the other way, to a lane that may have been looked at already. If such a lane is seen to
 * be empty, that is over [L6]; then a second look finds what was moved, unless another worker has been retired meanwhile.
 */
static bool is_quiet(const struct worker *worker)
{
	uint32_t dealings = load_acquire(&worker->board->dealings); /* [B2] mate: seat_retire */

	return is_quiet_once(worker) && (!dealings || is_quiet_once(worker)) &&
	       load_acquire(&worker->board->dealings) == dealings; /* [B2] mate: seat_retire */
}

/* The head itself keeps items, and will see to them at a time that it has said: it is not at its end before that. */
static bool has_plans(const struct worker *worker)
{
	return worker->cursor.ledger[LEDGER_HELD] && worker->watch.wake_ns;
}

/* ---- the gate ---- */

static bool fits(const struct loop *loop, uint64_t record_bytes)
{
	uint64_t used_bytes = loop->used_bytes + loop->let_in_bytes;

	return used_bytes == 0 || used_bytes + record_bytes <= loop->limit_bytes;
}

static bool may_enter(struct worker *worker, uint64_t record_bytes)
{
	struct loop *loop = worker->loop;

	if (loop->looked && fits(loop, record_bytes))
		return true;
	loop->used_bytes = look_around(worker);
	loop->looked = true;
	return fits(loop, record_bytes);
}

/* ---- what comes next ---- */

static bool is_outside(const struct worker *worker, uint32_t edge)
{
	return !worker->inputs[edge].heritage->feedback;
}

/* The edges of one side, fairly. INPUT_E_CLOSED, INPUT_E_LOST: all of them. */
static int next_of(struct worker *worker, bool outside, struct input *ret_input)
{
	bool ended = true, lost = false;

	for (uint32_t i = 0; i < worker->n_inputs; i++) {
		uint32_t edge = (worker->next_input + i) % worker->n_inputs;
		int r;

		if (is_outside(worker, edge) != outside)
			continue;
		r = input_next_of(worker, edge, ret_input);
		if (r == 0 || r == INPUT_E_BROKEN)
			return r;
		ended = ended && r != INPUT_E_EMPTY;
		lost = lost || r == INPUT_E_LOST;
	}
	return !ended ? INPUT_E_EMPTY : lost ? INPUT_E_LOST : INPUT_E_CLOSED;
}

int loop_next(struct worker *worker, struct input *ret_input)
{
	struct loop *loop = worker->loop;
	int r = next_of(worker, false, ret_input);

	loop->waits = false;
	if (r == 0 || r == INPUT_E_BROKEN || loop->over)
		return r;
	r = next_of(worker, true, ret_input);
	if (r == 0 && !leave_has_left(worker, ret_input->edge) &&
	    !may_enter(worker, item_record_size(ret_input->header.size_bytes))) {
		loop->waits = true;
		return INPUT_E_EMPTY;
	}
	if (r != INPUT_E_CLOSED && r != INPUT_E_LOST)
		return r;
	/* While the head spins, its looks would take the very lines that the others write. The last look before a sleep is enough. */
	if (!loop->quiet && !has_plans(worker) && load_relaxed(&worker->segment.armed->word))
		loop->quiet = is_quiet(worker);
	loop->waits = !loop->quiet;
	return loop->quiet ? r : INPUT_E_EMPTY;
}

void loop_took(struct worker *worker, uint64_t record_bytes)
{
	struct loop *loop = worker->loop;

	if (record_bytes > loop->largest_bytes)
		loop->largest_bytes = record_bytes;
	loop->look_ns = LOOK_NS_MIN;
}

void loop_take(struct worker *worker, const struct input *input)
{
	uint64_t record_bytes = item_record_size(input->header.size_bytes);

	if (is_outside(worker, input->edge) && !leave_has_left(worker, input->edge))
		worker->loop->let_in_bytes += record_bytes;
	loop_took(worker, record_bytes);
}

bool loop_outside_waits(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_inputs; i++)
		for (uint32_t j = 0; is_outside(worker, i) && j < worker->inputs[i].n_lanes; j++) {
			const struct lane_in *lane = &worker->inputs[i].lanes[j].lane;

			if (load_relaxed(&lane->peer->tail) != lane->next)
				return true;
		}
	return false;
}

void loop_begin(struct worker *worker)
{
	worker->loop->looked = false;
	worker->loop->let_in_bytes = 0;
}

int loop_end(struct worker *worker)
{
	uint64_t n_dropped = 0;
	int r = worker->loop ? 0 : INPUT_E_CLOSED;

	if (worker->loop)
		worker->loop->over = true;
	while (r == 0) {
		struct input input;

		r = loop_next(worker, &input);
		if (r == 0) {
			cancelled_count(worker, CAUSE_DOWNSTREAM_GONE, input.size_bytes);
			input_take(worker, &input);
			n_dropped++;
		} else if (r == INPUT_E_EMPTY) {
			r = turn_commit(worker);
			r = r == 0 ? wait_sleep(worker, ARM_DATA, 0) : r;
		}
	}
	if (r == INPUT_E_BROKEN)
		return WEIR_FAILED;
	if (n_dropped)
		weir_log(WEIR_LOG_ERROR,
			 "%llu items came back after the end of the loop and are dropped: stages of a loop "
			 "may emit nothing into it at the end of their input",
			 (unsigned long long)n_dropped);
	return r == INPUT_E_CLOSED || r == INPUT_E_LOST ? turn_commit(worker) : r;
}

uint64_t loop_look_ns(const struct worker *worker, uint64_t now_ns)
{
	struct loop *loop = worker->loop;
	uint64_t pause_ns;

	if (!loop || !loop->waits)
		return 0;
	pause_ns = loop->look_ns;
	loop->look_ns = pause_ns * 2 < LOOK_NS_MAX ? pause_ns * 2 : LOOK_NS_MAX;
	return now_ns + pause_ns;
}

/* ---- standing still ---- */

/* All that has ever gone into the loop's lanes, and out of them. */
static uint64_t positions(const struct loop *loop)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < loop->n_lanes; i++)
		sum += load_relaxed(loop->lanes[i].tail) + load_relaxed(loop->lanes[i].done);
	return sum;
}

/* Asleep for room, or for want of input: not at work, nor waiting for something outside. */
static bool all_wait(const struct loop *loop)
{
	for (uint32_t i = 0; i < loop->n_lanes; i++) {
		uint32_t state = loop->lanes[i].consumer ?
					 load_relaxed(&loop->lanes[i].consumer->segment.status->state) :
					 WORKER_STATE_WAIT_SPACE;

		if (state != WORKER_STATE_WAIT_SPACE && state != WORKER_STATE_WAIT_DATA)
			return false;
	}
	return true;
}

/* The way back that holds the most. */
static const struct input_edge *fullest_back(const struct worker *worker, uint64_t *ret_bytes)
{
	const struct input_edge *fullest = NULL;

	*ret_bytes = 0;
	for (uint32_t i = 0; i < worker->n_inputs; i++) {
		const struct input_edge *edge = &worker->inputs[i];
		uint64_t bytes = 0;

		for (uint32_t j = 0; edge->heritage->feedback && j < edge->n_lanes; j++)
			bytes += load_acquire(&edge->lanes[j].lane.peer->tail) - edge->lanes[j].lane.done; /* [L1] */
		if (bytes > *ret_bytes) {
			*ret_bytes = bytes;
			fullest = edge;
		}
	}
	return fullest;
}

bool loop_stands_still(struct worker *worker, uint64_t now_ns)
{
	struct loop *loop = worker->loop;
	uint64_t moved = positions(loop), bytes;
	const struct input_edge *back;

	if (moved != loop->moved || !loop->moved_ns) {
		loop->moved = moved;
		loop->moved_ns = now_ns;
		loop->said = false;
		return false;
	}
	if (loop->said || now_ns - loop->moved_ns < STANDSTILL_NS || !all_wait(loop))
		return false;
	back = fullest_back(worker, &bytes);
	if (!back)
		return false;
	loop->said = true;
	weir_log(
		WEIR_LOG_ERROR,
		"the loop stands still for %llu s: this stage, its head, waits for room to '%s', while %llu bytes that have come "
		"back from '%s' wait for it, and every stage between waits too. If no stage behind the loop is slow, stages "
		"on it put more into it than they take out: filter there, or give it larger lanes (lane:)",
		(unsigned long long)((now_ns - loop->moved_ns) / NS_PER_S),
		worker->outputs[worker->need_output < worker->n_outputs ? worker->need_output : 0].heritage->peer_stage,
		(unsigned long long)bytes, back->heritage->peer_stage);
	return true;
}

/* ---- birth ---- */

void loop_attach(struct worker *worker)
{
	const struct heritage *heritage = &worker->heritage;
	struct loop *loop;

	if (!heritage->n_loop_lanes)
		return;
	loop = calloc(1, sizeof(*loop));
	must(loop);
	loop->lanes = calloc(heritage->n_loop_lanes, sizeof(*loop->lanes));
	must(loop->lanes);
	loop->n_lanes = heritage->n_loop_lanes;
	loop->limit_bytes = UINT64_MAX;
	loop->look_ns = LOOK_NS_MIN;
	for (uint32_t i = 0; i < loop->n_lanes; i++) {
		const struct heritage_loop_lane *from = &heritage->loop_lanes[i];
		const struct peer *producer = from->producer == HERITAGE_SELF ? NULL : &worker->peers[from->producer];
		const struct peer *consumer = from->consumer == HERITAGE_SELF ? NULL : &worker->peers[from->consumer];
		const struct segment *upper = producer ? &producer->segment : &worker->segment;
		const struct segment *lower = consumer ? &consumer->segment : &worker->segment;

		loop->lanes[i] = (struct loop_lane){
			.tail = &upper->writers[from->writer_index].tail,
			.done = &lower->readers[from->reader_index].done,
			.consumer = consumer,
			.last_of_consumer =
				i + 1 == loop->n_lanes || heritage->loop_lanes[i + 1].consumer != from->consumer,
		};
		if (from->capacity_bytes / 2 < loop->limit_bytes)
			loop->limit_bytes = from->capacity_bytes / 2;
	}
	worker->loop = loop;
}

void loop_detach(struct worker *worker)
{
	if (worker->loop)
		free(worker->loop->lanes);
	free(worker->loop);
	worker->loop = NULL;
}
