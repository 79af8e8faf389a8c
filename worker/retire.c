/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retiring a slot: its worker has died too often, its siblings go on, and no item is lost.
 *
 *      supervisor                                     producer, between two turns
 *      ----------                                     ---------------------------
 *      repair: `done` stands still for ever
 *      closes the slot's own outputs
 *      dealing := retired, + 1 news      [B2]  ---->  takes the lane out of the edge: nothing is dealt there any more
 *      rings all neighbours                           copies the end of [done, tail) behind the tails of other lanes
 *                                                     one commit: those tails ahead, this tail back
 *                                                     again, waiting for room, until tail == done
 *
 * Killed before the commit: nothing has moved. Killed after it: moved once. The next generation finds `retired` on the board and
 * [done, tail) as far as it has come, so no note of the progress is needed. `retired` is read before `done`, and was
 * stored after the repair: `done` can't move any more.
 *
 * A lane that is out is never written again, so whatever still refers to its bytes stays good.
 *
 * A stage with a loop of its own does it between its steps and whenever it waits in a call, and never waits for it: what finds no room is
 * moved when there is some. Under a step that has already built something nothing moves; its end is waited for.
 *
 * A producer that has finished must not close and go while a slot that may be retired holds items: nobody could move them, and
 * the siblings would have seen the end. So it stays until all such lanes are empty, whoever empties them, and then closes.
 */
#include "worker/retire.h"

#include <stdio.h>

#include "common/flow/retract.h"
#include "worker/dealing.h"
#include "worker/output.h"
#include "worker/wait.h"

static int broken(struct worker *worker, const struct output_edge *edge)
{
	snprintf(worker->reason, sizeof(worker->reason),
		 "what lies in the lane of a retired worker of '%s' makes no sense; it can not be moved",
		 edge->heritage->peer_stage);
	return WEIR_FAILED;
}

static struct output_lane *emptiest(struct output_edge *edge)
{
	struct output_lane *best = &edge->lanes[0];
	uint64_t best_room = lane_out_room(&best->lane, true);

	for (uint32_t i = 1; i < edge->n_lanes; i++) {
		uint64_t room = lane_out_room(&edge->lanes[i].lane, true);

		if (room > best_room) {
			best = &edge->lanes[i];
			best_room = room;
		}
	}
	return best;
}

/* All of it takes effect at once: with the record, or with its repair. */
static void commit_move(struct worker *worker, struct lane_out *from, uint64_t cut, struct output_lane *to)
{
	retract_copy(from, cut, &to->lane);
	commit_add_tail(&worker->commit, &to->lane);
	commit_add_retract(&worker->commit, from, cut);
	commit_publish(&worker->commit);
	to->lane.tail = to->lane.built;
	from->tail = from->built = cut;
	fence_seq_cst(); /* [D1] pairs with wait_arm(): the tail is visible before `armed` is read */
	if (doorbell_wake(&to->peer->doorbell, ARM_DATA, 0))
		counter_add(worker, COUNTER_WAKES, 1);
}

/* Moves the end of what the lane holds: at most a share, so that all that are left get some. Returns 0, LANE_E_FULL, LANE_E_BROKEN. */
static int move_some(struct worker *worker, struct output_edge *edge, struct lane_out *from, uint64_t done,
		     uint64_t share_bytes)
{
	struct output_lane *to = emptiest(edge);
	uint64_t room = lane_out_room(&to->lane, false), cut, last_bytes;
	int r = retract_cut(from, done, room < share_bytes ? room : share_bytes, &cut, &last_bytes);

	if (r == 0 && cut == from->tail && last_bytes <= room)
		cut -= last_bytes;
	if (r != 0)
		return r;
	if (cut == from->tail) {
		if (!edge->retire_need_bytes || last_bytes < edge->retire_need_bytes)
			edge->retire_need_bytes = last_bytes;
		return LANE_E_FULL;
	}
	commit_move(worker, from, cut, to);
	return 0;
}

/* As much as there is room for now. Returns 0, WEIR_FAILED. */
static int move_lane(struct worker *worker, struct output_edge *edge, struct lane_out *from)
{
	/* [L4] final: the reader was repaired before it was retired */
	uint64_t done = load_acquire(&from->peer->done), share_bytes = (from->tail - done) / edge->n_lanes;
	int r = 0;

	while (r == 0 && from->tail != done)
		r = move_some(worker, edge, from, done, share_bytes);
	return r == LANE_E_BROKEN ? broken(worker, edge) : 0;
}

static int move_edge(struct worker *worker, struct output_edge *edge)
{
	int r = 0;

	edge->retire_need_bytes = 0;
	for (uint32_t i = 0; r == 0 && i < edge->n_retired; i++)
		r = move_lane(worker, edge, &edge->lanes[edge->n_lanes + i].lane);
	return r;
}

/* What there is room for. Returns 0, WEIR_FAILED. */
static int move_edges(struct worker *worker)
{
	int r = dealing_follow(worker);

	for (uint32_t i = 0; r == 0 && i < worker->n_outputs; i++)
		if (worker->outputs[i].heritage->movable)
			r = move_edge(worker, &worker->outputs[i]);
	return r;
}

bool retire_has_room(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		struct output_edge *edge = &worker->outputs[i];

		if (edge->retire_need_bytes && lane_out_room(&emptiest(edge)->lane, false) >= edge->retire_need_bytes)
			return true;
	}
	return false;
}

uint64_t retire_need_bytes(const struct worker *worker)
{
	uint64_t need_bytes = 0;

	for (uint32_t i = 0; i < worker->n_outputs; i++) {
		uint64_t edge_bytes = worker->outputs[i].retire_need_bytes;

		if (edge_bytes && (!need_bytes || edge_bytes < need_bytes))
			need_bytes = edge_bytes;
	}
	return need_bytes;
}

int retire_move(struct worker *worker)
{
	int r = move_edges(worker);

	worker->retiring = true;
	while (r == 0 && retire_need_bytes(worker)) {
		r = wait_sleep(worker, ARM_SPACE, retire_need_bytes(worker));
		if (r == 0)
			r = move_edges(worker);
	}
	worker->retiring = false;
	return r;
}

/* ---- run() ---- */

/* The step at work has put something into a lane that might move, or is about to. */
static bool is_building(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		for (uint32_t j = 0; j < worker->outputs[i].n_lanes; j++)
			if (worker->outputs[i].lanes[j].lane.built != worker->outputs[i].lanes[j].lane.tail)
				return true;
	return worker->reserved.output != NO_LANE;
}

static bool may_move(const struct worker *worker)
{
	return (retire_is_due(worker) || retire_has_room(worker)) && !is_building(worker) && !dealing_must_wait(worker);
}

int retire_advance(struct worker *worker)
{
	if (may_move(worker))
		return move_edges(worker);
	if (dealing_may_let_go(worker))
		dealing_let_go(worker);
	return 0;
}

bool retire_may_advance(const struct worker *worker)
{
	return may_move(worker) || dealing_may_let_go(worker);
}

/* ---- staying ---- */

bool retire_edge_is_drained(const struct output_edge *edge)
{
	for (uint32_t i = 0; edge->heritage->movable && i < edge->n_lanes + edge->n_retired + edge->n_closed; i++) {
		const struct lane_out *lane = &edge->lanes[i].lane;

		if (load_acquire(&lane->peer->done) != lane->tail) /* [L4] mate: commit_store */
			return false;
	}
	return true;
}

bool retire_is_drained(const struct worker *worker)
{
	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (!retire_edge_is_drained(&worker->outputs[i]))
			return false;
	return true;
}

/* Room of a whole lane: it is empty. */
static uint64_t smallest_lane_bytes(const struct worker *worker)
{
	uint64_t bytes = UINT64_MAX;

	for (uint32_t i = 0; i < worker->n_outputs; i++)
		if (worker->outputs[i].heritage->movable && worker->outputs[i].lanes[0].lane.capacity_bytes < bytes)
			bytes = worker->outputs[i].lanes[0].lane.capacity_bytes;
	return bytes;
}

int retire_linger(struct worker *worker)
{
	uint64_t need_bytes = smallest_lane_bytes(worker);
	int r = retire_move(worker);

	while (r == 0 && !retire_is_drained(worker)) {
		worker->lingering = true;
		r = wait_sleep(worker, ARM_SPACE, need_bytes);
		worker->lingering = false;
		if (r == 0)
			r = retire_check(worker);
	}
	worker->settled = r == 0;
	return r;
}
